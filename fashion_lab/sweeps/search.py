"""A search: draw, run, tell, up to the total; then plots, and the command that repeats the best."""

import logging
import math
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import optuna
from hydra.core.utils import JobReturn, JobStatus
from optuna.trial import TrialState

from fashion_lab.commandline import quoted
from fashion_lab.jobs import Pruned
from fashion_lab.sweeps.plots import write_plots
from fashion_lab.sweeps.space import Space
from fashion_lab.sweeps.study import begin_session, done, drawn, held_study, open_study, words_of
from fashion_lab.sweeps.trials import TRIAL, Trial, trial_word

log = logging.getLogger(__name__)

Launch = Callable[[Sequence[str], int], JobReturn]


@dataclass(frozen=True)
class Search:
    """What is searched, and how long.

    Attributes:
        words: of the command line, which every run has.
        recipe: digest of what they make of the config.
        space: what is drawn.
        metric: the monitored metric, which a run returns.
        mode: `min` or `max`.
        trials: total over all sessions.
        seed: of the sampler.
        startup: random trials before TPE begins.
        pruner: see `open_study`.
    """

    words: Sequence[str]
    recipe: str
    space: Space
    metric: str
    mode: str
    trials: int
    seed: int
    startup: int
    pruner: Mapping[str, int] | None

    @property
    def settings(self) -> dict[str, Any]:
        """What belongs to a study for good."""
        space = {key: _plain(asdict(node)) for key, node in self.space.items()}
        return {"recipe": self.recipe, "space": space, "words": list(self.words)}

    def run(self, folder: Path, launch: Launch) -> list[JobReturn]:
        """Run the trials that are still to be run; an interrupt leaves the study as it is.

        Args:
            folder: of the sweep.
            launch: runs one job of these words and this number.

        Raises:
            Exception: that of the first failed job, at the end.
        """
        with held_study(folder) as path:
            study = open_study(path, mode=self.mode, settings=self.settings, pruner=self.pruner)
            begin_session(study, seed=self.seed, startup=self.startup)
            if (before := done(study)) > 0:
                log.info("%d of %d trials were done before", before, self.trials)
            jobs = []
            while done(study) < self.trials:
                jobs.append(self._one(study, path, launch))
            self._finish(study, folder)
        for job in jobs:
            if job.status == JobStatus.FAILED and not isinstance(job._return_value, Pruned):
                _ = job.return_value  # raises what the job raised
        return jobs

    def _one(self, study: optuna.Study, path: Path, launch: Launch) -> JobReturn:
        trial = study.ask()
        try:
            words = [*self.words, *drawn(trial, self.space)]
            told = trial_word(Trial(path.resolve(), trial.number))
            job = launch([*words, f"+hydra.job.env_set.{TRIAL}={quoted(told)}"], trial.number)
        except BaseException:
            study.tell(trial, state=TrialState.FAIL)
            raise
        trial.set_user_attr("folder", _folder(job))
        value = None if job.status == JobStatus.FAILED else float(job.return_value)
        if value is not None and math.isfinite(value):
            study.tell(trial, value)
        else:
            is_pruned = isinstance(job._return_value, Pruned)
            study.tell(trial, state=TrialState.PRUNED if is_pruned else TrialState.FAIL)
        return job

    def _finish(self, study: optuna.Study, folder: Path) -> None:
        complete = study.get_trials(states=[TrialState.COMPLETE])
        if not complete:
            log.warning("no trial was finished: nothing to choose from")
            return
        best = study.best_trial
        recipe = [word for word in self.words if not word.startswith("sweep=")]
        where = best.user_attrs.get("folder")
        log.info("best of %d trials: %s %.4f in %s", done(study), self.metric, best.value, where)
        words = shlex.join([*recipe, *words_of(best, self.space)])
        log.info("repeat it:\n  python -m fashion_lab.train %s seeds=5", words)
        for path in write_plots(study, folder / "study", self.metric):
            log.info("plot: %s", path)


def _folder(job: JobReturn) -> str | None:
    return None if job.hydra_cfg is None else str(job.hydra_cfg.hydra.runtime.output_dir)


def _plain(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {key: list(value) if isinstance(value, tuple) else value for key, value in fields.items()}
