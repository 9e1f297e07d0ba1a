"""Continuing an interrupted run: its own config, its last checkpoint, and what may differ from before."""

import fcntl
import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from fashion_lab.checkpoint import RECORD, plain_config, read, sweep
from fashion_lab.config import ConfigError
from fashion_lab.folders import relocated
from fashion_lab.results import RESULT
from fashion_lab.run_files import BEST, FOLDER, LAST, LOCK, CheckpointError
from fashion_lab.schema import OF_THE_PLACE, is_among

log = logging.getLogger(__name__)

MAY_CHANGE = tuple(key for key in OF_THE_PLACE if key not in ("folder", "logger", "resume"))
"""What is no part of the recipe (other threads round otherwise); all else belongs to the run."""


def last_checkpoint(folder: Path) -> Path:
    """The newest checkpoint of a run that is whole: the last one, or the best where the last is damaged.

    Raises:
        ConfigError: the run is finished, or has no checkpoint.
    """
    if (folder / RESULT).exists():
        raise ConfigError(f"resume={folder}: the run is finished ({RESULT} is there); start a new one")
    damaged: CheckpointError | None = None
    for name in (LAST, BEST):
        path = folder / FOLDER / name
        if not path.is_file():
            continue
        try:
            read(path)
        except CheckpointError as error:
            log.warning("%s; trying the other checkpoint of the run", error)
            damaged = error
        else:
            return path
    raise damaged or ConfigError(
        f"resume={folder}: no {FOLDER}/{LAST}; it stopped before its first epoch ended, start it anew"
    )


def resumed_config(checkpoint: Path, folder: Path, overrides: Sequence[str]) -> DictConfig:
    """The config that the run was started with, in its present folder, with what the command line may change.

    Whom to trust is never taken from a checkpoint: a run with code of its own needs `trusted=` every time.

    Raises:
        ConfigError: the command line changes what belongs to the run.
    """
    config = plain_config(read(checkpoint)[RECORD], checkpoint)
    moved = relocated(config, config["folder"], str(folder))
    cfg: DictConfig = OmegaConf.create({**moved, "trusted": []})
    for override in overrides:
        key, _, value = override.lstrip("+~").partition("=")
        if key == "resume":
            continue
        if not may_change(key):
            raise ConfigError(
                f"{override} cannot change on resume: the run was started with "
                f"{key}={OmegaConf.select(cfg, key)}; leave it out, or start a new run. "
                f"What may change: {', '.join(MAY_CHANGE)}"
            )
        log.warning("resume: %s was %s, is now %s", key, OmegaConf.select(cfg, key), value)
        OmegaConf.update(cfg, key, OmegaConf.create(f"x: {value}").x)
    return cfg


def may_change(key: str) -> bool:
    """Say whether a setting may differ from what a run was started with."""
    return is_among(key, MAY_CHANGE)


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold a run's folder, swept of what a kill left: a second process that wants it gets an error.

    The hold ends with the process.
    """
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder / LOCK, os.O_CREAT | os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise ConfigError(
            f"{folder} is in use by another training; wait for it, or start a run of its own"
        ) from None
    try:
        sweep(folder)
        yield
    finally:
        os.close(descriptor)
