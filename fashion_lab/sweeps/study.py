"""An Optuna study in a sweep's folder: opened again as it was left, with trials up to a total."""

import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.pool import NullPool

from fashion_lab.folders import try_lock
from fashion_lab.problems import ConfigError
from fashion_lab.sweeps.space import Choices, Space, as_word

STUDY = "study.db"
NAME = "search"
RETRY = "retry_of"
"""Attribute of a trial that tries a failed one again: its number."""

OVER = (TrialState.COMPLETE, TrialState.PRUNED)
"""States of trials that say something about a space; of a study without any nothing is kept."""

BUSY = 60.0  # seconds to wait for another process that writes into the file; assumption


@contextmanager
def held_study(folder: Path) -> Iterator[Path]:
    """Hold the study of a sweep's folder; yields its file.

    Raises:
        ConfigError: another process searches there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder / f"{STUDY}.lock", os.O_RDWR | os.O_CREAT, 0o666)
    try:
        if not try_lock(descriptor):
            raise ConfigError(
                f"{folder}: another process searches there; wait for it, or give another hydra.sweep.dir="
            )
        yield folder / STUDY
    finally:
        os.close(descriptor)


def open_study(
    path: Path, *, mode: str, settings: Mapping[str, Any], pruner: Mapping[str, int] | None
) -> optuna.Study:
    """Open or begin a study; trials that a killed process left running become failed ones.

    Args:
        path: its file.
        mode: `min` or `max`.
        settings: recipe and space, which belong to the study for good.
        pruner: trials and epochs before a run may be given up; None: none ever is.

    Raises:
        ConfigError: the study there has other settings.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        study_name=NAME,
        storage=_storage(path),
        direction="minimize" if mode == "min" else "maximize",
        load_if_exists=True,
    )
    known = study.user_attrs.get("settings")
    if known is not None and known != settings:
        if any(trial.state in OVER for trial in study.trials):
            raise ConfigError(_changed(path.parent, known, settings))
        optuna.delete_study(study_name=NAME, storage=study._storage)
        return open_study(path, mode=mode, settings=settings, pruner=pruner)
    study.set_user_attr("settings", dict(settings))
    study.set_user_attr("pruner", None if pruner is None else dict(pruner))
    for trial in study.get_trials(states=[TrialState.RUNNING]):
        study.tell(trial.number, state=TrialState.FAIL)
    return load_study(path)


def load_study(path: Path) -> optuna.Study:
    """Load a study with the pruner that it was opened with."""
    study = optuna.load_study(study_name=NAME, storage=_storage(path))
    settings = study.user_attrs["pruner"]
    if settings is not None:
        study.pruner = optuna.pruners.MedianPruner(settings["startup"], settings["warmup"])
    else:
        study.pruner = optuna.pruners.NopPruner()
    return study


def _storage(path: Path) -> optuna.storages.RDBStorage:
    """A file opened by its path: in an address, a `?` in a folder's name would end it."""
    arguments = {"creator": lambda: sqlite3.connect(path, timeout=BUSY), "poolclass": NullPool}
    return optuna.storages.RDBStorage("sqlite://", engine_kwargs=arguments)


def _changed(folder: Path, known: Mapping[str, Any], given: Mapping[str, Any]) -> str:
    keys = known["space"].keys() | given["space"].keys()
    names = sorted(key for key in keys if known["space"].get(key) != given["space"].get(key))
    what = f"the space of {', '.join(names)}" if names else "the recipe"
    return (
        f"{folder}/{STUDY} searches with other settings: {what} differs (it was begun with "
        f"{' '.join(known['words']) or 'no words'}); give the same, or another folder: hydra.sweep.dir=..."
    )


def begin_session(study: optuna.Study, *, seed: int, startup: int) -> None:
    """Draw on where the last session ended, and try its failed trials again first.

    A sampler with the same seed would draw the same points again: its seed moves on with the trials.
    """
    study.sampler = optuna.samplers.TPESampler(seed=seed + len(study.trials), n_startup_trials=startup)
    for trial in standing(study.trials):
        if trial.state == TrialState.FAIL:
            study.enqueue_trial(trial.params, user_attrs={RETRY: trial.number})


def standing(trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """Trials that no later one tries again."""
    again = {trial.user_attrs.get(RETRY) for trial in trials}
    return [trial for trial in trials if trial.number not in again]


def done(study: optuna.Study) -> int:
    """Count the trials of all sessions that are over and stand."""
    return sum(trial.state.is_finished() for trial in standing(study.trials))


def drawn(trial: optuna.Trial, space: Space) -> list[str]:
    """Draw a value for each setting; gives the words of a command line."""
    words = []
    for key, node in space.items():
        value: str | float
        if isinstance(node, Choices):
            value = str(trial.suggest_categorical(key, node.words))
        elif node.is_whole and isinstance(node.step, int | None):
            value = trial.suggest_int(key, int(node.low), int(node.high), step=node.step or 1, log=node.log)
        else:
            value = trial.suggest_float(key, node.low, node.high, step=node.step, log=node.log)
        words.append(f"{key}={value if isinstance(node, Choices) else as_word(value)}")
    return words


def words_of(trial: FrozenTrial, space: Space) -> list[str]:
    """The words that a finished trial was run with."""
    return [
        f"{key}={value if isinstance(space[key], Choices) else as_word(value)}"
        for key, value in trial.params.items()
    ]
