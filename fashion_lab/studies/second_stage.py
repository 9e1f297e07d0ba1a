"""Did stage 2 help? The embeddings before and after it, on the same pictures with the same metrics."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fashion_lab.studies.amounts import Amount, amount
from fashion_lab.studies.groups import Row, Study
from fashion_lab.studies.pairing import Difference, Side, difference
from fashion_lab.studies.runs import Run
from fashion_lab.studies.shelf import Shelf

AFTER, BEFORE, UNTRAINED = "stage 2", "stage 1", "untrained"
USUAL = ("map_at_r", "precision_at_1", "precision_at_5")
METRICS = (*USUAL, *(f"{view}/{name}" for view in ("other_senders", "product") for name in USUAL))
FEW = 3  # recipes whose every metric is shown, of more the monitored one: a table is for reading; assumption


@dataclass(frozen=True)
class Helped:
    """A metric of a recipe: its value by embedding, and how stage 2's differs from each other one's."""

    row: Row
    metric: str
    values: Mapping[str, Amount | None]
    gains: Mapping[str, Difference | None]


def did_it_help(study: Study, shelf: Shelf) -> list[Helped]:
    """Compare the embeddings of a study's stage 2 runs; empty where no run measured the embedding before."""
    rows = [_with_others(row) for row in study.rows]
    had = {name for row in rows for run in row.runs for name in run.result["metrics"]}
    metrics = [name for name in METRICS if {f"val/{name}", f"val_start/{name}"} <= had]
    if len(rows) > FEW:
        monitored = {run.result["monitor"]["metric"].partition("/")[2] for run in study.runs}
        metrics = [name for name in metrics if name in monitored] or metrics[:1]
    return [_helped(row, metric, shelf) for row in rows for metric in metrics]


def _helped(row: Row, metric: str, shelf: Shelf) -> Helped:
    prefixes = {**{name: name for name in _others(row.runs)}, _before(row): "val_start", AFTER: "val"}
    values = {name: amount(row, f"{prefix}/{metric}", shelf) for name, prefix in prefixes.items()}
    after = Side(row.runs, f"val/{metric}")
    gains = {
        name: difference(after, Side(row.runs, f"{prefix}/{metric}"), shelf)
        for name, prefix in prefixes.items()
        if name != AFTER
    }
    return Helped(row, metric, values, gains)


def _before(row: Row) -> str:
    """What stage 2 started from."""
    return BEFORE if all(run.result.get("parent") for run in row.runs) else UNTRAINED


def _others(runs: Sequence[Run]) -> list[str]:
    """Embeddings that a run was compared with, besides its own two: raw pixels, a pretrained backbone."""
    names = dict.fromkeys(name for run in runs for name in run.result.get("compared") or {})
    return [name for name in names if name not in (BEFORE, AFTER)]


def _with_others(row: Row) -> Row:
    return dataclasses.replace(row, runs=[_flat(run) for run in row.runs])


def _flat(run: Run) -> Run:
    """Put what the run was compared with among its metrics: `raw pixels/map_at_r`."""
    compared = run.result.get("compared")
    if not isinstance(compared, Mapping):
        return run
    more = {
        f"{name}/{metric}": value
        for name, metrics in compared.items()
        if isinstance(metrics, Mapping) and name not in (BEFORE, AFTER)
        for metric, value in metrics.items()
        if isinstance(value, int | float)
    }
    return dataclasses.replace(run, result={**run.result, "metrics": {**run.result["metrics"], **more}})
