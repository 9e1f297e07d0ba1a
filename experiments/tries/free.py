"""Schedule-free AdamW in Lightning: its averaged weights are measured and saved, the others trained.

Defazio et al. 2024, "The Road Less Scheduled"; package schedulefree 1.4.1, whose optimizer must be told which
weights are wanted.
"""

import pytorch_lightning as pl
from schedulefree import AdamWScheduleFree

__all__ = ["AdamWScheduleFree", "Switch"]


class Switch(pl.Callback):
    """Gives the network its trained weights in training, the averaged ones from each validation on."""

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        for optimizer in trainer.optimizers:
            optimizer.train()

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        for optimizer in trainer.optimizers:
            optimizer.eval()
