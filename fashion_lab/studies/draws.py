"""The bootstrap of a mean, many times over the same senders: that of `resampling.bootstrap`, and quicker.

A report asks for hundreds of means over the same few hundred senders. Its draws are those of `bootstrap` with
the same seed, made once; and a mean needs a sender's sum and count only, not each of its pictures. Products
are in float32: ends differ from those of `bootstrap` by some 1e-7 of the values. Measured for 1,109 senders
of 2,553 pictures on one core: 8 ms a mean instead of 900.

Shape suffixes: N pictures, U units (senders, or pictures where nobody knows them), B draws.
"""

import functools
import math

import numpy as np
from numpy.typing import NDArray

from fashion_lab.studies.resampling import DRAWS, LEVEL, Floats, Interval, bootstrap, mean_of

MOST_UNITS = 5_000  # beyond, the draws would take more than 200 MB; assumption
AT_ONCE = 2**22  # numbers; bounds the memory, changes no result


def mean_interval(values_N: Floats, groups_N: NDArray[np.int64] | None = None) -> Interval:
    """Find the mean of values and its percentile interval over groups, or over pictures without groups.

    NaN values (a query without an answer) do not count.
    """
    count = len(values_N)
    assert count > 0, "a mean of nothing"
    units_N = np.arange(count) if groups_N is None else np.unique(groups_N, return_inverse=True)[1]
    units = int(units_N.max()) + 1
    if units > MOST_UNITS:
        return bootstrap(mean_of(values_N), count, groups_N)
    known_N = np.isfinite(values_N)
    if not known_N.any():
        return Interval(math.nan, math.nan, math.nan, units)
    sums_U = np.bincount(units_N, np.where(known_N, values_N, 0.0), units).astype(np.float64)
    counts_U = np.bincount(units_N, known_N, units).astype(np.float64)
    means_B = _means(sums_U, counts_U)
    low, high = np.quantile(means_B[np.isfinite(means_B)], [(1 - LEVEL) / 2, (1 + LEVEL) / 2]).tolist()
    return Interval(float(sums_U.sum() / counts_U.sum()), low, high, units)


def paired_difference(
    ours_N: Floats, theirs_N: Floats, groups_N: NDArray[np.int64] | None = None
) -> Interval:
    """Find the interval of the mean of ours - theirs on the same pictures: what both share cancels."""
    assert ours_N.shape == theirs_N.shape, f"{ours_N.shape} and {theirs_N.shape}: give the same pictures"
    return mean_interval(ours_N - theirs_N, groups_N)


def _means(sums_U: Floats, counts_U: Floats) -> Floats:
    """Find the mean in each draw [B]; NaN where a draw has no value. Centred, so that float32 is enough."""
    centre = sums_U.sum() / counts_U.sum()
    both_U2 = np.stack([sums_U - centre * counts_U, counts_U], axis=1).astype(np.float32)
    sums_B, counts_B = (_draws(len(sums_U)) @ both_U2).astype(np.float64).T
    with np.errstate(invalid="ignore", divide="ignore"):
        means_B: Floats = centre + sums_B / counts_B
    return means_B


@functools.lru_cache(maxsize=2)  # the folds together, and one other split
def _draws(units: int) -> NDArray[np.float32]:
    """How often each unit is in each draw, [B, U]; the draws that `bootstrap` makes with seed 0."""
    rng, shares_U, step = np.random.default_rng(0), np.full(units, 1 / units), max(1, AT_ONCE // units)
    parts = [
        rng.multinomial(units, shares_U, size=min(step, DRAWS - start)).astype(np.float32)
        for start in range(0, DRAWS, step)
    ]
    return np.concatenate(parts)
