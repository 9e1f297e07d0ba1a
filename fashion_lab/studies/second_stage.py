"""Did stage 2 help? The embeddings before and after it, on the same pictures with the same metrics."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

from fashion_lab.outcomes import NO_STAGE_1, PRETRAINED, STAGE_1, STAGE_2
from fashion_lab.studies.amounts import Amount, amount
from fashion_lab.studies.evaluations import compared_metrics
from fashion_lab.studies.groups import Row, Study
from fashion_lab.studies.pairing import Difference, Side, difference
from fashion_lab.studies.runs import Run
from fashion_lab.studies.shelf import Shelf

VAL = "val"
USUAL = ("map_at_r", "precision_at_1", "precision_at_5")
METRICS = (*USUAL, *(f"{view}/{name}" for view in ("other_senders", "product") for name in USUAL))
FEW = 3  # recipes whose every metric is shown, of more the monitored one: a table is for reading; assumption


@dataclass(frozen=True)
class Helped:
    """A metric of a recipe: its value by embedding, and how stage 2's differs from each other one's.

    Of another split than validation the metric's name begins with it: `test/map_at_r`.
    """

    row: Row
    metric: str
    values: Mapping[str, Amount | None]
    gains: Mapping[str, Difference | None]


def did_it_help(study: Study, shelf: Shelf, split: str = VAL) -> list[Helped]:
    """Compare the embeddings of a study's stage 2 runs; empty where no run measured the embedding before.

    Args:
        study: whose runs.
        shelf: their outcomes.
        split: what they are compared on; another than validation is what `evaluate` found.
    """
    rows = [_with_others(row) for row in study.rows] if split == VAL else study.rows
    had = {name for row in rows for run in row.runs for name in run.result["metrics"]}
    others = {prefix for row in rows for prefix in _others(row, split).values()}
    metrics = [
        name for name in METRICS if f"{split}/{name}" in had and had & {f"{other}/{name}" for other in others}
    ]
    if len(rows) > FEW:
        monitored = {run.result["monitor"]["metric"].partition("/")[2] for run in study.runs}
        metrics = [name for name in metrics if name in monitored] or metrics[:1]
    return [_helped(row, metric, shelf, split) for row in rows for metric in metrics]


def _helped(row: Row, metric: str, shelf: Shelf, split: str) -> Helped:
    others = _others(row, split)
    prefixes = {**others, STAGE_2: split}
    values = {name: amount(row, f"{prefix}/{metric}", shelf) for name, prefix in prefixes.items()}
    after = Side(row.runs, f"{split}/{metric}")
    gains = {
        name: difference(after, Side(row.runs, f"{prefix}/{metric}"), shelf)
        for name, prefix in others.items()
    }
    return Helped(row, metric if split == VAL else f"{split}/{metric}", values, gains)


def _others(row: Row, split: str) -> dict[str, str]:
    """Name what stage 2 was compared with, and the prefix of its metrics; what it began with is the last.

    Where the runs did not keep that, it is `val_start`.
    """
    marks = dict.fromkeys(name.partition("/")[0] for run in row.runs for name in run.result["metrics"])
    others = {mark.removeprefix(f"{split} "): mark for mark in marks if mark.startswith(f"{split} ")}
    if split == VAL and others.keys().isdisjoint((STAGE_1, NO_STAGE_1, PRETRAINED)):
        began = all(run.result.get("parent") for run in row.runs)
        others[STAGE_1 if began else NO_STAGE_1] = "val_start"
    return others


def _with_others(row: Row) -> Row:
    return dataclasses.replace(row, runs=[_flat(run) for run in row.runs])


def _flat(run: Run) -> Run:
    """Put what the run was compared with among its metrics."""
    compared = run.result.get("compared")
    if not isinstance(compared, Mapping):
        return run
    more = compared_metrics(compared, VAL)
    return dataclasses.replace(run, result={**run.result, "metrics": {**run.result["metrics"], **more}})
