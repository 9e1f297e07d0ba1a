"""The compact backbone with generalized-mean pooling, which looks more at where a channel is strong.

Radenovic et al. 2019, "Fine-tuning CNN Image Retrieval with No Human Annotation", section 3.2.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from fashion_lab.backbones.mobilenet import MobileNetBackbone

LEAST = 1e-6  # of a feature: the root of zero has no gradient; as in the authors' code


class PooledMobileNet(MobileNetBackbone):
    """The backbone, pooled to one place; `power` is where the learned power starts: 1 is the mean."""

    def __init__(self, *, power: float, **options: Any) -> None:
        super().__init__(**options)
        self.power = nn.Parameter(torch.tensor([float(power)]))

    def forward(self, images_BCHW: Tensor) -> Tensor:
        features_BCHW = super().forward(images_BCHW).float().clamp(min=LEAST)
        most_BC11 = features_BCHW.amax((2, 3), keepdim=True).detach()  # 1e-6 to the eighth is 0 in float32
        shares_BCHW = features_BCHW / most_BC11
        means_BC11 = shares_BCHW.pow(self.power).mean((2, 3), keepdim=True).pow(1 / self.power)
        pooled_BC11: Tensor = means_BC11 * most_BC11
        return pooled_BC11

    def layers(self) -> Sequence[Sequence[nn.Parameter]]:
        *others, last = super().layers()
        return [*others, [*last, self.power]]
