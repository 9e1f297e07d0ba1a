"""What a run wrote down, read quickly and not trusted: its config by dotted key, its result if it is one."""

import functools
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from numbers import Real
from pathlib import Path
from typing import Any

import yaml
from omegaconf import OmegaConf

EXPONENT = re.compile(r"[-+]?[0-9]+(?:\.[0-9_]*)?[eE][-+]?[0-9]+")
"""Numbers like 1e-3, which YAML 1.1 takes for text and Hydra for numbers."""


def read_config(path: Path) -> dict[str, Any]:
    """Read a config with dotted keys, lists as values; empty where there is none."""
    return dict(_leaves(read_yaml(path), "")) if path.is_file() else {}


def read_yaml(path: Path) -> Any:
    """Read plain YAML as Hydra does; by libyaml, where PyYAML has it: 2 ms a config instead of 42."""
    loader = _quick_loader()
    if loader is None:
        return OmegaConf.to_container(OmegaConf.load(path))
    found = yaml.load(path.read_text(), loader)  # a safe loader: it makes no objects
    return {} if found is None else found


@functools.cache
def _quick_loader() -> Any:
    safe = getattr(yaml, "CSafeLoader", None)
    if safe is None:
        return None
    loader: Any = type("Loader", (safe,), {})
    known = {
        letter: [(tag, form) for tag, form in forms if not tag.endswith(":timestamp")]
        for letter, forms in safe.yaml_implicit_resolvers.items()
    }
    loader.yaml_implicit_resolvers = known
    loader.add_implicit_resolver("tag:yaml.org,2002:float", EXPONENT, list("-+0123456789"))
    return loader


def _leaves(value: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(item, f"{prefix}.{key}" if prefix else str(key))
    else:
        yield prefix, value


def read_mapping(path: Path) -> dict[str, Any]:
    """Read a JSON file as it is; empty where it is none, or no mapping."""
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def read_result(path: Path) -> dict[str, Any]:
    """Read a `result.json`; metrics without a value become NaN.

    Raises:
        ValueError: it is no result: something is missing or of another kind.
    """
    result = json.loads(path.read_text())
    if not isinstance(result, dict):
        raise ValueError("not a mapping")
    if missing := sorted(NEEDED.keys() - result.keys()):
        raise ValueError(f"without {', '.join(missing)}")
    for name, is_right in {**NEEDED, **OPTIONAL}.items():
        if name in result and not is_right(result[name]):
            raise ValueError(f"{name} is {json.dumps(result[name])[:60]}")
    result["metrics"] = {
        name: math.nan if value is None else value for name, value in result["metrics"].items()
    }
    return result


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _has(**kinds: Callable[[Any], bool]) -> Callable[[Any], bool]:
    """A mapping with these keys of these kinds, and perhaps others."""
    return lambda value: (
        isinstance(value, Mapping) and all(key in value and kinds[key](value[key]) for key in kinds)
    )


def _all(is_right: Callable[[Any], bool]) -> Callable[[Any], bool]:
    """A mapping whose values are all of a kind."""
    return lambda value: isinstance(value, Mapping) and all(map(is_right, value.values()))


NEEDED: Mapping[str, Callable[[Any], bool]] = {
    "stage": _is_text,
    "metrics": _all(lambda value: value is None or _is_number(value)),
    "monitor": _has(metric=_is_text, mode=_is_text),
    "parameters": _is_count,
    "seconds": _has(total=_is_number),
    "seed": _is_count,
    "catalog": _is_text,
    "classes": lambda value: isinstance(value, list),
    "splits": _all(_is_count),
    "pixels": _has(size=_is_count, fit=_is_text),
}
OPTIONAL: Mapping[str, Callable[[Any], bool]] = {
    "multiply_adds": lambda value: value is None or _is_count(value),
    "overrides": lambda value: isinstance(value, list) and all(map(_is_text, value)),
    "parent": lambda value: value is None or _has(path=_is_text)(value),
    "teacher": lambda value: value is None or _has(path=_is_text)(value),
    "hardware": lambda value: value is None or isinstance(value, Mapping),
    "compared": lambda value: value is None or _all(lambda each: isinstance(each, Mapping))(value),
    "precision": _is_text,
}
