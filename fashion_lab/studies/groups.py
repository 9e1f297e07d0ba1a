"""From runs to studies: what may be compared, which runs repeat one recipe, which keys tell recipes apart."""

import json
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any

from fashion_lab.studies.conditions import conditions, told_apart
from fashion_lab.studies.intervals import Estimate, estimate
from fashion_lab.studies.recipes import label, overridden, recipe
from fashion_lab.studies.runs import Run


@dataclass(frozen=True)
class Row:
    """One recipe: the labels that tell it from the others, and its runs over seeds and folds."""

    labels: Mapping[str, str]
    runs: Sequence[Run]

    @property
    def seeds(self) -> list[int]:
        """The seeds that were run."""
        return sorted({int(run.result["seed"]) for run in self.runs})

    @property
    def folds(self) -> list[int]:
        """The folds that were run; empty for fixed splits."""
        return sorted({fold for run in self.runs if (fold := run.config.get("data.fold")) is not None})

    @property
    def values(self) -> int:
        """Of how many values an estimate is that no run lacks: folds where there are several, else seeds."""
        return len(self.folds) if len(self.folds) > 1 else len(self.seeds)

    @property
    def repeats(self) -> int:
        """How many runs repeat a seed and fold that another run has."""
        return len(self.runs) - len({repeat_of(run) for run in self.runs})

    @property
    def over(self) -> str:
        """What an estimate is over."""
        return "folds" if len(self.folds) > 1 else "seeds"

    @property
    def minutes(self) -> float:
        """Minutes of a run, on average."""
        return fmean(float(run.result["seconds"]["total"]) for run in self.runs) / 60

    def counts(self, name: str) -> list[int]:
        """What its runs say of their networks (`parameters`, `multiply_adds`): one number, if all agree."""
        return sorted({run.result[name] for run in self.runs if run.result.get(name) is not None})

    def estimate(self, metric: str) -> Estimate | None:
        """Mean and interval over folds where there are several, else over seeds; None where no run has it."""
        found: dict[tuple[Any, Any], list[float]] = defaultdict(list)
        for run in self.runs:
            if metric in run.result["metrics"]:
                found[repeat_of(run)].append(float(run.result["metrics"][metric]))
        return nested_estimate(found) if found else None


@dataclass(frozen=True)
class Study:
    """Runs that may be compared: the conditions they share, the keys that tell rows apart, best row first."""

    conditions: Mapping[str, str]
    keys: Sequence[str]
    rows: Sequence[Row]

    @property
    def runs(self) -> list[Run]:
        """All runs of all rows."""
        return [run for row in self.rows for run in row.runs]


def studies_of(runs: Sequence[Run], across: Sequence[str] = ()) -> list[Study]:
    """Sort runs into studies, those that are not comparable apart; conditions in `across` may differ."""
    apart: dict[str, list[Run]] = defaultdict(list)
    for run in runs:
        apart[json.dumps(conditions(run, across))].append(run)
    shared = told_apart([json.loads(said) for said in apart])
    return [_study(said, members) for said, members in zip(shared, apart.values(), strict=True)]


def ordered(study: Study, metric: str, *, less_is_better: bool = False) -> Study:
    """Sort a study's rows by a metric, those without a value last."""

    def badness(row: Row) -> float:
        found = row.estimate(metric)
        if found is None or math.isnan(found.mean):
            return math.inf
        return found.mean if less_is_better else -found.mean

    return replace(study, rows=sorted(study.rows, key=badness))


def repeat_of(run: Run) -> tuple[Any, Any]:
    """Which repeat of its recipe a run is: fold (None for fixed splits) and seed."""
    return run.config.get("data.fold"), run.result["seed"]


def nested_estimate(values: Mapping[tuple[Any, Any], Sequence[float]]) -> Estimate:
    """Mean and interval of values by fold and seed: over folds where there are several, else over seeds.

    A fold counts with the mean over its seeds, a seed with that over its repeats: runs of one fold share
    their pictures, so they are not independent.
    """
    folds: dict[Any, list[float]] = defaultdict(list)
    for (fold, _), repeats in values.items():
        folds[fold].append(fmean(repeats))
    by_fold = list(folds.values())
    return estimate([fmean(seeds) for seeds in by_fold] if len(by_fold) > 1 else by_fold[0])


def _study(shared: Mapping[str, str], runs: Sequence[Run]) -> Study:
    alike: dict[str, list[Run]] = defaultdict(list)
    for run in runs:
        alike[json.dumps(recipe(run), sort_keys=True, default=str)].append(run)
    groups = list(alike.values())
    keys = _telling_keys(groups)
    rows = [Row({key: label(group, key) for key in keys}, group) for group in groups]
    monitor = runs[0].result["monitor"]
    return ordered(Study(shared, keys, rows), monitor["metric"], less_is_better=monitor["mode"] != "max")


def _telling_keys(groups: Sequence[Sequence[Run]]) -> list[str]:
    """Keys that tell the groups apart: those of the command lines, then as few others as are needed."""
    keys = [key for key in overridden(groups) if len({label(group, key) for group in groups}) > 1]
    recipes = [recipe(group[0]) for group in groups]
    others = sorted(
        {key for known in recipes for key in known}, key=lambda key: (key.count("."), len(key), key)
    )
    shown = [json.dumps([label(group, key) for key in keys]) for group in groups]
    for key in sorted(others, key=lambda key: (key.count("."), len(key), key)):
        if len(set(shown)) == len(groups):
            break
        if key in keys:
            continue
        more = [f"{text} {label(group, key)}" for text, group in zip(shown, groups, strict=True)]
        if len(set(more)) > len(set(shown)):
            keys, shown = [*keys, key], more
    return keys
