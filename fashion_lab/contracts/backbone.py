"""What every backbone promises."""

from abc import ABC, abstractmethod

from torch import Tensor, nn


class Backbone(nn.Module, ABC):
    """Turns pictures into a feature map.

    Attributes:
        out_channels: channels of the feature map.
    """

    out_channels: int

    @abstractmethod
    def forward(self, images_BCHW: Tensor) -> Tensor:
        """Map images [B, 3, H, W] (normalised, -1 .. 1) to features [B, out_channels, h, w]."""
