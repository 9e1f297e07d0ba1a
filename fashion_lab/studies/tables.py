"""A report of studies: every number that is shown, found once, for all formats alike."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from fashion_lab.problems import ConfigError, nearest
from fashion_lab.studies.amounts import Amount, amount
from fashion_lab.studies.conditions import check_across
from fashion_lab.studies.evaluations import with_evaluation
from fashion_lab.studies.groups import Row, Study, ordered, studies_of
from fashion_lab.studies.naming import baseline_of, check_baseline
from fashion_lab.studies.pairing import Difference, Side, difference
from fashion_lab.studies.runs import Run, Unfinished
from fashion_lab.studies.second_stage import VAL, Helped, did_it_help
from fashion_lab.studies.shelf import Shelf

USUAL = ("val/macro_f1", "val/precision_at_1")
"""Shown after the monitored metric where a run has them, unless metrics are asked for."""

LESS_IS_BETTER = ("loss", "ece", "nll", "brier")
"""Metrics that are not monitored, of which less is better: the last part of their names."""

TRAINING = ("val", "val_start", "val_last")


@dataclass(frozen=True)
class Line:
    """A recipe: its metrics, and how the first of them differs from the baseline's."""

    row: Row
    amounts: Mapping[str, Amount | None]
    difference: Difference | None


@dataclass(frozen=True)
class Table:
    """A study with its numbers, best recipe first.

    Attributes:
        study: what is compared.
        metrics: shown; the first is compared, and is what the plot shows.
        lines: one a recipe.
        baseline: the recipe that others are compared with, if any.
        helped: what stage 2 did; empty where there was none.
        order: the metric that the lines are ordered by.
    """

    study: Study
    metrics: Sequence[str]
    lines: Sequence[Line]
    baseline: Row | None
    helped: Sequence[Helped]
    order: str


@dataclass(frozen=True)
class Report:
    """Studies that are not comparable with each other, runs without a result, files that cannot be used."""

    tables: Sequence[Table]
    unfinished: Sequence[Unfinished]
    problems: Sequence[str] = field(default_factory=list)

    @property
    def studies(self) -> list[Study]:
        """The studies of all tables."""
        return [table.study for table in self.tables]


def summary(
    runs: Sequence[Run],
    unfinished: Sequence[Unfinished],
    metrics: Sequence[str] = (),
    *,
    baseline: str | None = None,
    split: str | None = None,
    across: Sequence[str] = (),
) -> Report:
    """Sort runs into studies and find their numbers.

    Args:
        runs: that have a result.
        unfinished: that have none.
        metrics: to show; none for the usual ones of each study.
        baseline: what others are compared with, see `naming.baseline_of`.
        split: whose evaluations are shown too.
        across: conditions that may differ in a table, see `conditions.CROSSABLE`.

    Raises:
        ConfigError: a metric that no run has, a baseline that is not there or fits several, a split that no
            run was evaluated on, a condition that must not differ.
    """
    problems: list[str] = []
    check_across(across)
    if split is not None:
        runs, problems = with_evaluation(runs, split)
    _check_metrics(runs, metrics)
    studies = [_asked_order(study, metrics) for study in studies_of(runs, across)]
    baselines = [baseline_of(study, baseline) for study in studies]
    check_baseline(studies, baselines, baseline)
    shelf = Shelf()
    tables = [
        _table(study, list(metrics) or _usual(study, split), against, shelf, split or VAL)
        for study, against in zip(studies, baselines, strict=True)
    ]
    return Report(tables, unfinished, [*problems, *shelf.problems])


def _check_metrics(runs: Sequence[Run], metrics: Sequence[str]) -> None:
    known = sorted({name for run in runs for name in run.result["metrics"]})
    for name in metrics:
        if not runs or name in known:
            continue
        prefix = name.partition("/")[0]
        if prefix not in {other.partition("/")[0] for other in (*known, *TRAINING)}:
            raise ConfigError(f"metrics={name}: no run has it; what evaluate found needs split={prefix}")
        hint = nearest(name, known) or f"; there are {', '.join(n for n in known if '/recall/' not in n)}"
        raise ConfigError(f"metrics={name}: no run has it{hint}")


def _order(study: Study, metrics: Sequence[str]) -> str:
    """By the monitored metric; by that of another split only where it was asked for first."""
    asked = metrics[0] if metrics else ""
    is_of_training = asked.partition("/")[0] in ("", *TRAINING)
    return str(study.runs[0].result["monitor"]["metric"]) if is_of_training else asked


def _asked_order(study: Study, metrics: Sequence[str]) -> Study:
    metric, monitor = _order(study, metrics), study.runs[0].result["monitor"]
    if metric == monitor["metric"]:
        return study
    is_alike = metric.partition("/")[2] == monitor["metric"].partition("/")[2]
    less = monitor["mode"] == "min" if is_alike else metric.rpartition("/")[2] in LESS_IS_BETTER
    return ordered(study, metric, less_is_better=less)


def _usual(study: Study, split: str | None) -> list[str]:
    monitored = dict.fromkeys(str(run.result["monitor"]["metric"]) for run in study.runs)
    names = list(dict.fromkeys([*monitored, *USUAL]))
    if split is not None:
        names += [f"{split}/{name.partition('/')[2]}" for name in names]
    had = {name for run in study.runs for name in run.result["metrics"]}
    return [name for name in names if name in had]


def _table(study: Study, metrics: Sequence[str], baseline: Row | None, shelf: Shelf, split: str) -> Table:
    lines = [_line(row, metrics, baseline, shelf) for row in study.rows]
    return Table(study, metrics, lines, baseline, did_it_help(study, shelf, split), _order(study, metrics))


def _line(row: Row, metrics: Sequence[str], baseline: Row | None, shelf: Shelf) -> Line:
    found = None
    if baseline is not None and row is not baseline and metrics:
        found = difference(Side(row.runs, metrics[0]), Side(baseline.runs, metrics[0]), shelf)
    return Line(row, {metric: amount(row, metric, shelf) for metric in metrics}, found)
