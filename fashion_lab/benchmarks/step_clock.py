"""A callback that tells another process when the training steps were done."""

import time
from pathlib import Path
from typing import Any

import pytorch_lightning as pl


class StepClock(pl.Callback):
    """Writes the time after each training step, in seconds since the epoch, as a line of a file.

    Args:
        path: that file.
        steps: stop the whole process after so many; None lets it go on to its end.
    """

    def __init__(self, *, path: str, steps: int | None = None) -> None:
        if steps is not None and steps < 1:
            raise ValueError(f"steps is {steps}; allowed is 1 or more, or null")
        self.path, self.steps = Path(path), steps

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Write a line."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(f"{time.time()!r}\n")
        if self.steps is not None and trainer.global_step >= self.steps:
            raise SystemExit(0)


def read_steps(path: Path) -> list[float]:
    """Read the times of a `StepClock`, in order."""
    return [float(line) for line in path.read_text(encoding="utf-8").split()]
