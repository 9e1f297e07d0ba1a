"""Whether a run was trained on pictures that another one is measured on: splits of one catalog overlap."""

from collections.abc import Mapping
from typing import Any

from fashion_lab.problems import ConfigError

FOLD = ("folds", "fold")
HELD_BACK = ("validation", "seed")
"""What holds validation pictures back where a catalog has no split of its own."""


def refuse_leak(key: str, given: str, theirs: Mapping[str, Any] | None, ours: Mapping[str, Any]) -> None:
    """Raise ConfigError where a run that another one starts or learns from has seen its validation pictures.

    Official splits are no problem: what is measured there is in no fold's training pictures.

    Args:
        key: `ckpt` or `teacher`.
        given: what it says.
        theirs: config node of the catalog that this run was trained on; None: not known.
        ours: that of the new run.
    """
    if theirs is None or theirs.get("_target_") != ours.get("_target_"):
        return
    if ours.get("fold") is not None:
        keys, remedy = FOLD, f"Give a run of the same fold; of a sweep, {key}=<sweep> finds it"
    elif all(name in ours for name in HELD_BACK) and theirs.get("root") == ours.get("root"):
        keys, remedy = HELD_BACK, "Give a run with the same data.validation and data.seed"
    else:
        return
    if [theirs.get(name) for name in keys] != [ours[name] for name in keys]:
        raise ConfigError(
            f"{key}={given} was trained on {_split(theirs)}, this run is measured on {_split(ours)}: it has "
            f"seen pictures of that. {remedy}"
        )


def _split(data: Mapping[str, Any]) -> str:
    if all(name in data for name in HELD_BACK):
        return " ".join(f"data.{name}={data[name]}" for name in HELD_BACK)
    if data.get("fold") is None:
        return "the whole training split"
    return f"fold {data['fold']} of {data['folds']}"
