"""The notebook's compact backbone: a stem and inverted residual blocks, after MobileNetV2.

Sandler et al. 2018, "MobileNetV2: Inverted Residuals and Linear Bottlenecks", section 3. Not as there, but
as in the notebook, each block ends in a ReLU and has a shortcut, a 1x1 convolution where the shape changes.
"""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn

from fashion_lab.contracts.backbone import Backbone


class StageRow(NamedTuple):
    """One row of the backbone's table: `blocks` blocks, of which the first has the stride."""

    channels: int
    blocks: int
    stride: int
    expansion: int


NOTEBOOK_STAGES = (StageRow(24, 1, 2, 3), StageRow(32, 1, 2, 3), StageRow(64, 1, 2, 6))


class InvertedResidualBlock(nn.Module):
    """Widens with a 1x1 convolution, filters with a 3x3, narrows with a 1x1, and adds the shortcut.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        stride: stride of the 3x3 convolution.
        expansion_factor: how many times wider the block is inside.
        shortcut: maps the input to the output's shape; None adds the input itself.
        depthwise: filter each channel by itself; False is the notebook's dense 3x3.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        stride: int,
        expansion_factor: int,
        shortcut: nn.Module | None = None,
        *,
        depthwise: bool = True,
    ) -> None:
        super().__init__()
        hidden = in_channels * expansion_factor
        self.expand = nn.Sequential(
            nn.Conv2d(in_channels, hidden, kernel_size=1, bias=False),
            nn.BatchNorm2d(hidden),
            nn.ReLU(inplace=True),
        )
        groups = hidden if depthwise else 1
        self.depthwise = nn.Sequential(
            nn.Conv2d(hidden, hidden, kernel_size=3, stride=stride, padding=1, groups=groups, bias=False),
            nn.BatchNorm2d(hidden),
            nn.ReLU(inplace=True),
        )
        self.project = nn.Sequential(
            nn.Conv2d(hidden, out_channels, kernel_size=1, bias=False),
            nn.BatchNorm2d(out_channels),
        )
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, in_channels, H, W] to [B, out_channels, H / stride, W / stride]."""
        skip = x if self.shortcut is None else self.shortcut(x)
        out: Tensor = self.project(self.depthwise(self.expand(x))) + skip
        return F.relu(out)


class MobileNetBackbone(Backbone):
    """A stem with stride 2, then the blocks of a table of stages.

    Args:
        depthwise: filter each channel by itself; False is the notebook's dense 3x3 (13 times the parameters).
        width: multiplies every number of channels.
        depth: multiplies the number of blocks of every stage.
        stages: rows of (channels, blocks, stride, expansion); by default the notebook's.
        stem_channels: channels of the first convolution, before `width`.
    """

    def __init__(
        self,
        *,
        depthwise: bool = True,
        width: float = 1.0,
        depth: int = 1,
        stages: Sequence[Sequence[int]] = NOTEBOOK_STAGES,
        stem_channels: int = 16,
    ) -> None:
        super().__init__()
        _check(width, depth, stages, stem_channels)
        channels = round(stem_channels * width)
        self.stem = nn.Sequential(
            nn.Conv2d(3, channels, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
        )
        blocks = []
        for out_channels, stride, expansion in _block_rows(width, depth, stages):
            blocks.append(_block(channels, out_channels, stride, expansion, depthwise))
            channels = out_channels
        self.blocks = nn.Sequential(*blocks)
        self.out_channels = channels

    def forward(self, images_BCHW: Tensor) -> Tensor:
        """Map images [B, 3, H, W] to features [B, out_channels, H / 16, W / 16] (default strides)."""
        features: Tensor = self.blocks(self.stem(images_BCHW))
        return features

    def layers(self) -> Sequence[Sequence[nn.Parameter]]:
        """Give the parameters of the stem, then of each block."""
        return [list(part.parameters()) for part in (self.stem, *self.blocks)]


def _check(width: float, depth: int, stages: Sequence[Sequence[int]], stem_channels: int) -> None:
    if not isinstance(depth, int) or depth < 1:
        raise ValueError(f"backbone.depth is {depth}; it multiplies the blocks: a whole number of at least 1")
    if not stages:
        raise ValueError("backbone.stages has no row; give at least one, e.g. [24, 1, 2, 3]")
    for row in stages:
        if len(row) != len(StageRow._fields) or not all(isinstance(n, int) and n >= 1 for n in row):
            raise ValueError(
                f"backbone.stages has the row {list(row)}; a row is four whole numbers of at least 1: "
                f"{', '.join(StageRow._fields)}, e.g. [24, 1, 2, 3]"
            )
    fewest = min(stem_channels, *(row[0] for row in stages))
    if not 0.5 < width * fewest < math.inf:  # half a channel rounds to none
        raise ValueError(
            f"backbone.width is {width}; it multiplies the channels and must leave at least one of {fewest}"
        )


def _block_rows(width: float, depth: int, stages: Sequence[Sequence[int]]) -> Iterator[tuple[int, int, int]]:
    """Yield (out_channels, stride, expansion) for every block, in order."""
    for row in stages:
        stage = StageRow(*row)
        for number in range(stage.blocks * depth):
            yield round(stage.channels * width), stage.stride if number == 0 else 1, stage.expansion


def _block(
    in_channels: int, out_channels: int, stride: int, expansion: int, depthwise: bool
) -> InvertedResidualBlock:
    shortcut = None
    if in_channels != out_channels or stride != 1:
        shortcut = nn.Sequential(
            nn.Conv2d(in_channels, out_channels, 1, stride=stride, bias=False), nn.BatchNorm2d(out_channels)
        )
    return InvertedResidualBlock(in_channels, out_channels, stride, expansion, shortcut, depthwise=depthwise)
