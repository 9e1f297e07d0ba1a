"""An augmentation policy that is drawn, not tuned: affine as ever, then one of eight colour changes.

After TrivialAugment (Müller and Hutter 2021: one operation of uniform strength, table 2), whose geometric
operations `Augment` has as one affine. On the batch's device; pictures [B, 3, H, W] are 0 .. 1 in here.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as vision

from fashion_lab.data.augment import Augment

REACH = 0.99  # of a factor around 1, in the paper's wide range
FEWEST_BITS, MOST_BITS = 2, 8


class DrawnPolicy(Augment):
    """The catalog's affine changes, and a colour change of each picture in place of its colour step."""

    DRAWS = Augment.DRAWS + 2

    def __call__(self, images_BCHW: Tensor, draws_BN: Tensor) -> Tensor:
        images = super().__call__(images_BCHW, draws_BN[:, : Augment.DRAWS]) / 2 + 0.5
        choice, strength = draws_BN[:, Augment.DRAWS :].unbind(1)
        drawn = (choice * (len(CHANGES) + 1)).long()  # the last one leaves the picture alone
        for number, change in enumerate(CHANGES):
            rows = (drawn == number).nonzero().flatten()
            if len(rows):
                images[rows] = change(images[rows], strength[rows, None, None, None]).clamp(0, 1)
        return images * 2 - 1


def _towards(make: Callable[[Tensor], Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
    """Move a picture towards what `make` gives of it, or away: by a factor of 1 - REACH .. 1 + REACH."""
    return lambda images, strength: torch.lerp(make(images), images, 1 + (2 * strength - 1) * REACH)


def _grey(images: Tensor) -> Tensor:
    return vision.rgb_to_grayscale(images, num_output_channels=3)


def _mean(images: Tensor) -> Tensor:
    return _grey(images).mean((1, 2, 3), keepdim=True).expand_as(images)


def _blurred(images: Tensor) -> Tensor:
    return vision.gaussian_blur(images, kernel_size=[3, 3])


def _solarized(images: Tensor, strength: Tensor) -> Tensor:
    return torch.where(images > 1 - strength, 1 - images, images)


def _posterized(images: Tensor, strength: Tensor) -> Tensor:
    levels = 2 ** torch.round(MOST_BITS - strength * (MOST_BITS - FEWEST_BITS)) - 1
    return (images * levels).round() / levels


def _equalized(images: Tensor, strength: Tensor) -> Tensor:
    return vision.equalize((images * 255).byte()) / 255


CHANGES: tuple[Callable[[Tensor, Tensor], Tensor], ...] = (
    _towards(torch.zeros_like),  # brightness
    _towards(_mean),  # contrast
    _towards(_grey),  # colour
    _towards(_blurred),  # sharpness
    _solarized,
    _posterized,
    lambda images, strength: vision.autocontrast(images),
    _equalized,
)
