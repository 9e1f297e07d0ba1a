"""Flat drawings: filled outlines and lines in garment units, rasterised into four planes.

Shapes: P points, H and W pixels (always a square). Garment units: x to the right, y down.
"""

import math
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from fashion_lab.catalogs.drawing.outlines import Point, Points, flipped

Floats: TypeAlias = NDArray[np.floating[Any]]  # planes are float32, points float64

SUPERSAMPLE = 2  # drawn at twice the size and averaged: clean edges for a tenth of a millisecond
SHADE_UNIT = 150  # the byte that stands for "neither darker nor lighter"; leaves room up to 1.7


@dataclass(frozen=True)
class Ink:
    """What a shape is made of: how bright, and how much trim and detail colour it takes, from 0 to 1."""

    shade: float = 1.0
    trim: float = 0.0
    detail: float = 0.0

    def levels(self) -> tuple[int, int, int, int]:
        """Four bytes: coverage, shade, trim, detail."""
        return 255, min(255, round(SHADE_UNIT * self.shade)), round(255 * self.trim), round(255 * self.detail)


CLOTH = Ink()
SEAM = Ink(shade=0.74)
FOLD = Ink(shade=0.87)
INSIDE = Ink(shade=0.5)
TRIM = Ink(trim=1.0)
TRIM_SEAM = Ink(shade=0.74, trim=1.0)
DETAIL = Ink(detail=1.0)


@dataclass(frozen=True)
class Pose:
    """Where a garment lies: frame = offset + matrix * garment, the frame being [-1, 1] in both directions.

    Attributes:
        matrix: rows of the 2x2 part: rotation, shear, scale, flip.
        offset: where the garment's origin lies.
    """

    matrix: tuple[Point, Point]
    offset: Point

    def scale(self) -> float:
        """Frame units that one garment unit takes, averaged over directions."""
        (a, b), (c, d) = self.matrix
        return math.sqrt(abs(a * d - b * c))

    def to_frame(self, points: Floats) -> Floats:
        """Garment [P, 2] to frame [P, 2]; element by element, so that every machine rounds alike."""
        (a, b), (c, d) = self.matrix
        x, y = points[:, 0], points[:, 1]
        return np.stack([a * x + b * y + self.offset[0], c * x + d * y + self.offset[1]], axis=1)

    def garment_grid(self, size: int) -> tuple[Floats, Floats]:
        """Garment x and y of every pixel's centre, each [H, W]: where a pattern is looked up."""
        (a, b), (c, d) = self.matrix
        inverse = 1 / (a * d - b * c)
        centres = (np.arange(size) + 0.5) * (2 / size) - 1
        x, y = centres - self.offset[0], centres - self.offset[1]
        across = (d * inverse * x)[None, :] - (b * inverse * y)[:, None]
        down = (a * inverse * y)[:, None] - (c * inverse * x)[None, :]
        return across.astype(np.float32), down.astype(np.float32)


@dataclass
class Sketch:
    """Shapes in drawing order: later ones lie on top.

    Attributes:
        corner: added to every point, after `zoom`: one drawing can hold the same thing twice, as a pair.
        zoom: multiplies every point and line width.
        shapes: points, ink, and a line's width in garment units (0: a filled outline).
    """

    corner: Point = (0.0, 0.0)
    zoom: float = 1.0
    shapes: list[tuple[list[Point], Ink, float]] = field(default_factory=list)

    def area(self, points: Points, ink: Ink = CLOTH) -> None:
        """Fill an outline."""
        self.shapes.append((self._placed(points), ink, 0.0))

    def line(self, points: Points, ink: Ink = SEAM, width: float = 0.016) -> None:
        """Draw along points."""
        self.shapes.append((self._placed(points), ink, width * self.zoom))

    def areas(self, points: Points, ink: Ink = CLOTH, other: Ink | None = None) -> None:
        """Fill an outline and its mirror image on the left, which may have its own ink."""
        self.area(points, ink)
        self.area(flipped(points), ink if other is None else other)

    def lines(self, points: Points, ink: Ink = SEAM, width: float = 0.016) -> None:
        """Draw along points and along their mirror image."""
        self.line(points, ink, width)
        self.line(flipped(points), ink, width)

    def bounds(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom of everything drawn."""
        xs, ys = zip(*(point for points, _, _ in self.shapes for point in points), strict=True)
        return min(xs), min(ys), max(xs), max(ys)

    def planes(self, pose: Pose, size: int) -> Floats:
        """Rasterise to [4, H, W]: coverage, shade (1: neutral), trim, detail."""
        fine = size * SUPERSAMPLE
        # CMYK is Pillow's only mode of four plain bytes: RGBA would be averaged with its alpha.
        image = Image.new("CMYK", (fine, fine), (0, SHADE_UNIT, 0, 0))
        pen = ImageDraw.Draw(image)
        everything = np.array([point for points, _, _ in self.shapes for point in points])
        pixels = iter(map(tuple, ((pose.to_frame(everything) + 1) * (fine / 2)).tolist()))
        for points, ink, width in self.shapes:
            where = [next(pixels) for _ in points]
            if width > 0:
                pen.line(where, fill=ink.levels(), width=max(1, round(width * pose.scale() * fine / 2)))
            else:
                pen.polygon(where, fill=ink.levels())
        bands = np.ascontiguousarray(np.asarray(image.reduce(SUPERSAMPLE)).transpose(2, 0, 1))
        return bands / np.array([255, SHADE_UNIT, 255, 255], dtype=np.float32)[:, None, None]

    def _placed(self, points: Points) -> list[Point]:
        return [(self.corner[0] + self.zoom * x, self.corner[1] + self.zoom * y) for x, y in points]
