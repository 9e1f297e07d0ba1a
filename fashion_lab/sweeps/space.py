"""A search space: which settings are drawn, from which bounds or choices; checked before any run."""

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep
from omegaconf import DictConfig, OmegaConf

from fashion_lab.commandline import quoted
from fashion_lab.problems import ConfigError, nearest
from fashion_lab.studies.recipes import REPEATED

FIELDS = ("low", "high", "log", "step", "choices")
WORD = re.compile(r"(?!(?:true|false|null|nan|inf)$)[a-z_][\w./-]*", re.IGNORECASE)
"""Texts that Hydra's grammar reads as themselves."""


@dataclass(frozen=True)
class Span:
    """Numbers from low to high, both included; whole ones if both bounds are whole."""

    low: float
    high: float
    log: bool = False
    step: float | None = None

    @property
    def is_whole(self) -> bool:
        """Whether only whole numbers are drawn."""
        return isinstance(self.low, int) and isinstance(self.high, int)


@dataclass(frozen=True)
class Choices:
    """Values as the command line writes them."""

    words: tuple[str, ...]


Space = dict[str, Span | Choices]


def space_of(nested: Mapping[str, Any], parse: Callable[[str], Override], prefix: str = "") -> Space:
    """Read a space as a config has it: nested, or with dotted names; null takes a setting out of it.

    Args:
        nested: names to `{low, high, log, step}`, `{choices}` or a text in Hydra's words, `interval(1, 2)`.
        parse: reads such a word.
        prefix: what stands before the names.

    Raises:
        ConfigError: bounds that are none, a misspelt field.
    """
    space: Space = {}
    for name, node in nested.items():
        key = f"{prefix}{name}"
        if isinstance(node, Mapping) and _has_fields(node):
            space[key] = _from_fields(key, node)
        elif isinstance(node, Mapping):
            space |= space_of(node, parse, f"{key}.")
        elif isinstance(node, str) and (override := parse(f"{key}={node}")).is_sweep_override():
            space[key] = from_word(override)
        elif node is not None:
            raise ConfigError(
                f"{key}: {node} is one value, nothing to search; give low and high, or choices. One value "
                f"goes on the command line: {key}={node}"
            )
    return space


def _has_fields(node: Mapping[str, Any]) -> bool:
    """A setting may have the name of a field; what is below it is a mapping then."""
    return any(field in node and not isinstance(node[field], Mapping) for field in FIELDS)


def from_word(override: Override) -> Span | Choices:
    """Read a word of the command line that names several values."""
    key, sweep = override.get_key_element(), override.value()
    if isinstance(sweep, IntervalSweep):
        assert sweep.start is not None
        assert sweep.end is not None
        return _from_fields(key, {"low": sweep.start, "high": sweep.end, "log": "log" in sweep.tags})
    if isinstance(sweep, RangeSweep):
        values = sorted(sweep.range())
        return _from_fields(key, {"low": values[0], "high": values[-1], "step": abs(sweep.step)})
    return _choices(key, list(override.sweep_string_iterator()))


def _from_fields(key: str, fields: Mapping[str, Any]) -> Span | Choices:
    for field in fields:
        if field not in FIELDS:
            raise ConfigError(f"{key}: {field} is no field of a search space{nearest(field, FIELDS)}")
    if "choices" in fields:
        if len(fields) > 1 or not isinstance(fields["choices"], Sequence):
            raise ConfigError(f"{key}: choices is a list, and stands alone; here it is {dict(fields)}")
        return _choices(key, [as_word(value) for value in fields["choices"]])
    low, high, step = (_number(key, fields, name) for name in ("low", "high", "step"))
    if low is None or high is None:
        raise ConfigError(f"{key}: give both low and high, or choices; here is {dict(fields)}")
    log = bool(fields.get("log", False))
    if low >= high:
        raise ConfigError(f"{key}: low={low} is not below high={high}")
    if log and low <= 0:
        raise ConfigError(f"{key}: low={low} with log: a logarithm needs bounds over 0")
    if step is not None and (log or step <= 0 or step > high - low):
        raise ConfigError(
            f"{key}: step={step} between {low} and {high}{' with log' if log else ''}; it must be over 0, at "
            "most their distance, and without log"
        )
    return Span(low, high, log, step)


def _number(key: str, fields: Mapping[str, Any], name: str) -> float | None:
    value = fields.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ConfigError(f"{key}: {name}={value} is no number")
    return value


def _choices(key: str, words: Sequence[str]) -> Choices:
    if len(set(words)) < 2 or len(set(words)) < len(words):
        raise ConfigError(f"{key}: choices are {', '.join(words) or 'none'}; give two or more, each once")
    return Choices(tuple(words))


def as_word(value: Any) -> str:
    """Write a value as Hydra's grammar reads it."""
    if isinstance(value, str):
        return value if WORD.fullmatch(value) else quoted(value)
    if isinstance(value, Mapping):
        return f"{{{','.join(f'{as_word(key)}:{as_word(item)}' for key, item in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{','.join(map(as_word, value))}]"
    return json.dumps(value) if value is None or isinstance(value, bool) else repr(value)


def check_space(
    space: Space, cfg: DictConfig, fixed: Sequence[str], options: Callable[[str], Sequence[str]]
) -> None:
    """Raise ConfigError for the first setting that cannot be searched.

    Args:
        space: what is searched.
        cfg: a job's config, without anything drawn.
        fixed: keys that the command line gives one value.
        options: what there is of a config group; empty for what is none.
    """
    if not space:
        raise ConfigError("nothing to search: hydra.sweeper.space is empty, and no word names several values")
    for key, node in space.items():
        if key in REPEATED:
            raise ConfigError(
                f"{key} is what a recipe is repeated over, nothing to search; take one, then repeat the best "
                "recipe with seeds=5"
            )
        if key in fixed:
            raise ConfigError(f"{key} is fixed on the command line and searched; take one of them out")
        known = options(key)
        if isinstance(node, Choices) and known:
            if wrong := [word for word in node.words if word not in known]:
                raise ConfigError(f"{key}={wrong[0]}: there are {', '.join(known)}{nearest(wrong[0], known)}")
        elif key not in (keys := list(_leaves(cfg))):
            raise ConfigError(f"{key} is no setting of this training{nearest(key, keys)}")


def _leaves(node: Any, prefix: str = "") -> Iterator[str]:
    plain: Any = OmegaConf.to_container(node, resolve=False) if OmegaConf.is_config(node) else node
    for key, value in plain.items():
        if prefix or key != "hydra":
            yield from (
                _leaves(value, f"{prefix}{key}.") if isinstance(value, dict) and value else [f"{prefix}{key}"]
            )
