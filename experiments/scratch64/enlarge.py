"""A pretrained backbone that sees small pictures at twice their size: nearer to what it was trained on."""

import torch.nn.functional as F
from torch import Tensor

from fashion_lab.backbones.timm import TimmBackbone


class Enlarged(TimmBackbone):
    """Any model of timm, behind a bilinear enlargement."""

    def forward(self, images_BCHW: Tensor) -> Tensor:
        return super().forward(F.interpolate(images_BCHW, scale_factor=2.0, mode="bilinear"))
