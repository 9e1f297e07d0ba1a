"""How sure a number is, from the pictures that it was measured on: bootstrap intervals and paired tests.

Pictures of one sender are alike, so where senders are known, whole senders are drawn, never pictures of them:
a cluster bootstrap (Davison and Hinkley 1997, "Bootstrap Methods and Their Application", 3.8). A draw
is a row of weights, one for each picture: how often it was drawn. So a statistic of any kind, a mean, a
macro recall, a calibration error, is a function of weights, and runs over many draws at once.

Shape suffixes: N pictures, G groups, B draws.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

DRAWS = 10_000  # the ends of an interval then move by some 2% of its width from seed to seed
WEIGHTS_AT_ONCE = 2**22  # 32 MiB; changes no result
LEVEL = 0.95

Floats: TypeAlias = NDArray[np.float64]
Statistic: TypeAlias = Callable[[Floats], Floats]
"""Weights [B, N] to values [B]; NaN where a draw has no value."""


@dataclass(frozen=True)
class Interval:
    """A value, the ends of its 95% interval (equal to it where there is one group only), and of how many.

    Attributes:
        value: the statistic of the pictures themselves.
        low: the 2.5% quantile of its draws.
        high: the 97.5% quantile.
        units: how many groups, or pictures where there are no groups, were drawn from.
    """

    value: float
    low: float
    high: float
    units: int

    @property
    def half(self) -> float:
        """Half its width, for `value ± half`."""
        return (self.high - self.low) / 2


def mean_of(values_N: Floats) -> Statistic:
    """Make the weighted mean of values a statistic; NaN values (a query without an answer) do not count."""
    known_N = np.isfinite(values_N)
    filled_N = np.where(known_N, values_N, 0.0)

    def mean(weights_BN: Floats) -> Floats:
        with np.errstate(invalid="ignore", divide="ignore"):
            found: Floats = weights_BN @ filled_N / (weights_BN @ known_N.astype(np.float64))
        return found

    return mean


def bootstrap(
    statistic: Statistic,
    count: int,
    groups_N: NDArray[np.int64] | None = None,
    *,
    draws: int = DRAWS,
    seed: int = 0,
) -> Interval:
    """Find a statistic's percentile interval over pictures, or over groups where these are known.

    Args:
        statistic: of `count` pictures.
        count: N, at least 1.
        groups_N: who took each picture; None draws pictures.
        draws: B.
        seed: of the draws: the same each time, so that two recipes meet the same ones.
    """

    def column(weights_BN: Floats) -> Floats:
        return statistic(weights_BN)[:, None]

    (found,) = bootstrap_each(column, count, groups_N, draws=draws, seed=seed)
    return found


def bootstrap_each(
    statistics: Statistic,
    count: int,
    groups_N: NDArray[np.int64] | None = None,
    *,
    draws: int = DRAWS,
    seed: int = 0,
) -> list[Interval]:
    """Find the intervals of several statistics by the same draws: weights [B, N] to values [B, M]."""
    assert count > 0, "a statistic of nothing"
    units_N = np.arange(count) if groups_N is None else np.unique(groups_N, return_inverse=True)[1]
    assert len(units_N) == count, f"{len(units_N)} groups for {count} pictures"
    units = int(units_N.max()) + 1
    values_M = statistics(np.ones((1, count)))[0]
    rng, found, step = np.random.default_rng(seed), [], max(1, WEIGHTS_AT_ONCE // count)
    for start in range(0, draws, step):
        drawn_BG = rng.multinomial(units, np.full(units, 1 / units), size=min(step, draws - start))
        found.append(statistics(drawn_BG[:, units_N].astype(np.float64)))
    draws_BM = np.concatenate(found)
    return [_interval(float(values_M[m]), draws_BM[:, m], units) for m in range(len(values_M))]


def _interval(value: float, draws_B: Floats, units: int) -> Interval:
    draws_B = draws_B[np.isfinite(draws_B)]
    if not len(draws_B) or not math.isfinite(value):
        return Interval(math.nan, math.nan, math.nan, units)
    low, high = np.quantile(draws_B, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]).tolist()
    return Interval(value, low, high, units)


def mcnemar(ours_N: NDArray[np.bool_], theirs_N: NDArray[np.bool_]) -> float:
    """Give the two-sided p of "both are right equally often" (Q. McNemar 1947; exact, from the binomial).

    Only pictures that one has right and the other wrong count. It takes pictures as independent: with several
    of a sender it is too sure of itself, and `draws.paired_difference` over senders is the one to go by.
    """
    from scipy.special import bdtr

    only_ours, only_theirs = int((ours_N & ~theirs_N).sum()), int((theirs_N & ~ours_N).sum())
    discordant = only_ours + only_theirs
    return min(1.0, 2 * float(bdtr(min(only_ours, only_theirs), discordant, 0.5))) if discordant else 1.0
