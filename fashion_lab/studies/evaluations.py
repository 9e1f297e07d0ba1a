"""What `python -m fashion_lab.evaluate` found of a split, beside what training found."""

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from fashion_lab.outcomes import STAGE_2
from fashion_lab.problems import ConfigError
from fashion_lab.results import RESULT
from fashion_lab.studies.resampling import Interval
from fashion_lab.studies.runs import Run

FOLDER = "evaluation"


def with_evaluation(runs: Sequence[Run], split: str) -> tuple[list[Run], list[str]]:
    """Add the metrics of a split (`test/accuracy`) to the runs that were evaluated on it.

    Returns:
        All runs, and a line for each evaluation that cannot be read.

    Raises:
        ConfigError: no run was evaluated on it.
    """
    found, problems = [], []
    for run in runs:
        path = run.folder / FOLDER / split / RESULT
        try:
            result = json.loads(path.read_text()) if path.is_file() else None
            found.append(run if result is None else _added(run, split, result))
        except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
            problems.append(f"{path} cannot be used: {' '.join(str(error).split())}")
            found.append(run)
    if runs and not problems and all(run is other for run, other in zip(runs, found, strict=True)):
        there = sorted({path.parent.name for run in runs for path in run.folder.glob(f"{FOLDER}/*/{RESULT}")})
        known = f"; there are evaluations of {', '.join(there)}" if there else ""
        raise ConfigError(
            f"split={split}: no run was evaluated on it{known}: "
            f"python -m fashion_lab.evaluate ckpt={runs[0].folder} split={split}"
        )
    return found, problems


def compared_metrics(compared: Mapping[str, Any], split: str) -> dict[str, float]:
    """Name what other embeddings than stage 2's got as metrics are: `test raw pixels/map_at_r`."""
    return {
        f"{split} {name}/{metric}": float(value)
        for name, metrics in compared.items()
        if isinstance(metrics, Mapping) and name != STAGE_2
        for metric, value in metrics.items()
        if isinstance(value, int | float)
    }


def _added(run: Run, split: str, evaluation: Mapping[str, Any]) -> Run:
    metrics = evaluation["metrics"]
    named = {f"{split}/{name.removeprefix(f'{split}/')}": value for name, value in metrics.items()}
    values = {name: _number(value["value"]) for name, value in named.items()}
    intervals = {
        name: Interval(values[name], float(value["low"]), float(value["high"]), int(value["units"]))
        for name, value in named.items()
        if value.get("low") is not None and value.get("high") is not None
    }
    others = compared_metrics(evaluation.get("compared") or {}, split)
    result = {**run.result, "metrics": {**run.result["metrics"], **values, **others}}
    return dataclasses.replace(run, result=result, intervals={**run.intervals, **intervals})


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)
