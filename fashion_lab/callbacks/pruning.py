"""Gives up a run of a search that has no hope of becoming one of the good ones."""

from collections.abc import Callable

import pytorch_lightning as pl

from fashion_lab.jobs import Pruned


class Pruning(pl.Callback):
    """Reports the monitored metric after each validation, and ends the run if it is given up for that.

    Args:
        given_up: told (epoch, value), says whether the run should end.
        monitor: name of the logged metric.

    Raises:
        Pruned: from the hook, where the run is given up.
    """

    def __init__(self, given_up: Callable[[int, float], bool], *, monitor: str) -> None:
        self.given_up, self.monitor = given_up, monitor

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.sanity_checking:
            return
        epoch, value = trainer.current_epoch, float(trainer.callback_metrics[self.monitor])
        if self.given_up(epoch, value):
            raise Pruned(f"{self.monitor} {value:.4f} after epoch {epoch + 1} of {trainer.max_epochs}")
