"""A number and how sure it is: over repeats where there are several, else over the only run's pictures."""

import dataclasses
import math
from collections.abc import Sequence
from typing import NamedTuple

from fashion_lab.studies.draws import mean_interval
from fashion_lab.studies.groups import Row
from fashion_lab.studies.intervals import Estimate
from fashion_lab.studies.resampling import Interval
from fashion_lab.studies.runs import Run
from fashion_lab.studies.shelf import Shelf


class Amount(NamedTuple):
    """A mean with its 95% interval.

    Attributes:
        value: the mean; NaN where a run has NaN.
        low: the interval's lower end; None where nothing says how sure the mean is.
        high: its upper end.
        units: of how many.
        over: of what: `folds`, `seeds`, `senders` or `pictures`, or one of the last two.
        repeats: of how many folds or seeds the mean is.
    """

    value: float
    low: float | None
    high: float | None
    units: int
    over: str
    repeats: int = 1

    @property
    def half(self) -> float | None:
        """Half the interval's width, for `value ± half`."""
        return None if self.low is None or self.high is None else (self.high - self.low) / 2

    @property
    def is_over_pictures(self) -> bool:
        """Whether the interval is one of pictures: what another seed would change is not in it."""
        return self.over not in ("folds", "seeds")


def over_repeats(found: Estimate, over: str) -> Amount:
    """Take over an estimate of repeats."""
    low, high = (None, None) if found.half is None else (found.mean - found.half, found.mean + found.half)
    return Amount(found.mean, low, high, found.values, over, found.values)


def over_pictures(found: Interval, has_senders: bool | None) -> Amount:
    """Take over an interval of pictures, or of senders (None: not said which); one unit says nothing."""
    low, high = (None, None) if found.units < 2 else (found.low, found.high)
    over = {True: "senders", False: "pictures", None: "senders or pictures"}[has_senders]
    return Amount(found.value, low, high, found.units, over)


def amount(row: Row, metric: str, shelf: Shelf) -> Amount | None:
    """Find a recipe's metric with its interval; None where no run has it."""
    found = row.estimate(metric)
    if found is None:
        return None
    runs = [run for run in row.runs if metric in run.result["metrics"]]
    alone = _of_pictures(runs, metric, shelf) if found.values == 1 and math.isfinite(found.mean) else None
    if alone is not None:
        return alone._replace(value=found.mean)
    return over_repeats(found, dataclasses.replace(row, runs=runs).over)


def _of_pictures(runs: Sequence[Run], metric: str, shelf: Shelf) -> Amount | None:
    """Find the interval of a single seed and fold: what its evaluation says, else that of its outcomes."""
    measured = runs[0].intervals.get(metric)
    if len(runs) == 1 and measured is not None:
        known = shelf.outcomes(runs[0], metric)
        return over_pictures(measured, None if known is None else known.groups_N is not None)
    scores = shelf.mean_scores(runs, metric)
    if scores is None:
        return None
    return over_pictures(mean_interval(scores.values_N, scores.of.groups_N), scores.of.groups_N is not None)
