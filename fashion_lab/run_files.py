"""The files of a run, its checkpoints and its lock; without torch, so that a search can look first."""

import fcntl
import itertools
import os
from collections.abc import Callable
from pathlib import Path

FOLDER = "checkpoints"
BEST, LAST = "best.ckpt", "last.ckpt"
CONFIG = "config.yaml"
LOCK = ".lock"
"""Held by the process that trains in the folder."""


class CheckpointError(ValueError):
    """A checkpoint that is missing, damaged or does not fit: what differs and what to do next."""


def find(given: str | Path) -> Path:
    """Find the file that `ckpt=` means: a checkpoint, or the best (else the last) one of a run folder."""
    text = str(given)
    if "://" in text:
        raise CheckpointError(
            f"{text!r} is an address; only files and run folders are read: download it first"
        )
    path = Path(given)
    if path.is_file():
        return path
    if not path.exists():
        raise CheckpointError(
            f"{text!r} does not exist; give a run folder (outputs/<stage>/<time>) or a .ckpt file"
        )
    for name in (BEST, LAST):
        if (path / FOLDER / name).is_file():
            return path / FOLDER / name
    raise CheckpointError(
        f"{text!r} holds no {FOLDER}/{BEST} or {FOLDER}/{LAST}; give the folder of a trained run"
    )


def found_again(named: str, beside: Path, is_it: Callable[[Path], bool]) -> Path | None:
    """Find what a run or an index says it was made from, also when both have moved together.

    Args:
        named: a path of that time.
        beside: what says so: at each folder above it, whatever ends like the name is looked for.
        is_it: tells whether it is that.

    Returns:
        The first that is, of the longest ends of the name; None where there is none.
    """
    parts = [part for part in Path(named).parts if part != os.sep]
    ends = (Path(*parts[start:]) for start in range(len(parts)))
    above = beside.absolute().parents
    places = itertools.chain([Path(named)], (folder / end for end in ends for folder in above))
    return next((place for place in places if is_it(place)), None)


def is_run(path: Path) -> bool:
    """Say whether `find` would find a file there."""
    try:
        return is_file(find(path))
    except (CheckpointError, OSError):
        return False


def is_file(path: Path) -> bool:
    """Say whether a file is there; where we may not look, there is none."""
    try:
        return path.is_file()
    except OSError:
        return False


def is_held(folder: Path) -> bool:
    """Say whether a training holds a run's folder."""
    try:
        descriptor = os.open(folder / LOCK, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
