"""A backbone that costs next to nothing, so that the way of the data can be seen beside it."""

import torch.nn.functional as F
from torch import Tensor, nn

from fashion_lab.contracts.backbone import Backbone


class PatchBackbone(Backbone):
    """One convolution over patches that do not overlap, then ReLU.

    Args:
        side: of a patch, in pixels.
        channels: of the feature map.
    """

    def __init__(self, *, side: int = 8, channels: int = 16) -> None:
        super().__init__()
        if side < 1 or channels < 1:
            raise ValueError(f"backbone.side={side}, backbone.channels={channels}; allowed is 1 or more")
        self.out_channels = channels
        self.patches = nn.Conv2d(3, channels, kernel_size=side, stride=side)

    def forward(self, images_BCHW: Tensor) -> Tensor:
        """Map images [B, 3, H, W] to features [B, channels, H / side, W / side]."""
        return F.relu(self.patches(images_BCHW))
