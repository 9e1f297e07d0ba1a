"""The files of a run, its checkpoints and its lock; without torch, so that a search can look first."""

import fcntl
import os
from pathlib import Path

FOLDER = "checkpoints"
BEST, LAST = "best.ckpt", "last.ckpt"
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
