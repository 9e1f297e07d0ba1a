"""The points of a sweep: each has its own folder, found again by its config and not by its number."""

import fcntl
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from fashion_lab.digest import digest
from fashion_lab.folders import replace_text, try_lock
from fashion_lab.jobs import PRUNED
from fashion_lab.problems import ConfigError
from fashion_lab.results import RESULT
from fashion_lab.run_files import is_held
from fashion_lab.schema import OF_THE_PLACE, STARTS

POINT = "point.json"
"""In a point's folder: the digest of its settings, the command line's words. Who trains it locks it."""

CLAIMS = ".points.lock"
"""In a sweep's folder: held while a folder is chosen for a point."""


class State(Enum):
    """What became of a point before it is looked at now."""

    OPEN = "new, failed or interrupted: to be trained, from its last checkpoint where there is one"
    FINISHED = "its result is there"
    PRUNED = "given up as hopeless"
    ELSEWHERE = "another process trains it"


def identity(cfg: DictConfig) -> str:
    """Digest what a point computes: its settings without those of the place; runs by their whole paths."""
    settings: Any = OmegaConf.to_container(cfg, resolve=False)
    settings.pop("hydra", None)
    for key in OF_THE_PLACE:
        _drop(settings, key.split("."))
    for key in STARTS:
        if isinstance(settings.get(key), str):
            settings[key] = str(Path(settings[key]).resolve())
    return digest(json.dumps(settings, sort_keys=True, default=str))


def _drop(settings: Any, keys: Sequence[str]) -> None:
    for key in keys[:-1]:
        settings = settings.get(key) if isinstance(settings, dict) else None
    if isinstance(settings, dict):
        settings.pop(keys[-1], None)


def point_folder(*, _root_: DictConfig) -> str:
    """Name the folder of a sweep's job within the sweep; as a resolver it sees the job's whole config."""
    if "stage" not in _root_:  # Hydra's own copy of its settings has no job in it
        return str(_root_.hydra.job.num)
    sweep = Path(OmegaConf.select(_root_, "hydra.sweep.dir"))
    return claim(sweep, identity(_root_), list(_root_.hydra.overrides.task))


def claim(sweep: Path, recipe: str, overrides: Sequence[str]) -> str:
    """Find the folder of a point, or take the next number for it; safe among processes."""
    with exclusive(sweep):
        for path in sorted(sweep.glob(f"*/{POINT}")):
            if json.loads(path.read_text())["recipe"] == recipe:
                return path.parent.name
        numbers = (int(path.name) for path in sweep.iterdir() if path.name.isdecimal())
        name = str(max(numbers, default=-1) + 1)
        (sweep / name).mkdir()
        _record(sweep / name, recipe, overrides)
        return name


@contextmanager
def exclusive(sweep: Path) -> Iterator[None]:
    """Wait for the right to change what all processes of a sweep share."""
    sweep.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(sweep / CLAIMS, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def visited(folder: Path, cfg: DictConfig, overrides: Sequence[str]) -> Iterator[State]:
    """Hold a point against other processes, and say what became of it.

    Raises:
        ConfigError: the folder, which `hydra.sweep.subdir` names, is that of other settings.
    """
    recipe, path = identity(cfg), folder / POINT
    with exclusive(folder.parent):
        if not path.exists():
            _record(folder, recipe, overrides)
    if (known := json.loads(path.read_text()))["recipe"] != recipe:
        raise ConfigError(
            f"{folder} holds other settings ({' '.join(known['overrides'])}); leave hydra.sweep.subdir out: "
            "then each point has a folder of its own"
        )
    descriptor = os.open(path, os.O_RDWR)
    try:
        yield _state(folder) if try_lock(descriptor) else State.ELSEWHERE
    finally:
        os.close(descriptor)


def _state(folder: Path) -> State:
    if is_held(folder):
        return State.ELSEWHERE
    if (folder / RESULT).is_file():
        return State.FINISHED
    return State.PRUNED if (folder / PRUNED).is_file() else State.OPEN


def _record(folder: Path, recipe: str, overrides: Sequence[str]) -> None:
    replace_text(
        folder / POINT, json.dumps({"recipe": recipe, "overrides": list(overrides)}, indent=2) + "\n"
    )
