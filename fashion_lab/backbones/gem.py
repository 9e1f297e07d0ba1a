"""Another pooling than the mean: generalized means, which look more at where a channel is strong.

A backbone around a backbone, so that both stages, bundles and searches pool alike: it leaves one place, whose
mean is itself. B pictures, C channels, H x W places.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from fashion_lab.contracts.backbone import Backbone

LEAST = 1e-6  # of a feature: the root of zero has no gradient; as in the authors' code


class GeneralizedMean(Backbone):
    """A backbone with generalized-mean pooling.

    Radenovic et al. 2019, "Fine-tuning CNN Image Retrieval with No Human Annotation", section 3.2.

    Args:
        backbone: gives features of 0 or more; what is less counts as nothing.
        power: where the learned power starts: 1 is the mean, infinity the maximum.
    """

    def __init__(self, *, backbone: Backbone, power: float = 3.0) -> None:
        super().__init__()
        if not 0 < power < float("inf"):
            raise ValueError(f"backbone.power is {power}; give a finite number over 0, 1 for the mean")
        self.backbone = backbone
        self.power = nn.Parameter(torch.tensor([float(power)]))
        self.out_channels, self.own_size = backbone.out_channels, backbone.own_size

    def forward(self, images_BCHW: Tensor) -> Tensor:
        """Map images [B, 3, H, W] to features [B, out_channels, 1, 1], float32."""
        features_BCHW = self.backbone(images_BCHW).float().clamp(min=LEAST)
        most_BC11 = features_BCHW.amax((2, 3), keepdim=True).detach()  # 1e-6 to the eighth is 0 in float32
        shares_BCHW = features_BCHW / most_BC11
        means_BC11 = shares_BCHW.pow(self.power).mean((2, 3), keepdim=True).pow(1 / self.power)
        pooled_BC11: Tensor = means_BC11 * most_BC11
        return pooled_BC11

    def start(self) -> Mapping[str, str] | None:
        """Let the backbone take its pretrained weights."""
        return self.backbone.start()

    def layers(self) -> Sequence[Sequence[nn.Parameter]]:
        """Give the backbone's layers; the power belongs to the last."""
        *others, last = self.backbone.layers()
        return [*others, [*last, self.power]]
