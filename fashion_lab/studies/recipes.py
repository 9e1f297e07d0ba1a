"""What makes two runs the same recipe, and how a setting of a recipe is shown."""

import functools
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fashion_lab.results import RESULT
from fashion_lab.run_files import CONFIG
from fashion_lab.schema import OF_THE_PLACE, is_among
from fashion_lab.studies.reading import read_config, read_mapping
from fashion_lab.studies.runs import Run

REPEATED = ("seed", "data.fold")
"""What a recipe is repeated over."""

ORIGINS = {"ckpt": "parent", "teacher": "teacher"}
"""Settings that name another run, and where a result says which one that was."""

DEFAULT, ABSENT = "(default)", "-"
UNSAID = frozenset((DEFAULT, ABSENT, "?"))
"""Labels that name nothing."""

LONG = 32  # letters of a path that are shown whole; assumption


def recipe(run: Run) -> dict[str, Any]:
    """All settings that make a recipe, by dotted key; without `config.yaml`, what the command line said.

    A run that started or learnt from another is compared by that run's recipe, not by its folder: so stage 2
    runs with seeds 0, 1, 2 that started from stage 1 runs with seeds 0, 1, 2 are three repeats.
    """
    settings = dict(run.config or run.overrides)
    own = settings.get("folder")
    kept = {
        key: value
        for key, value in settings.items()
        if not (_is_outside(key) or (own and isinstance(value, str) and value.startswith(own)))
    }
    for key, origin in ORIGINS.items():
        if kept.get(key) is not None:
            kept[key] = _recipe_of(run.result.get(origin)) or kept[key]
    return kept


def overridden(groups: Sequence[Sequence[Run]]) -> list[str]:
    """The keys of a recipe that any command line names, in the order in which they were first named.

    Which catalog it was is no such key: runs of a study share that.
    """
    named = dict.fromkeys(key for group in groups for run in group for key in run.overrides)
    return [key for key in named if key != "data" and not _is_outside(key)]


def label(group: Sequence[Run], key: str) -> str:
    """How a recipe's setting is shown: the config's value, else what the command line said.

    A config group that nobody chose is `(default)`, a setting that a recipe does not have is `-`. What the
    first command line of a resumed run said is not known: `?`.
    """
    values = list(dict.fromkeys(_text(run.config[key]) for run in group if key in run.config))
    values = values or list(dict.fromkeys(run.overrides[key] for run in group if key in run.overrides))
    if not values:
        return _absent(group, key)
    more = f" +{len(values) - 1}" if len(values) > 1 else ""
    return _shortened(values[0]) + more


def _absent(group: Sequence[Run], key: str) -> str:
    if all("resume" in run.overrides for run in group):
        return "?"
    is_group = any(known.startswith(f"{key}.") for run in group for known in run.config)
    return DEFAULT if is_group else ABSENT


def _is_outside(key: str) -> bool:
    return is_among(key, (*REPEATED, *OF_THE_PLACE))


def _recipe_of(origin: Any) -> str | None:
    """A digest of the recipe of the run that another one started or learnt from; None where it is gone."""
    path = Path(origin["path"]) if isinstance(origin, Mapping) and "path" in origin else None
    folders = [path, *path.parents[:2]] if path else []
    for folder in folders:
        if digest := _digest(folder):
            return digest
    return None


@functools.cache
def _digest(folder: Path) -> str | None:
    config = read_config(folder / CONFIG)
    if not config:
        return None
    run = Run(folder, read_mapping(folder / RESULT), config, {})
    settings = json.dumps(recipe(run), sort_keys=True, default=str)
    return hashlib.sha256(settings.encode()).hexdigest()


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return f"{value:g}" if isinstance(value, float) else json.dumps(value, default=str)


def _shortened(text: str) -> str:
    """A long path by its last two parts."""
    if "/" not in text or len(text) <= LONG:
        return text
    return "…/" + "/".join(Path(text).parts[-2:])
