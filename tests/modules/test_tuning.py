"""A backbone that learns slower and later: which group learns at what, and what stands still, to the bit."""

from functools import partial

import pytest
import pytorch_lightning as pl
import torch
from torch import nn
from torch.optim.lr_scheduler import CosineAnnealingLR, OneCycleLR, StepLR
from toys import ToyCatalog, quiet_trainer, toy_backbone, toy_data

from fashion_lab.callbacks.averaging import ExponentialAverage
from fashion_lab.contracts.backbone import Backbone
from fashion_lab.losses.embedding import InBatch
from fashion_lab.modules.classifier import ClassifierModule
from fashion_lab.modules.schedule import Schedule
from fashion_lab.modules.siamese import SiameseModule
from fashion_lab.modules.tuning import FineTuning, find_backbone, make_optimizer
from fashion_lab.networks import MobileNetLikeClassifier, SiameseEncoder, SiameseNetwork

LR = 0.1
ONE_CYCLE = Schedule(
    scheduler=partial(OneCycleLR, max_lr=LR, pct_start=0.3, cycle_momentum=False),
    interval="step",
    length="total_steps",
)
COSINE = Schedule(scheduler=CosineAnnealingLR, interval="step", length="T_max")
STEPS = Schedule(scheduler=partial(StepLR, step_size=1, gamma=0.5), interval="epoch")


class LayeredBackbone(Backbone):
    """Three convolutions, each a layer, with a BatchNorm in the first."""

    def __init__(self):
        super().__init__()
        self.parts = nn.Sequential(
            nn.Sequential(nn.Conv2d(3, 4, 3, stride=2), nn.BatchNorm2d(4)),
            nn.Conv2d(4, 4, 1),
            nn.Conv2d(4, 4, 1),
        )
        self.out_channels = 4

    def forward(self, images):
        return self.parts(images)

    def layers(self):
        return [list(part.parameters()) for part in self.parts]


def classifier(schedule=None, backbone=None, optimizer=torch.optim.AdamW, **tuning):
    torch.manual_seed(0)
    return ClassifierModule(
        MobileNetLikeClassifier(3, backbone or toy_backbone()),
        loss=nn.CrossEntropyLoss,
        optimizer=partial(optimizer, lr=LR),
        schedule=schedule,
        classes=ToyCatalog().classes,
        class_counts=[3, 3, 3],
        **tuning,
    )


class Watch(pl.Callback):
    """What the backbone is and how fast each group learns, before every step."""

    def __init__(self):
        self.states, self.rates = [], []

    def on_before_optimizer_step(self, trainer, pl_module, optimizer):
        state = pl_module.network.state_dict()
        self.states.append({name: value.clone() for name, value in state.items()})
        self.rates.append([group["lr"] for group in optimizer.param_groups])


def watched(module, epochs=3, **options):
    watch = Watch()
    callbacks = [watch, *options.pop("callbacks", [])]
    quiet_trainer(max_epochs=epochs, callbacks=callbacks, **options).fit(module, datamodule=toy_data())
    watch.states.append({name: value.clone() for name, value in module.network.state_dict().items()})
    return watch


def test_groups_are_the_rest_and_then_layers_from_the_output():
    network = MobileNetLikeClassifier(3, LayeredBackbone())
    groups = FineTuning(backbone_lr=0.5, layer_decay=0.1).groups(network.parameters(), network.backbone)
    assert [share for share, _ in groups] == pytest.approx([1, 0.5, 0.05, 0.005])
    assert groups[0][1] == list(network.head.parameters())
    assert groups[1][1] == list(network.backbone.parts[2].parameters())
    assert groups[3][1] == list(network.backbone.parts[0].parameters())
    flat = [parameter for _, group in groups for parameter in group]
    assert len(flat) == len(set(flat)) == len(list(network.parameters()))


def test_without_tuning_all_is_one_group_as_ever():
    network = MobileNetLikeClassifier(3, toy_backbone())
    groups = FineTuning().groups(network.parameters(), network.backbone)
    optimizer = make_optimizer(partial(torch.optim.SGD, lr=LR), groups)
    assert [group["lr"] for group in optimizer.param_groups] == [LR]
    assert optimizer.param_groups[0]["params"] == list(network.parameters())


@pytest.mark.parametrize("schedule", [None, ONE_CYCLE, COSINE, STEPS])
def test_every_schedule_keeps_the_ratio_and_the_head_has_the_full_rate(schedule):
    tuned = watched(classifier(schedule, backbone_lr=0.1)).rates
    plain = watched(classifier(schedule)).rates
    assert [rates[0] for rates in tuned] == pytest.approx([rates[0] for rates in plain])
    assert all(second == pytest.approx(0.1 * first, abs=1e-9) for first, second in tuned)


def test_a_slower_backbone_moves_less():
    def moved(share):
        states = watched(classifier(optimizer=torch.optim.SGD, backbone_lr=share), epochs=1).states
        return float((states[1]["backbone.stem.0.weight"] - states[0]["backbone.stem.0.weight"]).norm())

    assert moved(0.1) == pytest.approx(0.1 * moved(1.0), rel=1e-3)


@pytest.mark.parametrize("averaging", [[], [ExponentialAverage(decay=0.5)]])
def test_a_frozen_backbone_does_not_move_by_a_bit(averaging):
    """3 epochs of 2 steps, 2 of them frozen: neither weight decay nor statistics nor averaging moves it."""
    states = watched(classifier(freeze_epochs=2), callbacks=averaging, gradient_clip_val=1.0).states
    assert len(states) == 7
    of_backbone = [name for name in states[0] if name.startswith("backbone.")]
    assert any("running_mean" in name for name in of_backbone)
    for step in range(4):  # as it is before the update of steps 0 .. 3
        assert all(torch.equal(states[step][name], states[0][name]) for name in of_backbone)
    for name in of_backbone:  # step 4 has seen its batch
        counts = "running" in name or "batches" in name
        assert torch.equal(states[4][name], states[0][name]) is not counts, name
    assert not torch.equal(states[1]["head.2.weight"], states[0]["head.2.weight"])
    for name in of_backbone:
        if states[6][name].is_floating_point():  # an average keeps no count of batches
            assert not torch.equal(states[6][name], states[0][name]), name


def test_a_frozen_epoch_shows_the_backbone_at_rest_also_after_validation():
    module = classifier(freeze_epochs=9)
    before = {name: value.clone() for name, value in module.network.backbone.state_dict().items()}
    watched(module, epochs=3)
    assert all(
        torch.equal(value, before[name]) for name, value in module.network.backbone.state_dict().items()
    )
    assert not any(parameter.requires_grad for parameter in module.network.backbone.parameters())


def test_the_embedding_of_stage_two_learns_slower_and_later_too():
    torch.manual_seed(0)
    network = SiameseNetwork(SiameseEncoder(toy_backbone(), projection=4))
    module = SiameseModule(
        network,
        loss=InBatch(loss=nn.TripletMarginLoss(), margin=None, miner=None),
        optimizer=partial(torch.optim.SGD, lr=LR),
        schedule=None,
        backbone_lr=0.1,
        freeze_epochs=1,
    )
    assert find_backbone(network) is network.embedding_network.backbone
    groups = module.tuning.groups(module.parameters(), find_backbone(network))
    assert [share for share, _ in groups] == [1.0, 0.1]
    assert groups[0][1] == list(network.embedding_network.projection.parameters())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"backbone_lr": 0}, r"module\.backbone_lr is 0; allowed is over 0"),
        ({"backbone_lr": 2}, r"module\.backbone_lr is 2"),
        ({"layer_decay": float("nan")}, r"module\.layer_decay is nan"),
        ({"freeze_epochs": -1}, r"module\.freeze_epochs is -1"),
        ({"freeze_epochs": 0.5}, r"module\.freeze_epochs is 0\.5"),
    ],
)
def test_values_that_cannot_be(options, message):
    with pytest.raises(ValueError, match=message):
        classifier(**options)


def test_what_cannot_be_tuned_is_told():
    backbone = toy_backbone()
    with pytest.raises(ValueError, match="only the backbone to learn: give the encoder a projection"):
        FineTuning(freeze_epochs=1).groups(SiameseEncoder(backbone).parameters(), backbone)
    of_one_layer = LayeredBackbone()
    of_one_layer.layers = partial(Backbone.layers, of_one_layer)
    with pytest.raises(ValueError, match="LayeredBackbone does not say what its layers are"):
        FineTuning(layer_decay=0.5).groups(of_one_layer.parameters(), of_one_layer)
    with pytest.raises(ValueError, match="needs a network with a backbone"):
        FineTuning(backbone_lr=0.5).groups(nn.Linear(2, 2).parameters(), None)
