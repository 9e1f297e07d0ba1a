from functools import partial

import pytest
import pytorch_lightning as pl
import torch
from torch import nn
from torch.optim.lr_scheduler import CosineAnnealingLR, OneCycleLR, StepLR
from toys import ToyCatalog, quiet_trainer, toy_backbone, toy_data

from fashion_lab.modules.classifier import ClassifierModule
from fashion_lab.modules.schedule import Schedule
from fashion_lab.networks import MobileNetLikeClassifier

LR = 0.1
ONE_CYCLE = partial(OneCycleLR, max_lr=LR, pct_start=0.2, cycle_momentum=False)


class Rates(pl.Callback):
    """The learning rate of every optimizer step."""

    def __init__(self):
        self.seen = []

    def on_before_optimizer_step(self, trainer, pl_module, optimizer):
        self.seen.append(optimizer.param_groups[0]["lr"])


def rates(schedule, epochs=3, **options):
    catalog, watch = ToyCatalog(), Rates()
    module = ClassifierModule(
        MobileNetLikeClassifier(3, toy_backbone()),
        loss=nn.CrossEntropyLoss,
        optimizer=partial(torch.optim.SGD, lr=LR),
        schedule=schedule,
        classes=catalog.classes,
        class_counts=[3, 3, 3],
    )
    trainer = quiet_trainer(max_epochs=epochs, callbacks=[watch], limit_val_batches=0, **options)
    trainer.fit(module, datamodule=toy_data(catalog))
    return watch.seen


# 9 training pictures in batches of 4 are 2 batches: 4 and 5
@pytest.mark.parametrize(
    ("options", "steps"), [({}, 6), ({"accumulate_grad_batches": 2}, 3), ({"limit_train_batches": 1}, 3)]
)
def test_one_cycle_ends_with_the_run(options, steps):
    seen = rates(Schedule(scheduler=ONE_CYCLE, interval="step", length="total_steps"), **options)
    reference = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=LR)
    scheduler, expected = ONE_CYCLE(reference, total_steps=steps), []
    for _ in range(steps):
        expected.append(reference.param_groups[0]["lr"])
        reference.step()
        scheduler.step()
    assert seen == pytest.approx(expected)
    assert seen[-1] < LR * 1e-3 < LR * 0.9 < max(seen)


def test_cosine_by_step():
    schedule = Schedule(scheduler=CosineAnnealingLR, interval="step", length="T_max")
    seen = rates(schedule)
    assert seen[0] == LR
    assert seen == sorted(seen, reverse=True)
    assert seen[3] == pytest.approx(LR / 2)
    assert seen[-1] == pytest.approx(LR * 0.067, rel=1e-2)  # (1 + cos(pi 5 / 6)) / 2


def test_cosine_by_epoch():
    seen = rates(Schedule(scheduler=CosineAnnealingLR, interval="epoch", length="T_max"))
    assert seen == pytest.approx([LR, LR, LR * 0.75, LR * 0.75, LR * 0.25, LR * 0.25])


@pytest.mark.parametrize(("step_size", "expected"), [(2, [1, 1, 1, 1, 0.1, 0.1]), (5, [1] * 6)])
def test_step_lr_counts_epochs(step_size, expected):
    """With a step size of the whole run it never acts: the notebook's."""
    schedule = Schedule(scheduler=partial(StepLR, step_size=step_size, gamma=0.1), interval="epoch")
    assert rates(schedule) == pytest.approx([LR * factor for factor in expected])


def test_no_schedule():
    assert rates(None) == [LR] * 6


def test_an_unknown_interval():
    with pytest.raises(ValueError, match=r"scheduler\.interval is 'batch'; allowed are 'step' and 'epoch'"):
        Schedule(scheduler=StepLR, interval="batch")
