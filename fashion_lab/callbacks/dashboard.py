"""What TensorBoard shows of a run beside the metrics that the modules log."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers import Logger, TensorBoardLogger
from torch.utils.tensorboard import SummaryWriter

from fashion_lab.callbacks import boards
from fashion_lab.callbacks.augmented import augmented_sheet
from fashion_lab.callbacks.hyperparameters import hyperparameters, write_row
from fashion_lab.callbacks.showcase import Showcase, add_picture, show_confusion
from fashion_lab.contracts.catalog import Catalog
from fashion_lab.data.pixels import PixelStore
from fashion_lab.modules.base import StageModule, steps_per_epoch
from fashion_lab.modules.classifier import ClassifierModule

RATES = 100  # points of the learning rate's curve: enough for its shape, nothing to a step; assumption


class Dashboard(pl.Callback):
    """Writes charts, pictures, hyperparameters and the projector to TensorBoard; without its logger, nothing.

    While training: how the charts are laid out, the learning rate, the first batch as augmented, a confusion
    matrix now and then. At the end (`finish`): what the best checkpoint does.

    Args:
        confusion_every: epochs between two confusion matrices; the best checkpoint's comes anyway.
        per_class: pictures of each class with their predictions.
        queries: worst queries of stage 2; as many random ones are shown beside them.
        hits: hits of each query.
        points: pictures in the projector, at most.
    """

    def __init__(
        self,
        *,
        confusion_every: int = 10,
        per_class: int = 8,
        queries: int = 6,
        hits: int = 7,
        points: int = 1000,
    ) -> None:
        counts = {"per_class": per_class, "queries": queries, "hits": hits, "points": points}
        for name, value in {"confusion_every": confusion_every, **counts}.items():
            if value < 1:
                raise ValueError(f"callbacks.dashboard.{name} is {value}; allowed is 1 or more")
        self.confusion_every = confusion_every
        self.showcase = Showcase(**counts)
        self._writer: SummaryWriter | None = None
        self._rate_every, self._rate_logged = 1, -1

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Arrange the charts."""
        self._writer = writer_of(trainer.loggers)
        self._rate_every = math.ceil(steps_per_epoch(trainer) * max(trainer.max_epochs or 1, 1) / RATES)
        if self._writer is not None:
            self._writer.add_custom_scalars(boards.charts(isinstance(pl_module, ClassifierModule)))

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Log the learning rate about `RATES` times in a run, and show the very first batch."""
        step = trainer.global_step
        if self._writer is None or step % self._rate_every or step == self._rate_logged:
            return
        self._rate_logged = step
        for number, group in enumerate(trainer.optimizers[0].param_groups):
            self._writer.add_scalar(boards.RATE + (f"_{number}" if number else ""), group["lr"], step)
        if step == 0:
            names: Sequence[str] = trainer.datamodule.learned_names  # type: ignore[attr-defined]
            add_picture(self._writer, boards.AUGMENTED, augmented_sheet(batch, names), step)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Show the confusion matrix of this epoch where it is due."""
        epoch = trainer.current_epoch + 1
        if (
            self._writer is None
            or epoch % self.confusion_every
            or not isinstance(pl_module, ClassifierModule)
        ):
            return
        assert pl_module.last_confusion is not None, "validation has not ended"
        show_confusion(
            self._writer,
            boards.CONFUSION,
            pl_module.last_confusion,
            pl_module.classes,
            f"validation, epoch {epoch}",
            max(0, trainer.global_step - 1),
        )

    def finish(
        self,
        module: StageModule,
        catalog: Catalog,
        store: PixelStore,
        *,
        best: Mapping[str, Any],
        config: Mapping[str, Any],
        overrides: Sequence[str],
        metrics: Mapping[str, float],
    ) -> None:
        """Show what the best checkpoint does, once its weights are in the module and it has been evaluated.

        Args:
            module: holds the best weights.
            catalog: labels and names.
            store: its pixels.
            best: the checkpoint, for its `epoch` and `global_step`.
            config: the run's whole config, resolved.
            overrides: what the command line said.
            metrics: the run's final metrics.
        """
        if self._writer is None:
            return
        epoch, step = int(best["epoch"]) + 1, max(0, int(best["global_step"]) - 1)  # as Lightning counts
        values = hyperparameters(config, catalog=catalog.name, overrides=overrides)
        write_row(self._writer, values, metrics, step)
        with torch.inference_mode():
            self.showcase.show(self._writer, module, catalog, store, epoch=epoch, step=step)
        self._writer.close()


def writer_of(loggers: Sequence[Logger]) -> SummaryWriter | None:
    """Find the run's TensorBoard writer."""
    for logger in loggers:
        if isinstance(logger, TensorBoardLogger):
            writer: SummaryWriter = logger.experiment
            return writer
    return None
