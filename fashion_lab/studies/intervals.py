"""From repeats to a mean with its 95 % interval."""

import math
from collections.abc import Sequence
from statistics import fmean, stdev
from typing import NamedTuple

LEVEL = 0.95


class Estimate(NamedTuple):
    """A mean, half the width of its interval (None for a single value), and of how many values."""

    mean: float
    half: float | None
    values: int


def estimate(values: Sequence[float]) -> Estimate:
    """Mean and half of Student's 95 % interval over independent values.

    The variance is that of the values, with n - 1 degrees of freedom. NaN in, NaN out.
    """
    assert values, "an estimate of nothing"
    if not all(map(math.isfinite, values)):
        return Estimate(math.nan, None, len(values))
    if len(values) == 1:
        return Estimate(values[0], None, 1)
    from scipy.special import stdtrit  # Student's quantile without scipy.stats, which takes seconds to import

    quantile = float(stdtrit(len(values) - 1, (1 + LEVEL) / 2))
    return Estimate(fmean(values), quantile * stdev(values) / math.sqrt(len(values)), len(values))
