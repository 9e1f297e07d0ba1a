from functools import partial

import pytest
import torch
from torch import nn
from toys import ToyCatalog, quiet_trainer, toy_backbone, toy_data

from fashion_lab.contracts.batch import IMAGES, LABELS, TARGETS
from fashion_lab.metrics.classification import class_weights
from fashion_lab.modules.base import DivergedError
from fashion_lab.modules.classifier import ClassifierModule
from fashion_lab.networks import MobileNetLikeClassifier

COUNTS = [100, 10, 40]


def module(lr=0.01, loss=nn.CrossEntropyLoss, **options):
    torch.manual_seed(0)
    return ClassifierModule(
        MobileNetLikeClassifier(3, toy_backbone()),
        **{
            "loss": loss,
            "optimizer": partial(torch.optim.AdamW, lr=lr),
            "schedule": None,
            "classes": ToyCatalog().classes,
            "class_counts": COUNTS,
        }
        | options,
    )


def batch():
    torch.manual_seed(1)
    return {IMAGES: torch.randn(6, 3, 16, 16), LABELS: torch.tensor([0, 1, 2, 1, 0, 0])}


def test_a_fit_logs_what_is_promised_and_learns():
    trainer, source = quiet_trainer(max_epochs=30), toy_data(ToyCatalog(per_class=12))
    trainer.fit(module(), datamodule=source)
    named = {
        "accuracy",
        "macro_recall",
        "macro_f1",
        "loss",
        "recall/class 0",
        "recall/class 1",
        "recall/class 2",
    }
    assert set(trainer.callback_metrics) == {f"val/{name}" for name in named} | {"train/loss"}
    assert trainer.callback_metrics["val/accuracy"] == 1
    assert trainer.callback_metrics["train/loss"] < 0.5


@pytest.mark.parametrize("power", [0.0, 0.5])
def test_validation_is_that_of_a_naive_loop(power):
    ours, trainer = module(class_weight_power=power), quiet_trainer()
    source = toy_data(ToyCatalog(per_class=12))
    (metrics,) = trainer.validate(ours, datamodule=source, verbose=False)
    rows = source.splits["validation"]
    images = torch.from_numpy(source.catalog.pixels[rows]).float() / 127.5 - 1
    with torch.no_grad():
        logits, labels = ours.eval()(images), torch.from_numpy(source.catalog.labels[rows])
    assert metrics["val/accuracy"] == pytest.approx(float((logits.argmax(1) == labels).float().mean()))
    weight = class_weights(torch.tensor(COUNTS), power) if power else None
    loss = float(nn.functional.cross_entropy(logits, labels, weight=weight))
    assert metrics["val/loss"] == pytest.approx(loss, abs=1e-5)
    assert ours.last_confusion.sum() == len(rows)


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0])
def test_class_weights_reach_the_loss(power):
    ours = module(class_weight_power=power)
    weight = class_weights(torch.tensor(COUNTS), power) if power else None
    given = batch()
    with torch.no_grad():
        expected = nn.functional.cross_entropy(ours(given[IMAGES]), given[LABELS], weight=weight)
        torch.testing.assert_close(ours.training_step(given, 0), expected)


def test_loss_options_stay_beside_the_weights():
    ours = module(loss=partial(nn.CrossEntropyLoss, label_smoothing=0.1), class_weight_power=1.0)
    assert ours.loss.label_smoothing == 0.1
    assert ours.loss.weight is not None


def test_mixed_targets_are_learned_from():
    ours, given = module(), batch()
    targets = torch.rand(6, 3).softmax(1)
    with torch.no_grad():
        log_probabilities = ours(given[IMAGES]).log_softmax(1)
        loss = ours.training_step(given | {TARGETS: targets}, 0)
    torch.testing.assert_close(loss, -(targets * log_probabilities).sum(1).mean())


def test_a_fit_with_mixing_and_weights():
    trainer = quiet_trainer(max_epochs=1)
    trainer.fit(module(class_weight_power=0.5), datamodule=toy_data(mixup=0.4))
    assert trainer.callback_metrics["train/loss"].isfinite()


def test_train_loss_is_the_mean_of_an_epochs_steps():
    losses = []

    class Spy(ClassifierModule):
        def training_step(self, batch, batch_idx):
            loss = super().training_step(batch, batch_idx)
            losses.append(float(loss.detach()))
            return loss

    ours = module()
    ours.__class__ = Spy
    trainer = quiet_trainer(max_epochs=2)
    trainer.fit(ours, datamodule=toy_data())
    assert len(losses) == 4
    assert float(trainer.callback_metrics["train/loss"]) == pytest.approx(sum(losses[2:]) / 2)


def test_bf16_loss_is_float32():
    ours = module()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = ours.training_step(batch(), 0)
    assert loss.dtype == torch.float32


def test_a_diverged_run_stops():
    class Diverging(nn.CrossEntropyLoss):
        def forward(self, logits, target):
            return super().forward(logits, target) * float("nan")

    trainer = quiet_trainer(max_epochs=5)
    with pytest.raises(DivergedError, match=r"the loss was nan in epoch 0.*optimizer\.lr too high"):
        trainer.fit(module(loss=Diverging), datamodule=toy_data())
    assert trainer.current_epoch == 0


@pytest.mark.parametrize("power", [-0.1, 1.5])
def test_powers_that_cannot_be(power):
    with pytest.raises(ValueError, match=rf"module\.class_weight_power is {power}"):
        module(class_weight_power=power)


def test_a_class_without_pictures():
    with pytest.raises(ValueError, match=r"\[5, 0, 5\]; a class without training pictures"):
        module(class_counts=[5, 0, 5], class_weight_power=0.5)
    module(class_counts=[5, 0, 5])
