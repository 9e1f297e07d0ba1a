"""What makes a training a run: its record in every checkpoint, and an orderly end when it is interrupted."""

import signal
import time
from pathlib import Path
from types import FrameType
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities.types import STEP_OUTPUT

from fashion_lab.checkpoint import RECORD, Record
from fashion_lab.run_files import FOLDER, LAST

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class WriteRecord(pl.Callback):
    """Puts the run's record into every checkpoint, so that it can be loaded without another file."""

    def __init__(self, record: Record) -> None:
        self.record = record

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        checkpoint[RECORD] = dict(self.record)


class SeedSteps(pl.Callback):
    """Seeds torch before each batch from (seed, batch): dropout too goes on as if uninterrupted."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        of_a_step = trainer.accumulate_grad_batches
        seed = self.seed * 1_000_003 + trainer.global_step * of_a_step + batch_idx % of_a_step
        if pl_module.device.type == "cpu":
            torch.default_generator.manual_seed(seed)
        else:  # where no device has started, each call would be queued for it, with its traceback
            torch.manual_seed(seed)


class Clock(pl.Callback):
    """How long a run has taken, the times before it was continued included.

    What was done after the checkpoint that it went on from is lost, and does not count.

    Args:
        started: `time.monotonic()` when the run was started or continued.
    """

    def __init__(self, started: float) -> None:
        self._started = started
        self._fit_started: float | None = None
        self._fit = 0.0
        self._before = {"total": 0.0, "fit": 0.0}

    def seconds(self) -> dict[str, float]:
        """Seconds in all, and of them in `Trainer.fit`."""
        now = time.monotonic()
        fit = self._fit if self._fit_started is None else now - self._fit_started
        return {"total": self._before["total"] + now - self._started, "fit": self._before["fit"] + fit}

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        self._fit_started = time.monotonic()

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        assert self._fit_started is not None
        self._fit, self._fit_started = time.monotonic() - self._fit_started, None

    def state_dict(self) -> dict[str, float]:
        return self.seconds()

    def load_state_dict(self, state_dict: dict[str, float]) -> None:
        self._before = state_dict


class StopOnSignal(pl.Callback):
    """On SIGTERM or Ctrl-C finishes the step, saves `last.ckpt`, exits 143 or 130; a second exits at once.

    A save after the last step of an epoch would miss the validation that follows, so that epoch is finished
    first: its end writes `last.ckpt` as always.

    It remembers from its making to `release` who heard the signals before: Lightning tears its own handlers
    down first, so a callback that gives back what it found at the start would leave those behind.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.received: int | None = None
        self._before = {number: signal.getsignal(number) for number in SIGNALS}

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        for number in SIGNALS:
            signal.signal(number, self._receive)

    def release(self) -> None:
        """Give the signals back to whom they went before the training."""
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if self.received is not None:
            raise SystemExit(128 + number)
        self.received = number

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: STEP_OUTPUT,
        batch: Any,
        batch_idx: int,
    ) -> None:
        ends_a_step = (batch_idx + 1) % trainer.accumulate_grad_batches == 0
        if self.received is not None and ends_a_step and not trainer.is_last_batch:
            trainer.save_checkpoint(self.folder / FOLDER / LAST)
            self._stop(trainer)

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self.received is not None:
            self._stop(trainer)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self.received is not None:
            self._stop(trainer)

    def _stop(self, trainer: pl.Trainer) -> None:
        assert self.received is not None
        name = signal.Signals(self.received).name
        print(
            f"\nstopped by {name} after step {trainer.global_step}; go on with\n"
            f"  python -m fashion_lab.train resume={self.folder}",
            flush=True,
        )
        raise SystemExit(128 + self.received)
