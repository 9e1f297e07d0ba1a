"""Pictures that grow: training begins with small ones, which cost less, and ends with whole ones.

Tan and Le 2021, "EfficientNetV2: Smaller Models and Faster Training", section 4. Validation always sees whole
ones.
"""

from collections.abc import Sequence
from typing import Any

import pytorch_lightning as pl
import torch.nn.functional as F
from torch import nn


class Grow(pl.Callback):
    """Shrinks the pictures of a training step, after their augmentation.

    Args:
        steps: rows of (share of the epochs from which on, pixels a side), in order; before the first one and
            at the pictures' own size nothing is shrunk.
    """

    def __init__(self, *, steps: Sequence[tuple[float, int]]) -> None:
        self.steps = steps
        self.size: int | None = None

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        network = pl_module.network
        assert isinstance(network, nn.Module)
        network.register_forward_pre_hook(self._shrunk)

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert trainer.max_epochs is not None
        done = trainer.current_epoch / trainer.max_epochs
        begun = [pixels for share, pixels in self.steps if share <= done]
        self.size = begun[-1] if begun else None

    def _shrunk(self, network: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...] | None:
        images_BCHW, *others = inputs
        if not network.training or self.size in (None, images_BCHW.shape[-1]):
            return None
        small = F.interpolate(images_BCHW, (self.size, self.size), mode="bilinear", antialias=True)
        return (small, *others)
