"""Per-picture scores of runs, by the metric whose mean they are; each file is read once for a report."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fashion_lab.outcomes import BESIDE, FOLDER, LAST_EPOCH, START, VALIDATION, Outcomes, beside
from fashion_lab.studies.resampling import Floats
from fashion_lab.studies.runs import Run

SPLITS = {"val": VALIDATION, "val_start": START, "val_last": LAST_EPOCH}
"""Prefixes of metrics that are not the names of their files."""


class Scores(NamedTuple):
    """A metric of one or several runs, picture by picture, and the outcomes that say which pictures."""

    of: Outcomes
    values_N: Floats


class Shelf:
    """Outcomes of runs.

    Attributes:
        problems: what is there and cannot be read, or compared, a line each.
    """

    def __init__(self) -> None:
        self.problems: list[str] = []
        self._read: dict[tuple[Path, str], Outcomes | None] = {}

    def scores(self, run: Run, metric: str) -> Scores | None:
        """Find a metric's scores (`val/map_at_r`: `map_at_r` of validation outcomes); None without them."""
        found, name = self.outcomes(run, metric), metric.partition("/")[2]
        if found is None or name not in found.scores or not len(found):
            return None
        return Scores(found, found.scores[name])

    def mean_scores(self, runs: Sequence[Run], metric: str) -> Scores | None:
        """Average the scores of runs picture by picture; None where one lacks them or has other pictures."""
        each = [self.scores(run, metric) for run in runs]
        known = [scores for scores in each if scores is not None]
        if not known or len(known) < len(each) or not all(_alike(known[0], other) for other in known):
            return None
        return Scores(known[0].of, np.mean([scores.values_N for scores in known], axis=0))

    def outcomes(self, run: Run, metric: str) -> Outcomes | None:
        """Find the outcomes of the split that a metric is of; None without them."""
        split = _file(metric.partition("/")[0])
        if (run.folder, split) not in self._read:
            self._read[run.folder, split] = self._load(run.folder, split)
        return self._read[run.folder, split]

    def _load(self, folder: Path, split: str) -> Outcomes | None:
        if not (folder / FOLDER / f"{split}.npz").is_file():
            return None
        try:
            return dataclasses.replace(Outcomes.load(folder, split), probabilities_NC=None)
        except ValueError as error:
            self.problems.append(str(error))
            return None


def _file(prefix: str) -> str:
    """Name the file that a metric is of: `test raw pixels/map_at_r` is of `test-raw`."""
    for embedding in BESIDE:
        split = prefix.removesuffix(f" {embedding}")
        if split != prefix:
            return beside(_file(split), embedding)
    return SPLITS.get(prefix, prefix)


def _alike(one: Scores, other: Scores) -> bool:
    return one.of is other.of or one.of.same_pictures(other.of)


def joined(folds: Mapping[object, Scores]) -> tuple[Floats, NDArray[np.int64] | None] | None:
    """Put folds together: values [N] and who took each picture; None where folds share a picture."""
    items_N = np.concatenate([scores.of.items_N for scores in folds.values()])
    if len(np.unique(items_N)) < len(items_N) and len(folds) > 1:
        return None
    groups = [scores.of.groups_N for scores in folds.values()]
    known = [groups_N for groups_N in groups if groups_N is not None]
    values_N = np.concatenate([scores.values_N for scores in folds.values()])
    return values_N, (np.concatenate(known) if len(known) == len(groups) else None)
