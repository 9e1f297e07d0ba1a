"""What a distance means: how likely a hit is of the query's class, and from where on nothing is like it.

Both are read off queries whose answers are known. Two pictures of one sender show one home and one light, so
where senders are known, a query does not see its own. The fewer items there are, the farther even the nearest
of them is: so the second is read off for galleries of several sizes.

Shape suffixes: Q queries, N gallery, D embedding, P pairs of a query and a hit.
"""

import dataclasses
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

HITS = 50  # nearest items whose classes teach the likelihood; assumption: more than anybody looks at
ALARMS = 0.05  # share of the known queries that may be called strange; the usual 5%
SMALLEST = 64  # items in the smallest gallery that a threshold is learnt for; assumption
AT_ONCE = 2**24  # distances at a time: 64 MiB; assumption
LEAST = 20  # queries with an answer, below which nothing is learnt; assumption
NEWTON_STEPS, ENOUGH, RIDGE = 100, 1e-9, 1e-9  # of a well-behaved curve in two unknowns: some ten steps do
LARGEST_ODDS = 700  # beyond it exp overflows

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Examples:
    """Embedded pictures whose classes are known.

    Attributes:
        vectors_ND: float32 [N, D].
        labels_N: their classes.
        groups_N: who took each: a query does not see its own group. None: nobody knows.
    """

    vectors_ND: Floats
    labels_N: Ints
    groups_N: Ints | None = None


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
    found = _measure(queries, _shuffled(gallery))
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


@dataclass(frozen=True, kw_only=True)
class _Measured:
    """What queries met in galleries of several sizes, each the beginning of the next.

    Attributes:
        sizes: how many items, ascending; the last is all.
        distance_P: of hits among all.
        same_P: whether these are of their query's class.
        nearest_SQ: to the nearest of the first so many items; inf where none of the query's class is there.
        strange_Q: to the nearest of all that is of another class.
    """

    sizes: list[int]
    distance_P: Floats
    same_P: NDArray[np.bool_]
    nearest_SQ: Floats
    strange_Q: Floats

    def known(self, number: int) -> Floats:
        """Give the nearest distances of those that have an answer in one of the galleries."""
        nearest_Q: Floats = self.nearest_SQ[number]
        return nearest_Q[np.isfinite(nearest_Q)]


def _shuffled(gallery: Examples) -> Examples:
    """Put a gallery into a drawn order, so that its beginning is a sample of it."""
    order_N = np.random.default_rng(0).permutation(len(gallery.vectors_ND))
    return Examples(
        vectors_ND=gallery.vectors_ND[order_N],
        labels_N=gallery.labels_N[order_N],
        groups_N=None if gallery.groups_N is None else gallery.groups_N[order_N],
    )


def _measure(queries: Examples, gallery: Examples) -> _Measured:
    """Measure hits, whether they are of the query's class, and the nearest of all and of other classes.

    The nearest of another class is always among the hits: all others may be right, and then nothing would say
    where right ends. A query without a visible item of its own class is left out: nothing is right for it.
    """
    mean_D = gallery.vectors_ND.mean(axis=0)
    gallery_ND, squares_N = gallery.vectors_ND - mean_D, np.square(gallery.vectors_ND - mean_D).sum(axis=1)
    count = len(gallery_ND)
    sizes = [count >> halved for halved in reversed(range(count.bit_length())) if count >> halved >= SMALLEST]
    sizes = sizes or [count]
    step, hits = max(1, AT_ONCE // count), min(HITS, count)
    distances, sames, nearests, stranges = [], [], [], []
    for start in range(0, len(queries.vectors_ND), step):
        some = slice(start, start + step)
        query_QD = queries.vectors_ND[some] - mean_D
        square_QN = np.square(query_QD).sum(axis=1)[:, None] + squares_N - 2 * (query_QD @ gallery_ND.T)
        distance_QN = np.sqrt(np.maximum(square_QN, 0))
        if queries.groups_N is not None and gallery.groups_N is not None:
            distance_QN[queries.groups_N[some, None] == gallery.groups_N] = np.inf
        same_QN = queries.labels_N[some, None] == gallery.labels_N
        right_QN = np.where(same_QN, distance_QN, np.inf)
        answered_Q = np.isfinite(right_QN).any(axis=1)
        distance_QN, same_QN, right_QN = distance_QN[answered_Q], same_QN[answered_Q], right_QN[answered_Q]
        other_QN = np.where(same_QN, np.inf, distance_QN)
        nearest_QK = np.argpartition(distance_QN, hits - 1, axis=1)[:, :hits]
        learnt_QN = np.zeros(distance_QN.shape, dtype=bool)
        np.put_along_axis(learnt_QN, nearest_QK, values=True, axis=1)
        np.put_along_axis(learnt_QN, other_QN.argmin(axis=1)[:, None], values=True, axis=1)
        distances.append(distance_QN[learnt_QN])
        sames.append(same_QN[learnt_QN])
        nearests.append([_nearest(distance_QN[:, :size], right_QN[:, :size]) for size in sizes])
        stranges.append(other_QN.min(axis=1))
    distance_P, same_P, strange_Q = map(np.concatenate, (distances, sames, stranges))
    seen_P = np.isfinite(distance_P)
    return _Measured(
        sizes=sizes,
        distance_P=distance_P[seen_P],
        same_P=same_P[seen_P],
        nearest_SQ=np.concatenate(nearests, axis=1),
        strange_Q=strange_Q,
    )


def _nearest(distance_QN: Floats, right_QN: Floats) -> Floats:
    """Give the nearest distance of each query; inf where nothing right is there."""
    return np.where(np.isfinite(right_QN.min(axis=1)), distance_QN.min(axis=1), np.inf)


def fit_odds(distance_P: Floats, same_P: NDArray[np.bool_]) -> tuple[float, float]:
    """Fit P(same) = 1 / (1 + exp(slope * (distance - middle))): slope and middle.

    Newton's method, damped, on Platt's smoothed targets (J. Platt 1999, "Probabilistic outputs for support
    vector machines", section 2.2), which keep the slope finite where the two sides do not overlap.
    """
    mean, spread = float(distance_P.mean()), float(distance_P.std()) or 1.0
    inputs_P2 = np.stack([(distance_P.astype(np.float64) - mean) / spread, np.ones(len(distance_P))], axis=1)
    right, wrong = int(same_P.sum()), int((~same_P).sum())
    target_P = np.where(same_P, (right + 1) / (right + 2), 1 / (wrong + 2))
    weights_2 = np.array([0.0, math.log((right + 1) / (wrong + 1))])

    def loss(weights_2: NDArray[np.float64]) -> float:
        odds_P = inputs_P2 @ weights_2
        return float((np.logaddexp(0, odds_P) - target_P * odds_P).sum())

    for _ in range(NEWTON_STEPS):
        chance_P = 1 / (1 + np.exp(-np.clip(inputs_P2 @ weights_2, -LARGEST_ODDS, LARGEST_ODDS)))
        slope_2 = inputs_P2.T @ (chance_P - target_P)
        curve_22 = (inputs_P2 * (chance_P * (1 - chance_P))[:, None]).T @ inputs_P2 + RIDGE * np.eye(2)
        step_2 = np.linalg.solve(curve_22, slope_2)
        while loss(weights_2 - step_2) > loss(weights_2) and np.abs(step_2).max() >= ENOUGH:
            step_2 /= 2  # where the curve is flat, a whole step leads far beyond the minimum
        weights_2 -= step_2
        if np.abs(step_2).max() < ENOUGH:
            break
    slope = -weights_2[0] / spread
    return float(slope), float(mean + weights_2[1] / slope) if slope else mean
