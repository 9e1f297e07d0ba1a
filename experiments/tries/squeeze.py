"""Squeeze and excitation in the compact backbone's blocks: what the whole picture shows weighs the channels.

Hu et al. 2018, "Squeeze-and-Excitation Networks", section 3; between the 3x3 and the last 1x1 convolution,
as in Howard et al. 2019, "Searching for MobileNetV3", section 5.3.
"""

from typing import Any

from torch import Tensor, nn

from fashion_lab.backbones.mobilenet import InvertedResidualBlock, MobileNetBackbone


class SqueezeExcitation(nn.Module):
    """Weighs each of so many channels by 0 .. 1, from the means of all; `share` of them in between."""

    def __init__(self, channels: int, share: float) -> None:
        super().__init__()
        between = max(1, round(channels * share))
        self.weigh = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(channels, between, kernel_size=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(between, channels, kernel_size=1),
            nn.Sigmoid(),
        )

    def forward(self, features_BCHW: Tensor) -> Tensor:
        weighed: Tensor = features_BCHW * self.weigh(features_BCHW)
        return weighed


class SqueezedMobileNet(MobileNetBackbone):
    """The backbone with squeeze and excitation in each block."""

    def __init__(self, *, squeeze: float, **options: Any) -> None:
        super().__init__(**options)
        for block in self.blocks:
            assert isinstance(block, InvertedResidualBlock)
            block.depthwise.append(SqueezeExcitation(block.project[0].in_channels, squeeze))
