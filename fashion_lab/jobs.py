"""What becomes of a verb's jobs: why one failed, kept in its folder, and where a sweep's jobs are."""

import contextlib
import functools
import logging
import traceback
from collections.abc import Callable
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from fashion_lab import pipes

log = logging.getLogger(__name__)

ERROR = "error.txt"
"""In the folder of a failed job: what was wrong in one line, then the traceback."""


PRUNED = "pruned.txt"
"""In the folder of a job that was given up: why, in one line."""


class Pruned(Exception):
    """A job of a search was given up as hopeless: neither failed nor finished."""


class Jobs:
    """Watches the jobs of one command; `error.txt` is for verbs whose jobs have folders of their own.

    Args:
        explain: says in a line what an exception means for the user.
        tell: ends the process with that line, if the exception is one for users.
    """

    def __init__(self, explain: Callable[[Exception], str], tell: Callable[[Exception], None]) -> None:
        self.explain, self.tell = explain, tell
        self.started, self.failed = 0, 0
        self.sweeps: list[Path] = []

    def watched(self, task: Callable[[DictConfig], object]) -> Callable[[DictConfig], object]:
        """The same task, with an account of how it failed; a sweep goes on, a single job ends the process."""

        @functools.wraps(task)
        def job(cfg: DictConfig) -> object:
            settings = HydraConfig.get()
            folder = None if settings.output_subdir is None else Path(settings.runtime.output_dir)
            is_sweep = settings.mode == RunMode.MULTIRUN
            self._started(folder, Path(settings.sweep.dir) if is_sweep else None)
            try:
                return task(cfg)
            except Pruned as reason:
                log.info("pruned: %s", reason)
                if folder is not None:
                    (folder / PRUNED).write_text(f"{reason}\n")
                _let_go(reason)
                raise
            except Exception as error:
                pipes.end_if_closed(error)  # a sweep, too: each of its jobs would fail so
                self._failed(folder, error)
                if is_sweep:
                    log.error("failed: %s", self.explain(error))
                    _let_go(error)
                else:
                    self.tell(error)  # Hydra would print the overrides first
                raise

        return job

    def _started(self, folder: Path | None, sweep: Path | None) -> None:
        self.started += 1
        if sweep is not None and sweep not in self.sweeps:  # ${stage} in its name: there may be several
            self.sweeps.append(sweep)
        if folder is not None:
            (folder / ERROR).unlink(missing_ok=True)

    def _failed(self, folder: Path | None, error: Exception) -> None:
        self.failed += 1
        if folder is None:
            return
        line = " ".join(self.explain(error).split())
        with contextlib.suppress(OSError):  # a full disk must not hide what went wrong
            (folder / ERROR).write_text(f"{line}\n\n{''.join(traceback.format_exception(error))}")

    def verdict(self) -> str | None:
        """What to say at the end of a sweep with failed jobs; None where there is nothing to add."""
        if not self.sweeps or not self.failed:
            return None
        return f"error: {self.failed} of {self.started} jobs failed; each one's {ERROR} says where"


def _let_go(error: BaseException | None) -> None:
    """Free what the frames of an exception hold: Hydra keeps it, and so the model, until the sweep ends."""
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__
