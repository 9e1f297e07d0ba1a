import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from fashion_lab.backbones.mobilenet import InvertedResidualBlock, MobileNetBackbone
from fashion_lab.networks import MobileNetLikeClassifier


class NotebookBlock(nn.Module):
    """The notebook's block, typed again."""

    def __init__(self, in_channels, out_channels, stride, expansion_factor, shortcut=None):
        super().__init__()
        hidden = in_channels * expansion_factor
        self.expand = nn.Sequential(
            nn.Conv2d(in_channels, hidden, 1, bias=False), nn.BatchNorm2d(hidden), nn.ReLU(inplace=True)
        )
        self.depthwise = nn.Sequential(
            nn.Conv2d(hidden, hidden, 3, stride=stride, padding=1, bias=False),
            nn.BatchNorm2d(hidden),
            nn.ReLU(inplace=True),
        )
        self.project = nn.Sequential(
            nn.Conv2d(hidden, out_channels, 1, bias=False), nn.BatchNorm2d(out_channels)
        )
        self.shortcut = shortcut

    def forward(self, x):
        out = self.project(self.depthwise(self.expand(x)))
        return F.relu(out + (x if self.shortcut is None else self.shortcut(x)))


class NotebookBackbone(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, 16, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(inplace=True)
        )
        self.blocks = nn.Sequential(self.block(16, 24, 3), self.block(24, 32, 3), self.block(32, 64, 6))

    def block(self, in_channels, out_channels, expansion):
        shortcut = nn.Sequential(
            nn.Conv2d(in_channels, out_channels, 1, stride=2, bias=False), nn.BatchNorm2d(out_channels)
        )
        return NotebookBlock(in_channels, out_channels, 2, expansion, shortcut)

    def forward(self, x):
        return self.blocks(self.stem(x))


class NotebookClassifier(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.backbone = NotebookBackbone()
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, num_classes))

    def forward(self, x):
        return self.head(self.backbone(x))


def parameters(**options):
    network = MobileNetLikeClassifier(7, MobileNetBackbone(**options))
    return sum(p.numel() for p in network.parameters())


def stirred(network):
    """Give BatchNorm statistics that are not the initial ones, so that a swapped pair would show."""
    torch.manual_seed(1)
    for name, buffer in network.named_buffers():
        if name.endswith("running_mean"):
            buffer.normal_()
        elif name.endswith("running_var"):
            buffer.uniform_(0.5, 2)
    return network


@pytest.mark.parametrize(
    ("options", "count"), [({}, 33_039), ({"depthwise": False}, 429_399), ({"width": 2, "depth": 2}, 371_079)]
)
def test_parameters_with_seven_classes(options, count):
    assert parameters(**options) == count


@pytest.mark.parametrize("training", [False, True])
def test_dense_is_the_notebook(training):
    theirs = stirred(NotebookClassifier(7)).train(training)
    ours = MobileNetLikeClassifier(7, MobileNetBackbone(depthwise=False)).train(training)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    ours.load_state_dict(theirs.state_dict())
    images = torch.randn(4, 3, 64, 64)
    torch.testing.assert_close(ours(images), theirs(images), rtol=0, atol=0)
    assert ours.backbone(images).shape == (4, 64, 4, 4)


def test_default_classifier_has_the_notebooks_backbone_but_depthwise():
    network = MobileNetLikeClassifier()
    assert network.head[-1].out_features == 10
    assert {block.depthwise[0].groups for block in network.backbone.blocks} == {48, 72, 192}


def test_depthwise_filters_channels_apart():
    images = torch.randn(1, 8, 6, 6)
    changed = images.clone()
    changed[:, 3] += 1
    for depthwise, touched in ((True, [3]), (False, list(range(8)))):
        convolution = InvertedResidualBlock(4, 4, 1, 2, depthwise=depthwise).depthwise[0]
        differs = (convolution(images) != convolution(changed)).flatten(2).any(2)[0]
        assert differs.nonzero().flatten().tolist() == touched


def test_block_without_shortcut_adds_its_input():
    block = InvertedResidualBlock(4, 4, 1, 2).eval()
    images = torch.randn(2, 4, 5, 5)
    total = block.project(block.depthwise(block.expand(images))) + images
    assert (total < 0).any()
    torch.testing.assert_close(block(images), total.relu())


def test_table_of_stages():
    backbone = MobileNetBackbone(stages=[[8, 2, 1, 2], [12, 3, 2, 4]], stem_channels=6, width=0.5, depth=2)
    shapes = [(block.project[0].out_channels, block.depthwise[0].stride[0]) for block in backbone.blocks]
    assert shapes == [(4, 1)] * 4 + [(6, 2)] + [(6, 1)] * 5
    assert [block.expand[0].out_channels for block in backbone.blocks[:5]] == [6, 8, 8, 8, 16]
    assert [block.shortcut is None for block in backbone.blocks[3:6]] == [True, False, True]
    assert backbone.out_channels == 6
    assert backbone.eval()(torch.zeros(1, 3, 32, 32)).shape == (1, 6, 8, 8)


def test_layers_have_every_parameter_once_from_the_stem_on():
    backbone = MobileNetBackbone()
    flat = [parameter for layer in backbone.layers() for parameter in layer]
    assert len(backbone.layers()) == 4
    assert [id(parameter) for parameter in flat] == [id(parameter) for parameter in backbone.parameters()]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"width": 0}, r"backbone\.width is 0"),
        ({"width": -1}, r"backbone\.width is -1"),
        ({"width": math.nan}, r"backbone\.width is nan"),
        ({"width": math.inf}, r"backbone\.width is inf"),
        ({"width": 0.01}, r"backbone\.width is 0\.01.*at least one of 16"),
        ({"depth": 0}, r"backbone\.depth is 0"),
        ({"depth": 1.5}, r"backbone\.depth is 1\.5"),
        ({"stages": []}, r"backbone\.stages has no row"),
        ({"stages": [[24, 1, 2]]}, r"row \[24, 1, 2\].*channels, blocks, stride, expansion"),
        ({"stages": [[24, 1, 0, 3]]}, r"row \[24, 1, 0, 3\]"),
        ({"stages": [[24, "1", 2, 3]]}, "four whole numbers"),
    ],
)
def test_values_that_cannot_be(options, message):
    with pytest.raises(ValueError, match=message):
        MobileNetBackbone(**options)
