"""From runs to studies: what may be compared, which runs repeat one recipe, which keys tell recipes apart."""

import json
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

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
        return len(self.runs) - len({_repeat(run) for run in self.runs})

    @property
    def minutes(self) -> float:
        """Minutes of a run, on average."""
        return fmean(float(run.result["seconds"]["total"]) for run in self.runs) / 60

    def estimate(self, metric: str) -> Estimate | None:
        """Mean and interval over folds where there are several, else over seeds; None where no run has it.

        A fold counts with the mean over its seeds, a seed with that over its repeats.
        """
        found: dict[Any, dict[Any, list[float]]] = defaultdict(lambda: defaultdict(list))
        for run in self.runs:
            if metric in run.result["metrics"]:
                fold, seed = _repeat(run)
                found[fold][seed].append(float(run.result["metrics"][metric]))
        if not found:
            return None
        by_fold = [[fmean(values) for values in seeds.values()] for seeds in found.values()]
        return estimate([fmean(seeds) for seeds in by_fold] if len(by_fold) > 1 else by_fold[0])


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


def studies_of(runs: Sequence[Run]) -> list[Study]:
    """Sort runs into studies, those that are not comparable apart."""
    apart: dict[str, list[Run]] = defaultdict(list)
    for run in runs:
        apart[json.dumps(conditions(run))].append(run)
    return [_study(json.loads(shared), members) for shared, members in apart.items()]


def conditions(run: Run) -> dict[str, str]:
    """What two runs must share for their numbers to be comparable, in words."""
    result, pixels = run.result, run.result["pixels"]
    classes = result["classes"]
    said = {
        "stage": str(result["stage"]),
        "catalog": str(result["catalog"]),
        "classes": f"{len(classes)} classes ({', '.join(map(str, classes))})",
        "pixels": f"{pixels['size']} px {pixels['fit']}",
        "splits": _splits(run),
    }
    limits = {part: run.config.get(f"trainer.limit_{part}_batches", 1.0) for part in ("val", "test")}
    if limited := [f"{part} {limit}" for part, limit in limits.items() if limit not in (1.0, None)]:
        said["limits"] = f"evaluated on some batches only: {', '.join(limited)}"
    return said


def differing(studies: Sequence[Study]) -> list[str]:
    """The conditions in which studies differ."""
    names = dict.fromkeys(name for study in studies for name in study.conditions)
    return [name for name in names if len({study.conditions.get(name) for study in studies}) > 1]


def _splits(run: Run) -> str:
    sizes = dict(run.result["splits"])
    if run.config.get("data.fold") is None:
        return ", ".join(f"{name} {size:,}" for name, size in sizes.items())
    divided = sizes.pop("train", 0) + sizes.pop("validation", 0)  # folds differ in size, their sum does not
    rest = "".join(f", {name} {size:,}" for name, size in sizes.items())
    return f"{divided:,} in {run.config.get('data.folds')} folds{rest}"


def _repeat(run: Run) -> tuple[Any, Any]:
    return run.config.get("data.fold"), run.result["seed"]


def _study(shared: Mapping[str, str], runs: Sequence[Run]) -> Study:
    alike: dict[str, list[Run]] = defaultdict(list)
    for run in runs:
        alike[json.dumps(recipe(run), sort_keys=True, default=str)].append(run)
    groups = list(alike.values())
    keys = _telling_keys(groups)
    rows = [Row({key: label(group, key) for key in keys}, group) for group in groups]
    monitor = runs[0].result["monitor"]

    def badness(row: Row) -> float:
        found = row.estimate(monitor["metric"])
        if found is None or math.isnan(found.mean):
            return math.inf
        return -found.mean if monitor["mode"] == "max" else found.mean

    return Study(shared, keys, sorted(rows, key=badness))


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
