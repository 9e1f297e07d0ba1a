"""What a distance means: how likely a hit is of the query's class, and from where on nothing is like it.

Both are read off queries whose answers are known. The fewer items there are, the farther even the nearest of
them is: so the second is read off for galleries of several sizes.
"""

import dataclasses
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from fashion_lab.nearness import Examples, measure
from fashion_lab.odds import LARGEST_ODDS, fit_odds

ALARMS = 0.05  # share of the known queries that may be called strange; the usual 5%
LEAST = 20  # queries with an answer, below which nothing is learnt; assumption


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """The meaning of an encoder's distances.

    Attributes:
        middle: the distance at which a hit is as likely of the query's class as not.
        slope: how fast the likelihood falls with distance: log odds per unit, > 0.
        thresholds: pairs of a gallery's number of items, ascending, and a distance: where even the nearest of
            so many is farther than this, nothing is like the query.
        alarms: share of the queries whose class was there that the last threshold calls strange.
        caught: share of the queries whose class had been taken out of the gallery that it calls strange.
        queries: how many there were.
        made_from: which pictures it was learnt on.
    """

    middle: float
    slope: float
    thresholds: Sequence[tuple[int, float]]
    alarms: float
    caught: float
    queries: int
    made_from: str

    def __post_init__(self) -> None:
        numbers = [self.middle, self.slope, self.alarms, self.caught, *itertools.chain(*self.thresholds)]
        if not all(isinstance(value, int | float) and math.isfinite(value) for value in numbers):
            raise ValueError(f"a calibration holds finite numbers, not {numbers}: export the bundle again")
        sizes = [size for size, _ in self.thresholds]
        if not sizes or sizes[0] < 1 or any(one >= two for one, two in itertools.pairwise(sizes)):
            raise ValueError(f"a calibration's thresholds are for galleries of {sizes} items: not ascending")

    def similarity(self, distance: float) -> float:
        """Estimate the probability that a hit at this distance is of the query's class: 1 .. 0."""
        odds = self.slope * (self.middle - distance)
        return 1 / (1 + math.exp(-odds)) if odds > -LARGEST_ODDS else 0.0

    def threshold(self, items: int) -> float:
        """Give the threshold for a gallery of so many items; past those that it was learnt for, the last."""
        sizes, distances = zip(*self.thresholds, strict=True)
        return float(np.interp(math.log(max(items, 1)), np.log(sizes), distances))

    def is_strange(self, nearest: float, items: int) -> bool:
        """Say whether a query whose nearest hit among so many items is this far off is like nothing there."""
        return nearest > self.threshold(items)

    def record(self) -> dict[str, Any]:
        """Give it as files keep it."""
        return dataclasses.asdict(self) | {"thresholds": [list(pair) for pair in self.thresholds]}

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> Self:
        """Undo `record`. Raises ValueError for other keys or values."""
        try:
            pairs = [(items, distance) for items, distance in record["thresholds"]]
            return cls(**{**record, "thresholds": pairs})
        except (TypeError, KeyError, ValueError) as error:
            raise ValueError(f"no calibration that this version reads: {error}; make it again") from error


def calibrate(queries: Examples, gallery: Examples, *, made_from: str) -> Calibration | None:
    """Learn what distances mean from queries in a gallery; None where too few of them have an answer.

    A picture that is in both is its own group: it does not see itself only if both give groups that say so.
    """
    if len(queries.vectors_ND) < LEAST or not len(gallery.vectors_ND):
        return None
    found = measure(queries, gallery)
    known_Q = found.known(-1)
    if len(known_Q) < LEAST or found.same_P.all() or not found.same_P.any():
        return None
    slope, middle = fit_odds(found.distance_P, found.same_P)
    if slope <= 0:  # nearer hits are no likelier to be right: such distances mean nothing
        return None
    thresholds = [
        (size, float(np.quantile(found.known(number), 1 - ALARMS)))
        for number, size in enumerate(found.sizes)
        if len(found.known(number)) >= LEAST
    ]
    _, threshold = thresholds[-1]
    return Calibration(
        middle=middle,
        slope=slope,
        thresholds=thresholds,
        alarms=float((known_Q > threshold).mean()),
        caught=float((found.strange_Q > threshold).mean()),
        queries=len(known_Q),
        made_from=made_from,
    )
