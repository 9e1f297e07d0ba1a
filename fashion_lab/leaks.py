"""Whether a run was trained on pictures that another one is measured on: folds of one catalog overlap."""

from collections.abc import Mapping
from typing import Any

from fashion_lab.problems import ConfigError

FOLD = ("folds", "fold")


def refuse_leak(key: str, given: str, theirs: Mapping[str, Any] | None, ours: Mapping[str, Any]) -> None:
    """Raise ConfigError where a run that another one starts or learns from has seen its validation pictures.

    Official splits are no problem: what is measured there is in no fold's training pictures.

    Args:
        key: `ckpt` or `teacher`.
        given: what it says.
        theirs: config node of the catalog that this run was trained on; None: not known.
        ours: that of the new run.
    """
    if theirs is None or ours.get("fold") is None or theirs.get("_target_") != ours.get("_target_"):
        return
    if [theirs.get(name) for name in FOLD] != [ours[name] for name in FOLD]:
        raise ConfigError(
            f"{key}={given} was trained on {_split(theirs)}, this run is measured on {_split(ours)}: it has "
            f"seen pictures of that. Give a run of the same fold; of a sweep, {key}=<sweep> finds it"
        )


def _split(data: Mapping[str, Any]) -> str:
    if data.get("fold") is None:
        return "the whole training split"
    return f"fold {data['fold']} of {data['folds']}"
