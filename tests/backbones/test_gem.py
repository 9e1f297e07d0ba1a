import math

import pytest
import torch
from toys import toy_backbone

from fashion_lab.backbones.gem import GeneralizedMean
from fashion_lab.contracts.backbone import Backbone
from fashion_lab.networks import MobileNetLikeClassifier, SiameseEncoder


class Given(Backbone):
    """Gives the pictures as features."""

    out_channels, own_size = 3, 24

    def forward(self, images_BCHW):
        return images_BCHW

    def start(self):
        return {"source": "here", "sha256": "0"}


def naive(features, power):
    total = sum(max(float(value), 1e-6) ** power for value in features.flatten())
    return (total / features.numel()) ** (1 / power)


@torch.no_grad()
@pytest.mark.parametrize("power", [1.0, 3.0, 0.5, 8.0])
def test_it_is_the_generalized_mean(power):
    images = torch.randn(2, 3, 5, 4, generator=torch.Generator().manual_seed(0))
    images[0, 0] = 0.0
    images[1, 1] = 2.0
    pooled = GeneralizedMean(backbone=Given(), power=power)(images)
    expected = torch.tensor([[naive(channel, power) for channel in picture] for picture in images])
    torch.testing.assert_close(pooled[:, :, 0, 0], expected)


def test_both_stages_pool_so():
    backbone = GeneralizedMean(backbone=toy_backbone()).eval()
    images = torch.randn(2, 3, 16, 16)
    pooled = backbone(images).flatten(1)
    assert torch.equal(SiameseEncoder(backbone)(images), pooled)
    classifier = MobileNetLikeClassifier(3, backbone)
    torch.testing.assert_close(classifier(images), classifier.head[2](pooled))


@pytest.mark.parametrize("power", [3.0, 8.0])
def test_its_power_learns_also_where_a_channel_shows_nothing(power):
    backbone = GeneralizedMean(backbone=Given(), power=power)
    images = torch.zeros(2, 3, 4, 4)
    images[0, 0] = torch.rand(4, 4)
    images.requires_grad_()
    backbone(images).sum().backward()
    assert backbone.power.grad.isfinite().all()
    assert backbone.power.grad.abs() > 0
    assert images.grad.isfinite().all()
    shown = images[0, 0].detach().double()
    mean = shown.pow(power).mean()
    expected = (shown / mean.pow(1 / power)).pow(power - 1) / 16
    torch.testing.assert_close(images.grad[0, 0], expected.float())


def test_it_is_the_backbone_around_which_it_is():
    inner = toy_backbone()
    backbone = GeneralizedMean(backbone=inner)
    assert [p for layer in backbone.layers() for p in layer] == [*inner.parameters(), backbone.power]
    assert len(backbone.layers()) == len(inner.layers())
    given = GeneralizedMean(backbone=Given())
    assert (given.own_size, given.out_channels, given.start()["source"]) == (24, 3, "here")


@pytest.mark.parametrize("power", [0, -1, math.inf, math.nan])
def test_a_power_that_cannot_be(power):
    with pytest.raises(ValueError, match=r"backbone\.power is .*1 for the mean"):
        GeneralizedMean(backbone=Given(), power=power)
