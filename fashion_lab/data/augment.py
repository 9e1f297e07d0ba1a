"""Augmentation of a batch on its device, different for each picture: one affine, colour steps, one box.

Everything is a pure function of the pictures and of uniform random numbers, so it repeats exactly wherever
the numbers do. B pictures, H x W pixels.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from fashion_lab.data.recolour import CHANGES, recolour

FILL = 1.0  # white, normalised: what letterboxing and transparent pictures have around them
GREY_WEIGHTS = (0.299, 0.587, 0.114)  # luma of ITU-R BT.601, as Pillow's "L"


class Augment:
    """Random changes of normalised pictures. Zero switches a step off.

    Args:
        flip: probability of a mirror image.
        rotation: degrees, drawn from -rotation .. rotation.
        scale: zoom factor, drawn from 1 - scale .. 1 + scale.
        translation: share of the side, drawn from -translation .. translation, for each axis.
        brightness: added, drawn from -brightness .. brightness, where 1 is from middle grey to white.
        contrast: factor around the picture's mean, from 1 - contrast .. 1 + contrast.
        saturation: factor around the picture's grey version, from 1 - saturation .. 1 + saturation.
        recolour: probability of a colour change drawn from eight, of any strength, see
            `fashion_lab.data.recolour`.
        erasing: probability of one grey box over 2 to 20 % of the picture (Zhong et al. 2017, "Random
            Erasing").
        mixup: alpha of the Beta distribution that `mix` blends by, classifier only (Zhang et al. 2017,
            "mixup", section 2).
    """

    DRAWS = 15
    """Uniform random numbers that a picture needs."""

    def __init__(
        self,
        *,
        flip: float = 0.0,
        rotation: float = 0.0,
        scale: float = 0.0,
        translation: float = 0.0,
        brightness: float = 0.0,
        contrast: float = 0.0,
        saturation: float = 0.0,
        recolour: float = 0.0,
        erasing: float = 0.0,
        mixup: float = 0.0,
    ) -> None:
        shares = {
            "flip": flip,
            "scale": scale,
            "translation": translation,
            "contrast": contrast,
            "recolour": recolour,
            "erasing": erasing,
        }
        for name, value in shares.items():
            _require(name, value, 0 <= value <= 1, "0 .. 1")
        _require("rotation", rotation, 0 <= rotation <= 180, "0 .. 180 degrees")
        amounts = {"brightness": brightness, "saturation": saturation, "mixup": mixup}
        for name, value in amounts.items():
            _require(name, value, 0 <= value < math.inf, "0 or more")
        self.flip, self.rotation, self.scale, self.translation = flip, rotation, scale, translation
        self.brightness, self.contrast, self.saturation = brightness, contrast, saturation
        self.recolour, self.erasing, self.mixup = recolour, erasing, mixup

    def __call__(self, images_BCHW: Tensor, draws_BN: Tensor) -> Tensor:
        """Change float32 pictures [B, 3, H, W] by uniform draws [B, DRAWS]."""
        draw = draws_BN.unbind(1)
        if self.flip or self.rotation or self.scale or self.translation:
            images_BCHW = self._affine(images_BCHW, *draw[:5])
        if self.brightness or self.contrast or self.saturation:
            images_BCHW = self._colour(images_BCHW, *draw[5:8])
        if self.recolour:
            images_BCHW = self._recolour(images_BCHW, *draw[13:15])
        if self.erasing:
            images_BCHW = self._erase(images_BCHW, *draw[8:13])
        return images_BCHW

    def _affine(
        self, images: Tensor, flip: Tensor, turn: Tensor, zoom: Tensor, dx: Tensor, dy: Tensor
    ) -> Tensor:
        angle = _span(turn, math.radians(self.rotation))
        shrink = 1 / (1 + _span(zoom, self.scale)).clamp(min=0.05)
        mirror = torch.where(flip < self.flip, -1.0, 1.0)
        cos, sin = torch.cos(angle) * shrink, torch.sin(angle) * shrink
        # translation counts sides, the sampling grid counts half sides
        shift_x, shift_y = _span(dx, 2 * self.translation), _span(dy, 2 * self.translation)
        theta = torch.stack([cos * mirror, -sin, shift_x, sin * mirror, cos, shift_y], dim=1).view(-1, 2, 3)
        grid = F.affine_grid(theta, list(images.shape), align_corners=False)
        # sampling outside gives zero, which is middle grey: shift so that outside is white
        return F.grid_sample(images - FILL, grid, align_corners=False).add_(FILL)

    def _colour(self, images: Tensor, bright: Tensor, contrast: Tensor, colour: Tensor) -> Tensor:
        weights = torch.tensor(GREY_WEIGHTS, device=images.device).view(1, 3, 1, 1)
        grey = (images * weights).sum(1, keepdim=True)
        images = torch.lerp(grey, images, _column(1 + _span(colour, self.saturation)))
        mean = grey.mean((2, 3), keepdim=True)
        images = torch.lerp(mean, images, _column(1 + _span(contrast, self.contrast)))
        return images.add_(_column(_span(bright, self.brightness))).clamp_(-1, 1)

    def _recolour(self, images: Tensor, chance: Tensor, strength: Tensor) -> Tensor:
        choice = (chance / self.recolour).clamp(max=1) * len(CHANGES)  # beyond the last one: none
        return recolour(images, choice.long(), strength)

    def _erase(
        self, images: Tensor, chance: Tensor, size: Tensor, shape: Tensor, x: Tensor, y: Tensor
    ) -> Tensor:
        height, width = images.shape[2:]
        area = 0.02 + 0.18 * size
        aspect = torch.exp(_span(shape, math.log(3)))
        box_h = (area * aspect).sqrt().clamp(max=1) * height
        box_w = (area / aspect).sqrt().clamp(max=1) * width
        inside_y = _inside(torch.arange(height, device=images.device), y * (height - box_h), box_h)
        inside_x = _inside(torch.arange(width, device=images.device), x * (width - box_w), box_w)
        box = inside_y[:, None, :, None] & inside_x[:, None, None, :]
        return images.masked_fill(box & _column(chance < self.erasing), 0.0)


def mix(images_BCHW: Tensor, targets_BK: Tensor, partners_B: Tensor, share: Tensor) -> tuple[Tensor, Tensor]:
    """Blend pictures and targets [B, classes] with those of their partners; `share` [1] stays."""
    images = torch.lerp(images_BCHW[partners_B], images_BCHW, share)
    return images, torch.lerp(targets_BK[partners_B], targets_BK, share)


def _span(uniform: Tensor, reach: float) -> Tensor:
    """Stretch 0 .. 1 to -reach .. reach."""
    return (uniform * 2 - 1) * reach


def _column(values_B: Tensor) -> Tensor:
    return values_B.view(-1, 1, 1, 1)


def _inside(axis: Tensor, start_B: Tensor, length_B: Tensor) -> Tensor:
    return (axis >= start_B[:, None]) & (axis < (start_B + length_B)[:, None])


def _require(name: str, value: float, holds: bool, allowed: str) -> None:
    if not holds:
        raise ValueError(f"augment.{name} is {value}; allowed is {allowed}")
