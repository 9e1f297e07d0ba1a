"""Flat drawings: filled outlines and lines in garment units, rasterised into four planes.

Garment units: x to the right, y down, both in [-1, 1] for a garment that fills the picture. Shapes: P points,
H and W pixels.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

Point = tuple[float, float]
Points = Sequence[Point]
Floats = NDArray[np.float32]

SUPERSAMPLE = 2  # drawn at twice the size and averaged: clean edges for a tenth of a millisecond
SHADE_UNIT = 150  # the byte that stands for "neither darker nor lighter"; leaves room up to 1.7
CIRCLE_POINTS = 20  # no corner is seen on a circle as wide as the picture at 128 pixels


@dataclass(frozen=True)
class Ink:
    """What a shape is made of: how bright, and how much of the trim and of the detail colour it takes (0 to 1)."""

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
        offset: where the garment's middle lies.
    """

    matrix: tuple[Point, Point]
    offset: Point

    def scale(self) -> float:
        """Frame units that one garment unit takes, averaged over directions."""
        (a, b), (c, d) = self.matrix
        return math.sqrt(abs(a * d - b * c))

    def to_frame(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
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
        along = (a * inverse * y)[:, None] - (c * inverse * x)[None, :]
        return across.astype(np.float32), along.astype(np.float32)


@dataclass
class Sketch:
    """Shapes in drawing order: later ones lie on top.

    Attributes:
        corner: added to every point, after `zoom`: lets one drawing hold the same thing twice (a pair of shoes).
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

    def _placed(self, points: Points) -> list[Point]:
        return [(self.corner[0] + self.zoom * x, self.corner[1] + self.zoom * y) for x, y in points]

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
        ends = np.cumsum([len(points) for points, _, _ in self.shapes])
        everything = np.array([point for points, _, _ in self.shapes for point in points])
        pixels = ((pose.to_frame(everything) + 1) * (fine / 2)).tolist()
        unit = pose.scale() * fine / 2
        for end, (points, ink, width) in zip(ends, self.shapes, strict=True):
            where = [tuple(point) for point in pixels[end - len(points) : end]]
            if width > 0:
                pen.line(where, fill=ink.levels(), width=max(1, round(width * unit)))
            else:
                pen.polygon(where, fill=ink.levels())
        bands = np.ascontiguousarray(np.asarray(image.reduce(SUPERSAMPLE)).transpose(2, 0, 1))
        return bands / np.array([255, SHADE_UNIT, 255, 255], dtype=np.float32)[:, None, None]


def flipped(points: Points) -> list[Point]:
    """Mirror left and right."""
    return [(-x, y) for x, y in points]


def whole(right: Points) -> list[Point]:
    """Close the right half of a symmetric outline, given from top to bottom, with its mirror image."""
    return [*right, *flipped(right)[::-1]]


def mix(start: Point, end: Point, share: float) -> Point:
    """The point that lies `share` of the way from start to end."""
    return start[0] + share * (end[0] - start[0]), start[1] + share * (end[1] - start[1])


def rounded(points: Points, rounds: int = 2) -> list[Point]:
    """Cut the corners of a closed outline (Chaikin 1974); a point given twice in a row stays a corner."""
    for _ in range(rounds):
        cut: list[Point] = []
        for start, end in zip(points, [*points[1:], points[0]], strict=True):
            cut += [start, end] if start == end else [mix(start, end, 0.25), mix(start, end, 0.75)]
        points = cut
    return list(points)


def curve(start: Point, control: Point, end: Point, steps: int = 7) -> list[Point]:
    """Points of a quadratic Bezier curve, both ends included."""
    shares = [step / (steps - 1) for step in range(steps)]
    return [mix(mix(start, control, t), mix(control, end, t), t) for t in shares]


@cache
def _unit_circle() -> tuple[Point, ...]:
    turns = (2 * math.pi * step / CIRCLE_POINTS for step in range(CIRCLE_POINTS))
    return tuple((math.cos(turn), math.sin(turn)) for turn in turns)


def ellipse(centre: Point, radius_x: float, radius_y: float) -> list[Point]:
    """Points of an upright ellipse, clockwise from its right end."""
    return [(centre[0] + radius_x * x, centre[1] + radius_y * y) for x, y in _unit_circle()]


def box(left: float, top: float, right: float, bottom: float) -> list[Point]:
    """Corners of a rectangle."""
    return [(left, top), (right, top), (right, bottom), (left, bottom)]
