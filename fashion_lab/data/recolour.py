"""One of eight colour changes for each picture, at a strength of its own.

They and their reach are those of TrivialAugment (Müller and Hutter 2021, table 2, "wide"); its geometric ones
are `Augment`'s affine. B pictures, H x W pixels.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as V

REACH = 0.99  # of a factor around 1
FEWEST_BITS, MOST_BITS = 2, 8

# of pictures [B, 3, H, W] by strengths [B, 1, 1, 1], both in 0 .. 1
Change = Callable[[Tensor, Tensor], Tensor]


def recolour(images_BCHW: Tensor, choice_B: Tensor, strength_B: Tensor) -> Tensor:
    """Change each normalised picture by the one of `CHANGES` chosen for it; their number leaves it."""
    sizes = choice_B.bincount(minlength=len(CHANGES) + 1).tolist()  # the one wait for the device
    changed = images_BCHW.clone()
    for rows, change in zip(torch.split(choice_B.argsort(), sizes), CHANGES.values(), strict=False):
        if len(rows):
            result = change(images_BCHW[rows] / 2 + 0.5, strength_B[rows].view(-1, 1, 1, 1))
            changed[rows] = result.clamp(0, 1) * 2 - 1
    return changed


def _towards(make: Callable[[Tensor], Tensor]) -> Change:
    """Move a picture towards what `make` gives of it, or away from it."""
    return lambda images, strength: torch.lerp(make(images), images, 1 + (2 * strength - 1) * REACH)


def _grey(images: Tensor) -> Tensor:
    grey: Tensor = V.rgb_to_grayscale(images)
    return grey


def _solarized(images: Tensor, strength: Tensor) -> Tensor:
    return torch.where(images > 1 - strength, 1 - images, images)


def _posterized(images: Tensor, strength: Tensor) -> Tensor:
    levels = 2 ** torch.round(MOST_BITS - strength * (MOST_BITS - FEWEST_BITS)) - 1
    return (images * levels).round() / levels


CHANGES: dict[str, Change] = {
    "brightness": _towards(torch.zeros_like),
    "contrast": _towards(lambda images: _grey(images).mean((1, 2, 3), keepdim=True)),
    "saturation": _towards(_grey),
    "sharpness": _towards(lambda images: V.gaussian_blur(images, kernel_size=[3, 3])),
    "solarize": _solarized,
    "posterize": _posterized,
    "autocontrast": lambda images, strength: V.autocontrast(images),
    "equalize": lambda images, strength: V.equalize((images * 255).byte()) / 255,
}
