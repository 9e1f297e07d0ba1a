"""What the modules of both stages share: optimizer, schedule, and the mean loss of an epoch."""

import math
from collections.abc import Callable, Iterable
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torch.optim import Optimizer

from fashion_lab.modules.schedule import Schedule
from fashion_lab.modules.tuning import FineTuning, find_backbone, make_optimizer

OptimizerFactory = Callable[[Iterable[nn.Parameter] | Iterable[dict[str, Any]]], Optimizer]


class DivergedError(ValueError):
    """The loss is not a number any more; training on is of no use."""


class StageModule(pl.LightningModule):
    """A network with its optimizer; the subclasses say what a step is.

    Args:
        network: what is trained; its weights appear in checkpoints under `network.`.
        optimizer: takes parameters, gives an optimizer.
        schedule: the learning rate over the run; None keeps it constant.
        tuning: how the backbone is trained.
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        optimizer: OptimizerFactory,
        schedule: Schedule | None,
        tuning: FineTuning,
    ) -> None:
        super().__init__()
        self.network = network
        self.tuning = tuning
        self.optimizer_factory = optimizer
        self.schedule = schedule
        self._loss_sum: Tensor | float = 0.0
        self._loss_steps = 0

    def configure_optimizers(self) -> OptimizerLRScheduler:
        learning = (p for p in self.parameters() if p.requires_grad)
        groups = self.tuning.groups(learning, find_backbone(self.network))
        optimizer = make_optimizer(self.optimizer_factory, groups)
        if self.schedule is None:
            return optimizer
        epochs = self.trainer.max_epochs or 1
        scheduler = self.schedule.start(
            optimizer, steps=epochs * steps_per_epoch(self.trainer), epochs=epochs
        )
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": scheduler, "interval": self.schedule.interval},
        }

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        if self.tuning.freeze_epochs:
            self.tuning.hold(find_backbone(self.network), self.current_epoch)

    def configure_gradient_clipping(
        self,
        optimizer: Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Clip the norm, also for a fused optimizer under bf16, where Lightning refuses."""
        scaler = getattr(self.trainer.precision_plugin, "scaler", None)
        if gradient_clip_val and scaler is None and gradient_clip_algorithm in (None, "norm"):
            nn.utils.clip_grad_norm_(self.parameters(), gradient_clip_val)
        else:
            self.clip_gradients(optimizer, gradient_clip_val, gradient_clip_algorithm)

    def count_loss(self, loss: Tensor) -> Tensor:
        """Remember a step's loss for the epoch's mean; costs one addition, no synchronisation."""
        self._loss_sum = self._loss_sum + loss.detach()
        self._loss_steps += 1
        return loss

    def on_train_epoch_end(self) -> None:
        loss = float(self._loss_sum) / max(self._loss_steps, 1)
        if not math.isfinite(loss):
            raise DivergedError(
                f"the loss was {loss} in epoch {self.current_epoch}: training has diverged; checkpoints of "
                "earlier epochs stay. Likely causes: optimizer.lr too high; trainer.gradient_clip_val=null; "
                "16-bit overflow (try trainer.precision=32-true)"
            )
        self.log("train/loss", loss)
        self._loss_sum, self._loss_steps = 0.0, 0


def steps_per_epoch(trainer: pl.Trainer) -> int:
    """Count the optimizer steps of an epoch.

    Lightning's `estimated_stepping_batches` sets up the loaders before a checkpoint is restored, then never
    gives them their state: a run that stopped in the middle of an epoch would start that epoch anew.
    """
    batches = len(trainer.datamodule.train_dataloader())  # type: ignore[attr-defined]
    limit = trainer.limit_train_batches
    batches = min(limit, batches) if isinstance(limit, int) else int(limit * batches)
    return max(1, math.ceil(batches / trainer.accumulate_grad_batches))
