"""Our own training epochs, timed inside a real run, with other ways in turns."""

import contextlib
import io
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytorch_lightning as pl

from fashion_lab.benchmarks.timing import seconds, wait
from fashion_lab.config import compose
from fashion_lab.training import Training

TRAINING, WHOLE = "training", "whole"


class Turns(pl.Callback):
    """Times each epoch of the run but the first, and after it lets the other ways have theirs.

    Args:
        others: name to one epoch of another way.

    Attributes:
        times: seconds of each epoch: `TRAINING` is its steps, `WHOLE` with validation and checkpoints.
    """

    def __init__(self, others: Mapping[str, Callable[[], object]]) -> None:
        self.others = dict(others)
        self.times: dict[str, list[float]] = {name: [] for name in (TRAINING, WHOLE, *others)}
        self._started, self._elsewhere = 0.0, 0.0

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        wait(pl_module.device)
        now = time.perf_counter()
        if trainer.current_epoch > 1:
            self.times[WHOLE].append(now - self._started - self._elsewhere)
        self._started, self._elsewhere = now, 0.0

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.current_epoch == 0:
            return
        wait(pl_module.device)
        self.times[TRAINING].append(time.perf_counter() - self._started)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.current_epoch == 0:
            return
        was_training = pl_module.training
        for name, epoch in self.others.items():
            self.times[name].append(seconds(epoch))
            self._elsewhere += self.times[name][-1]
        pl_module.train(was_training)

    def medians(self) -> dict[str, float]:
        """Median seconds of an epoch; of those without a time nothing."""
        return {name: statistics.median(times) for name, times in self.times.items() if times}


def epochs_in_turns(
    overrides: Sequence[str],
    others: Mapping[str, Callable[[], object]],
    *,
    rounds: int,
    callbacks: Sequence[pl.Callback] = (),
) -> dict[str, float]:
    """Run a training with everything that is on by default, its bar too, and the others between its epochs.

    Returns:
        Median seconds of an epoch: ours as `TRAINING` and, from two rounds on, `WHOLE`; and of each other.
    """
    turns = Turns(others)
    with tempfile.TemporaryDirectory() as name, _quiet():
        cfg = compose("train", [f"folder={name}", f"trainer.max_epochs={rounds + 1}", *overrides])
        Training(cfg, Path(name), callbacks=[turns, *callbacks]).run()
    return turns.medians()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Hide what the run prints; its bar is drawn all the same, as in a terminal."""
    before = os.environ.get("FORCE_COLOR")
    os.environ["FORCE_COLOR"] = "1"
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        os.environ.pop("FORCE_COLOR") if before is None else os.environ.update(FORCE_COLOR=before)
