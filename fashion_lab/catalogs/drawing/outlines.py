"""Points of outlines and curves, in garment units: x to the right, y down."""

import math
from collections.abc import Sequence
from functools import cache

Point = tuple[float, float]
Points = Sequence[Point]

CIRCLE_POINTS = 20  # no corner is seen on a circle as wide as the picture at 128 pixels


def mix(start: Point, end: Point, share: float) -> Point:
    """The point that lies `share` of the way from start to end."""
    return start[0] + share * (end[0] - start[0]), start[1] + share * (end[1] - start[1])


def along(start: Point, angle: float, length: float) -> Point:
    """The point `length` away, at an angle from straight down, in radians; positive is to the right."""
    return start[0] + math.sin(angle) * length, start[1] + math.cos(angle) * length


def flipped(points: Points) -> list[Point]:
    """Mirror left and right."""
    return [(-x, y) for x, y in points]


def whole(right: Points) -> list[Point]:
    """Close the right half of a symmetric outline, given from top to bottom, with its mirror image."""
    return [*right, *flipped(right)[::-1]]


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
