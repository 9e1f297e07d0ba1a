"""Stage 2: an encoder whose distances mean "looks similar"."""

import torch
from torch import Tensor, nn

from fashion_lab.contracts.batch import GROUPS, IMAGES, LABELS, PRODUCTS, TRIPLETS, Batch
from fashion_lab.metrics.embedding import SUMMARY, triplet_summary
from fashion_lab.metrics.retrieval_metric import RetrievalMetrics
from fashion_lab.modules.base import OptimizerFactory, StageModule
from fashion_lab.modules.schedule import Schedule
from fashion_lab.modules.tuning import FineTuning
from fashion_lab.networks import SiameseNetwork

DEFAULT_MARGIN = 0.2  # says what is active where the loss has no margin; FaceNet's (Schroff et al. 2015, 3.2)
COLLAPSED_SPREAD = 1e-3  # assumption: embeddings this equal differ by rounding and little else
RESTING = 0.01  # share of the margin; a loss this close to it says that both distances are equal
PATIENCE = 2  # epochs; one may be an accident of a high learning rate


class CollapseError(ValueError):
    """All pictures get the same embedding; training on is of no use."""


class SiameseModule(StageModule):
    """Trains an encoder; logs retrieval on validation, and how the triplets and the embeddings spread.

    Args:
        network: the encoder in its wrapper.
        loss: called with (embeddings [B, D], labels [B], triplets [3, T]); may have a `margin`.
        optimizer: takes parameters (the loss's own too, e.g. proxies), gives an optimizer.
        schedule: the learning rate over the run.
        backbone_lr, layer_decay, freeze_epochs: see `FineTuning`.
    """

    def __init__(
        self,
        network: SiameseNetwork,
        *,
        loss: nn.Module,
        optimizer: OptimizerFactory,
        schedule: Schedule | None,
        backbone_lr: float = 1.0,
        layer_decay: float = 1.0,
        freeze_epochs: int = 0,
    ) -> None:
        tuning = FineTuning(backbone_lr=backbone_lr, layer_decay=layer_decay, freeze_epochs=freeze_epochs)
        super().__init__(network, optimizer=optimizer, schedule=schedule, tuning=tuning)
        self.network: SiameseNetwork
        self.loss = loss
        self.rests_at: float | None = getattr(loss, "margin", None)
        self.margin = DEFAULT_MARGIN if self.rests_at is None else self.rests_at
        self.by_class = RetrievalMetrics()
        self.by_product = RetrievalMetrics()
        self._summary_sum = torch.zeros(())
        self._collapsed_epochs = 0

    def forward(self, images: Tensor) -> Tensor:
        return self.network.get_embedding(images).float()

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        embeddings_BD = self.network.embed_batch(batch[IMAGES], batch[TRIPLETS]).float()
        # a loss that multiplies matrices (cosine similarities, proxies) would leave float32 under autocast
        with torch.autocast(embeddings_BD.device.type, enabled=False):
            loss: Tensor = self.loss(embeddings_BD, batch[LABELS], batch[TRIPLETS])
        self._summary_sum = self._summary_sum + triplet_summary(
            embeddings_BD.detach(), batch[TRIPLETS], self.margin
        )
        return self.count_loss(loss)

    def on_train_epoch_end(self) -> None:
        loss = float(self._loss_sum) / max(self._loss_steps, 1)
        values = (self._summary_sum / max(self._loss_steps, 1)).expand(len(SUMMARY)).tolist()
        summary = dict(zip(SUMMARY, values, strict=True))
        self.log_dict({f"train/{name}": value for name, value in summary.items()})
        self._summary_sum = torch.zeros(())
        super().on_train_epoch_end()
        self._stop_if_collapsed(loss, summary["spread"], summary["active_triplets"])

    def _stop_if_collapsed(self, loss: float, spread: float, active: float) -> None:
        margin = self.rests_at
        resting = margin is not None and abs(loss - margin) < RESTING * margin and active > 0.99
        collapsed = spread < COLLAPSED_SPREAD or resting
        self._collapsed_epochs = self._collapsed_epochs + 1 if collapsed else 0
        if self._collapsed_epochs >= PATIENCE:
            raise CollapseError(
                f"the embeddings have collapsed for {PATIENCE} epochs: their spread is {spread:.1e} and the "
                f"loss {loss:.4f} (margin {self.rests_at}). Likely causes: optimizer.lr too high; hard "
                "mining from scratch (start from a stage 1 run with ckpt=, or use loss=semi_hard); a margin "
                "that the embeddings cannot reach (with encoder.normalize distances end at 2)"
            )

    def validation_step(self, batch: Batch, batch_idx: int) -> Tensor:
        embeddings_BD: Tensor = self(batch[IMAGES])
        self.by_class.update(embeddings_BD, batch[LABELS], batch.get(GROUPS))
        if PRODUCTS in batch:
            self.by_product.update(embeddings_BD, batch[PRODUCTS])
        return embeddings_BD

    def on_validation_epoch_end(self) -> None:
        metrics = {f"val/{name}": value for name, value in self.by_class.compute().items()}
        if self.by_product.update_called:
            products = self.by_product.compute().items()
            metrics |= {f"val/product/{name}": value for name, value in products}
        self.log_dict(metrics)
        self.by_class.reset()
        self.by_product.reset()
