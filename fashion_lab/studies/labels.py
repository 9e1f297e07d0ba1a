"""Places for the names of points, so that none covers another, a point or its bar. Lengths are pixels."""

import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

STEPS = tuple(range(7, 200, 8))  # how far from its point a name is tried, near ones first; tried out
SIDES = ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, 1), (1, -1), (-1, -1))
"""Where a name is tried at each distance: right of its point, left, above, below, then the corners."""


class Box(NamedTuple):
    """A rectangle: left, bottom, right, top."""

    left: float
    bottom: float
    right: float
    top: float

    def meets(self, other: "Box") -> bool:
        """Whether two rectangles share more than an edge."""
        return (
            self.left < other.right
            and other.left < self.right
            and self.bottom < other.top
            and other.bottom < self.top
        )

    def is_in(self, other: "Box") -> bool:
        """Whether another rectangle holds this one."""
        return (
            other.left <= self.left
            and other.bottom <= self.bottom
            and self.right <= other.right
            and self.top <= other.top
        )


def free_place(
    point: tuple[float, float], size: tuple[float, float], taken: Sequence[Box], bounds: Box
) -> Box | None:
    """Find the nearest place for a name that is within the bounds and meets nothing; None within no reach.

    Args:
        point: x and y of what is named.
        size: the name's width and height.
        taken: what must stay free: names that are placed, points, bars.
        bounds: the panel.
    """
    for place in _places(point, size):
        if place.is_in(bounds) and not any(place.meets(other) for other in taken):
            return place
    return None


def _places(point: tuple[float, float], size: tuple[float, float]) -> Iterator[Box]:
    (x, y), (width, height) = point, size
    for step, (right, up) in itertools.product(STEPS, SIDES):
        left = x + right * step - (width if right < 0 else width / 2 if right == 0 else 0)
        bottom = y + up * step - (height if up < 0 else height / 2 if up == 0 else 0)
        yield Box(left, bottom, left + width, bottom + height)
