"""A report of studies: what is shown of each, as text for a person and as records for a program."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fashion_lab.problems import ConfigError, nearest
from fashion_lab.studies.groups import Row, Study, differing, studies_of
from fashion_lab.studies.intervals import Estimate
from fashion_lab.studies.runs import Run, Unfinished

USUAL = (
    "val/macro_f1",
    "val/precision_at_1",
    "val_start/map_at_r",
    "val_start/precision_at_1",
    "test/accuracy",
    "test/map_at_r",
)
"""Shown after the monitored metric where a run has them, unless metrics are asked for."""

ABOUT = "mean ± half of the 95 % interval (Student's t, over folds where there are several, else over seeds)"


@dataclass(frozen=True)
class Report:
    """What was found: studies that are not comparable with each other, their metrics, and unfinished runs."""

    studies: Sequence[Study]
    metrics: Sequence[Sequence[str]]
    unfinished: Sequence[Unfinished]


def summary(runs: Sequence[Run], unfinished: Sequence[Unfinished], metrics: Sequence[str] = ()) -> Report:
    """Sort runs into studies, with the metrics that were asked for or the usual ones of each.

    Raises:
        ConfigError: a metric that no run has.
    """
    known = sorted({name for run in runs for name in run.result["metrics"]})
    for name in metrics:
        if runs and name not in known:
            hint = nearest(name, known) or f"; there are {', '.join(n for n in known if '/recall/' not in n)}"
            raise ConfigError(f"metrics={name}: no run has it{hint}")
    studies = studies_of(runs)
    return Report(studies, [list(metrics) or _usual(study) for study in studies], unfinished)


def _usual(study: Study) -> list[str]:
    monitored = dict.fromkeys(str(run.result["monitor"]["metric"]) for run in study.runs)
    had = {name for run in study.runs for name in run.result["metrics"]}
    return [name for name in dict.fromkeys([*monitored, *USUAL]) if name in had]


def heading(study: Study) -> str:
    """Say in a line under which conditions the runs of a study were made."""
    return " · ".join(study.conditions.values())


def columns(study: Study, metrics: Sequence[str]) -> list[str]:
    """The head of a study's table."""
    folds = ["folds"] if any(row.folds for row in study.rows) else []
    return [*study.keys, "seeds", *folds, *metrics, "parameters", "minutes"]


def cells(study: Study, row: Row, metrics: Sequence[str]) -> list[str]:
    """One line of a study's table, for a person."""
    folds = [str(len(row.folds))] if any(other.folds for other in study.rows) else []
    parameters = " / ".join(f"{count:,}" for count in sorted({run.result["parameters"] for run in row.runs}))
    return [
        *row.labels.values(),
        str(len(row.seeds)),
        *folds,
        *(written(row.estimate(metric), row.values) for metric in metrics),
        parameters,
        f"{row.minutes:.1f}",
    ]


def written(value: Estimate | None, expected: int) -> str:
    """An estimate as text; one value has no interval, and what is of fewer values than expected says so."""
    if value is None:
        return "-"
    half = "" if value.half is None else f" ± {value.half:.4f}"
    few = "" if value.values == expected else f" ({value.values} of {expected})"
    return f"{value.mean:.4f}{half}{few}"


def notes(study: Study) -> list[str]:
    """What a reader must know beside the table of a study."""
    said = [ABOUT] if any(len(row.runs) > 1 for row in study.rows) else ["one run each: no interval"]
    if repeats := sum(row.repeats for row in study.rows):
        said.append(f"{repeats} runs repeat a seed; equal seeds are averaged first and add no certainty")
    uneven = {tuple(row.seeds) for row in study.rows} | {()}
    if len(uneven) > 2:
        said.append("the rows have different seeds")
    commits = dict.fromkeys(str(run.result.get("git_commit"))[:10] for run in study.runs)
    if len(commits) > 1:
        said.append(f"from different commits: {', '.join(commits)}")
    return [*said, f"on {'; '.join(dict.fromkeys(_hardware(run.result) for run in study.runs))}"]


def unfinished_rows(report: Report) -> list[list[str]]:
    """Folder, the overrides that not every run of the report has, state, and what to do."""
    finished = [run.overrides for study in report.studies for run in study.runs]
    known = [*finished, *(run.overrides for run in report.unfinished)]
    pairs = [set(overrides.items()) for overrides in known if overrides]
    shared = set.intersection(*pairs) if pairs else set()
    return [
        [
            str(run.folder),
            " ".join(f"{key}={value}" for key, value in run.overrides.items() if (key, value) not in shared),
            run.state,
            run.advice,
        ]
        for run in report.unfinished
    ]


def why_apart(studies: Sequence[Study]) -> str | None:
    """Say why there are several tables; None for one."""
    if len(studies) < 2:
        return None
    return f"{len(studies)} tables: not comparable, they differ in {', '.join(differing(studies))}"


def _hardware(result: Mapping[str, Any]) -> str:
    hardware = result.get("hardware") or {}
    if not hardware:
        return "unknown hardware"
    if hardware.get("gpu"):
        return str(hardware["gpu"])
    return f"{hardware.get('processor')}, {hardware.get('threads')} thread(s)"
