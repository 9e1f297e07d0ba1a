"""A trial of a search as its run sees it: the run reports how it goes, and hears whether to give up."""

import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import optuna

TRIAL = "FASHION_LAB_TRIAL"
"""In the environment of a search's job: number of its trial, and the study's file."""


class Trial:
    """One trial of a study on disk."""

    def __init__(self, study: Path, number: int) -> None:
        self.study, self.number = study, number

    def given_up(self, epoch: int, value: float) -> bool:
        """Note the monitored value after an epoch, and say whether the trial has no hope."""
        self._trial.report(value, epoch)
        return self._trial.should_prune()

    @cached_property
    def _trial(self) -> "optuna.trial.Trial":
        import optuna

        from fashion_lab.sweeps.study import load_study

        study = load_study(self.study)
        return optuna.trial.Trial(study, study.trials[self.number]._trial_id)


def trial_word(trial: Trial) -> str:
    """Write what a job must be told to find its trial, as `current_trial` reads it."""
    return f"{trial.number} {trial.study}"


def current_trial() -> Trial | None:
    """Find the trial that this job is; None outside of a search."""
    number, _, study = os.environ.get(TRIAL, "").partition(" ")
    return Trial(Path(study), int(number)) if study else None
