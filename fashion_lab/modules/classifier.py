"""Stage 1: a classifier of pictures."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torchmetrics import MeanMetric
from torchmetrics.classification import MulticlassConfusionMatrix

from fashion_lab.contracts.batch import IMAGES, LABELS, TARGETS, Batch
from fashion_lab.metrics.classification import class_weights, classification_metrics
from fashion_lab.modules.base import OptimizerFactory, StageModule
from fashion_lab.modules.distillation import Teacher
from fashion_lab.modules.schedule import Schedule
from fashion_lab.modules.tuning import FineTuning


class ClassifierModule(StageModule):
    """Trains a classifier; logs accuracy, macro recall, macro F1, each class's recall and the loss.

    Args:
        network: pictures to logits.
        loss: makes the loss; called with `weight=[C]` unless `class_weight_power` is 0.
        optimizer: takes parameters, gives an optimizer.
        schedule: the learning rate over the run.
        classes: C class names.
        class_counts: [C] training pictures of each class.
        class_weight_power: 0 weighs pictures alike, 1 classes alike.
        teacher: pictures to logits of the same classes, at rest; None learns from the labels alone.
        teacher_share: of its answers in the targets, see `Teacher`.
        backbone_lr, layer_decay, freeze_epochs: see `FineTuning`.
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        loss: Callable[..., nn.Module],
        optimizer: OptimizerFactory,
        schedule: Schedule | None,
        classes: Sequence[str],
        class_counts: Sequence[int],
        class_weight_power: float = 0.0,
        teacher: nn.Module | None = None,
        teacher_share: float = 0.7,
        backbone_lr: float = 1.0,
        layer_decay: float = 1.0,
        freeze_epochs: int = 0,
    ) -> None:
        tuning = FineTuning(backbone_lr=backbone_lr, layer_decay=layer_decay, freeze_epochs=freeze_epochs)
        super().__init__(network, optimizer=optimizer, schedule=schedule, tuning=tuning)
        if not 0 <= class_weight_power <= 1:
            raise ValueError(
                f"module.class_weight_power is {class_weight_power}; allowed is 0 (pictures) .. 1 (classes)"
            )
        counts = torch.tensor(class_counts)
        self.loss = loss(weight=class_weights(counts, class_weight_power)) if class_weight_power else loss()
        self.classes = list(classes)
        self.teacher = None if teacher is None else Teacher(teacher, share=teacher_share)
        self.confusion = MulticlassConfusionMatrix(len(self.classes), validate_args=False)
        self.eval_loss = MeanMetric()
        self.last_confusion: Tensor | None = None  # [C, C]: true classes, predicted ones

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.network(images)
        return logits.float()

    def on_fit_start(self) -> None:
        if self.teacher is not None:
            self.teacher.network.to(self.device)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        target = batch[TARGETS] if TARGETS in batch else batch[LABELS]
        if self.teacher is not None:
            target = self.teacher.targets(batch[IMAGES], target)
        loss: Tensor = self.loss(self(batch[IMAGES]), target)
        return self.count_loss(loss)

    def validation_step(self, batch: Batch, batch_idx: int) -> Tensor:
        logits: Tensor = self(batch[IMAGES])
        self.confusion.update(logits, batch[LABELS])
        self.eval_loss.update(self.loss(logits, batch[LABELS]), weight=self._weight_of(batch[LABELS]))
        return logits

    def _weight_of(self, labels: Tensor) -> Tensor | int:
        """What the loss of a batch was divided by."""
        weights: Tensor | None = getattr(self.loss, "weight", None)
        return len(labels) if weights is None else weights[labels].sum()

    def on_validation_epoch_end(self) -> None:
        self.last_confusion = self.confusion.compute().cpu()
        metrics = classification_metrics(self.last_confusion, self.classes)
        metrics["loss"] = float(self.eval_loss.compute())
        self.log_dict({f"val/{name}": value for name, value in metrics.items()})
        self.confusion.reset()
        self.eval_loss.reset()
