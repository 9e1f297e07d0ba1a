"""Squeeze and excitation: what the whole picture shows weighs the channels."""

from torch import Tensor, nn


class SqueezeExcitation(nn.Module):
    """Weighs each channel by 0 .. 1, from the means of all.

    Hu et al. 2018, "Squeeze-and-Excitation Networks", section 3.

    Args:
        channels: channels of the input.
        share: numbers between the two layers, as a share of the channels; at least one.
    """

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
        """Map [B, channels, H, W] to the same shape."""
        weighed: Tensor = features_BCHW * self.weigh(features_BCHW)
        return weighed
