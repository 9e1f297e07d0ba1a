"""What a distance means: how likely a hit is of the query's class, and from where on nothing is like it.

Both are read off queries whose answers are known. Two pictures of one sender show one home and one light, so
where senders are known, a query does not see its own.

Shape suffixes: Q queries, N gallery, D embedding, P pairs of a query and a hit.
"""

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

HITS = 50  # nearest items whose classes teach the likelihood; assumption: more than anybody looks at
ALARMS = 0.05  # share of the known queries that may be called strange; the usual 5%
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
        threshold: where even the nearest hit is farther than this, nothing is like the query.
        alarms: share of the queries whose class was there that the threshold calls strange.
        caught: share of the queries whose class had been taken out of the gallery that it calls strange.
        queries: how many there were.
        made_from: which pictures it was learnt on.
    """

    middle: float
    slope: float
    threshold: float
    alarms: float
    caught: float
    queries: int
    made_from: str

    def __post_init__(self) -> None:
        numbers = (self.middle, self.slope, self.threshold, self.alarms, self.caught)
        if not all(isinstance(value, int | float) and math.isfinite(value) for value in numbers):
            raise ValueError(f"a calibration holds finite numbers, not {numbers}: export the bundle again")

    def similarity(self, distance: float) -> float:
        """Estimate the probability that a hit at this distance is of the query's class: 1 .. 0."""
        odds = self.slope * (self.middle - distance)
        return 1 / (1 + math.exp(-odds)) if odds > -LARGEST_ODDS else 0.0

    def is_strange(self, nearest: float) -> bool:
        """Say whether a query whose nearest hit is this far off is like nothing there."""
        return nearest > self.threshold

    def record(self) -> dict[str, Any]:
        """Give it as files keep it."""
        return dataclasses.asdict(self)

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> Self:
        """Undo `record`. Raises ValueError for other keys or values."""
        try:
            return cls(**record)
        except TypeError as error:
            raise ValueError(f"no calibration: {error}") from error


def calibrate(queries: Examples, gallery: Examples, *, made_from: str) -> Calibration | None:
    """Learn what distances mean from queries in a gallery; None where too few of them have an answer.

    A picture that is in both is its own group: it does not see itself only if both give groups that say so.
    """
    if len(queries.vectors_ND) < LEAST or not len(gallery.vectors_ND):
        return None
    distance_P, same_P, known_Q, strange_Q = _measure(queries, gallery)
    if len(known_Q) < LEAST or same_P.all() or not same_P.any():
        return None
    slope, middle = fit_odds(distance_P, same_P)
    threshold = float(np.quantile(known_Q, 1 - ALARMS))
    if slope <= 0:  # nearer hits are no likelier to be right: such distances mean nothing
        return None
    return Calibration(
        middle=middle,
        slope=slope,
        threshold=threshold,
        alarms=float((known_Q > threshold).mean()),
        caught=float((strange_Q > threshold).mean()),
        queries=len(known_Q),
        made_from=made_from,
    )


def _measure(queries: Examples, gallery: Examples) -> tuple[Floats, NDArray[np.bool_], Floats, Floats]:
    """Measure hits, whether they are of the query's class, and the nearest of all and of other classes.

    The nearest of another class is always among the hits: all others may be right, and then nothing would say
    where right ends. A query without a visible item of its own class is left out: nothing is right for it.
    """
    mean_D = gallery.vectors_ND.mean(axis=0)
    gallery_ND, squares_N = gallery.vectors_ND - mean_D, np.square(gallery.vectors_ND - mean_D).sum(axis=1)
    step, hits = max(1, AT_ONCE // len(gallery_ND)), min(HITS, len(gallery_ND))
    distances, sames, knowns, stranges = [], [], [], []
    for start in range(0, len(queries.vectors_ND), step):
        some = slice(start, start + step)
        query_QD = queries.vectors_ND[some] - mean_D
        square_QN = np.square(query_QD).sum(axis=1)[:, None] + squares_N - 2 * (query_QD @ gallery_ND.T)
        distance_QN = np.sqrt(np.maximum(square_QN, 0))
        if queries.groups_N is not None and gallery.groups_N is not None:
            distance_QN[queries.groups_N[some, None] == gallery.groups_N] = np.inf
        same_QN = queries.labels_N[some, None] == gallery.labels_N
        answered_Q = np.isfinite(np.where(same_QN, distance_QN, np.inf)).any(axis=1)
        distance_QN, same_QN = distance_QN[answered_Q], same_QN[answered_Q]
        other_QN = np.where(same_QN, np.inf, distance_QN)
        nearest_QK = np.argpartition(distance_QN, hits - 1, axis=1)[:, :hits]
        learnt_QN = np.zeros(distance_QN.shape, dtype=bool)
        np.put_along_axis(learnt_QN, nearest_QK, values=True, axis=1)
        np.put_along_axis(learnt_QN, other_QN.argmin(axis=1)[:, None], values=True, axis=1)
        distances.append(distance_QN[learnt_QN])
        sames.append(same_QN[learnt_QN])
        knowns.append(distance_QN.min(axis=1))
        stranges.append(other_QN.min(axis=1))
    distance_P, same_P, known_Q, strange_Q = map(np.concatenate, (distances, sames, knowns, stranges))
    seen_P = np.isfinite(distance_P)
    return distance_P[seen_P], same_P[seen_P], known_Q, strange_Q


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
