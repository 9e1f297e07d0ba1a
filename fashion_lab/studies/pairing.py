"""The difference of two recipes from runs that share what else could differ: seed, fold and pictures."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from fashion_lab.outcomes import CORRECT
from fashion_lab.studies.amounts import Amount, over_pictures, over_repeats
from fashion_lab.studies.draws import mean_interval
from fashion_lab.studies.groups import nested_estimate, repeat_of
from fashion_lab.studies.resampling import mcnemar
from fashion_lab.studies.runs import Run
from fashion_lab.studies.shelf import Scores, Shelf, joined


class Side(NamedTuple):
    """Runs of a recipe, and the metric that is compared."""

    runs: Sequence[Run]
    metric: str


Repeat: TypeAlias = tuple[Any, Any]
"""Fold and seed."""
Pairs: TypeAlias = Mapping[Repeat, tuple[Sequence[Run], Sequence[Run]]]


@dataclass(frozen=True)
class Difference:
    """Ours - theirs.

    Attributes:
        amount: the mean difference with its interval.
        p_values: McNemar's, one a seed, all folds together; empty where it does not apply.
        pairs: how many seeds and folds both have.
        unpaired: how many one of both has and the other not.
        repeats: where `amount` is over pictures, the one over seeds or folds, if there are several.
    """

    amount: Amount
    p_values: Sequence[float]
    pairs: int
    unpaired: int
    repeats: Amount | None = None


def difference(ours: Side, theirs: Side, shelf: Shelf) -> Difference | None:
    """Compare runs of equal seed and fold; None where there are none.

    Where all of them have outcomes of the same pictures, these are averaged over seeds, the folds are put
    together, and the interval is over senders (pictures where nobody knows them): would other pictures say
    the same of these networks? Student's, over the differences of folds where there are several, else of
    seeds, stands beside it: would other trainings? Without such outcomes it stands alone.
    """
    mine, yours = _by_repeat(ours), _by_repeat(theirs)
    pairs = {repeat: (runs, yours[repeat]) for repeat, runs in mine.items() if repeat in yours}
    if not pairs:
        return None
    unpaired = len(mine.keys() ^ yours.keys())
    values = {
        repeat: [_mean(runs, ours.metric) - _mean(others, theirs.metric)]
        for repeat, (runs, others) in pairs.items()
    }
    over = "folds" if len({fold for fold, _ in pairs}) > 1 else "seeds"
    repeats = over_repeats(nested_estimate(values), over)
    found = _over_pictures(pairs, ours.metric, theirs.metric, shelf)
    if found is None:
        return Difference(repeats, (), len(pairs), unpaired)
    p_values = _p_values(pairs, ours.metric, theirs.metric, shelf)
    return Difference(found, p_values, len(pairs), unpaired, None if repeats.half is None else repeats)


def _by_repeat(side: Side) -> dict[Repeat, list[Run]]:
    found: dict[Repeat, list[Run]] = defaultdict(list)
    for run in side.runs:
        if side.metric in run.result["metrics"]:
            found[repeat_of(run)].append(run)
    return dict(found)


def _mean(runs: Iterable[Run], metric: str) -> float:
    return fmean(float(run.result["metrics"][metric]) for run in runs)


def _over_pictures(pairs: Pairs, our_metric: str, their_metric: str, shelf: Shelf) -> Amount | None:
    """Compare picture by picture; None where a run has no outcomes, or pictures differ."""
    by_fold: dict[Any, list[Scores]] = defaultdict(list)
    for (fold, _), (runs, others) in pairs.items():
        mine, yours = shelf.mean_scores(runs, our_metric), shelf.mean_scores(others, their_metric)
        if mine is None or yours is None:
            return None
        if not mine.of.same_pictures(yours.of):
            shelf.problems.append(
                f"{runs[0].folder} and {others[0].folder} were measured on other pictures: not comparable"
            )
            return None
        by_fold[fold].append(Scores(mine.of, mine.values_N - yours.values_N))
    folds: dict[Any, Scores] = {}
    for fold, seeds in by_fold.items():
        if not all(seeds[0].of.same_pictures(other.of) for other in seeds):
            return None
        folds[fold] = Scores(seeds[0].of, np.mean([scores.values_N for scores in seeds], axis=0))
    together = joined(folds)
    if together is None or not np.isfinite(together[0]).any():
        return None
    values_N, groups_N = together
    return over_pictures(mean_interval(values_N, groups_N), groups_N is not None)


def _p_values(pairs: Pairs, our_metric: str, their_metric: str, shelf: Shelf) -> list[float]:
    """McNemar's p of each seed, its folds together, the first of its repeats.

    Not of a vote over seeds: that tests an ensemble that nobody proposes, and a mean is not right or wrong.
    """
    if not our_metric.endswith(f"/{CORRECT}") or not their_metric.endswith(f"/{CORRECT}"):
        return []
    seeds: dict[Any, list[tuple[Scores, Scores]]] = defaultdict(list)
    for (_, seed), (runs, others) in pairs.items():
        mine, yours = shelf.scores(runs[0], our_metric), shelf.scores(others[0], their_metric)
        assert mine is not None, f"no outcomes of {runs[0].folder}"
        assert yours is not None, f"no outcomes of {others[0].folder}"
        seeds[seed].append((mine, yours))
    return [
        mcnemar(*(np.concatenate([pair[side].values_N for pair in folds]) > 0.5 for side in (0, 1)))
        for _, folds in sorted(seeds.items())
    ]
