import copy

import pytest
import pytorch_lightning as pl
import torch
from torch.optim.swa_utils import get_ema_multi_avg_fn
from toys import ToyCatalog, quiet_trainer, toy_backbone, toy_data

from fashion_lab.callbacks.averaging import ExponentialAverage
from fashion_lab.modules.classifier import ClassifierModule
from fashion_lab.networks import MobileNetLikeClassifier


def trained(callback, epochs=2, **options):
    """The weights that a run with this averaging ends with."""
    torch.manual_seed(0)
    module = ClassifierModule(
        MobileNetLikeClassifier(3, toy_backbone()),
        loss=torch.nn.CrossEntropyLoss,
        optimizer=lambda parameters: torch.optim.SGD(parameters, lr=0.1),
        schedule=None,
        classes=ToyCatalog().classes,
        class_counts=[1, 1, 1],
    )
    quiet_trainer(max_epochs=epochs, callbacks=[callback], **options).fit(module, datamodule=toy_data())
    return copy.deepcopy(module.state_dict())


@pytest.mark.parametrize("accumulate", [1, 2])
def test_it_averages_as_lightnings_does(accumulate):
    theirs = pl.callbacks.WeightAveraging(use_buffers=True, multi_avg_fn=get_ema_multi_avg_fn(0.7))
    ours = ExponentialAverage(decay=0.7)
    options = {"accumulate_grad_batches": accumulate}
    expected, found = trained(theirs, **options), trained(ours, **options)
    assert ours._average_model.n_averaged == theirs._average_model.n_averaged
    for name, value in expected.items():
        if value.is_floating_point():
            torch.testing.assert_close(found[name], value, rtol=1e-6, atol=1e-7)


def test_it_is_not_the_last_step():
    averaged, plain = trained(ExponentialAverage(decay=0.9)), trained(ExponentialAverage(decay=0.0))
    assert not torch.equal(averaged["network.head.2.weight"], plain["network.head.2.weight"])


@pytest.mark.parametrize("decay", [-0.1, 1.0, float("nan")])
def test_a_decay_that_keeps_nothing_or_learns_nothing(decay):
    with pytest.raises(ValueError, match=r"callbacks\.ema\.decay"):
        ExponentialAverage(decay=decay)
