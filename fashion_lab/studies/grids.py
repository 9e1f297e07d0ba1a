"""A report as grids of text: what a terminal and Markdown show, told apart from how they draw it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from fashion_lab.studies.amounts import Amount
from fashion_lab.studies.groups import Row
from fashion_lab.studies.naming import name_of
from fashion_lab.studies.notes import heading, help_notes, notes
from fashion_lab.studies.pairing import Difference
from fashion_lab.studies.second_stage import AFTER, Helped
from fashion_lab.studies.tables import Line, Report, Table

UNFINISHED = ("folder", "overrides", "state", "what to do")
NOTHING, OVER = "-", "difference over"
LEAST_P = 0.001  # what is below is not told apart: such a p rests on more than the data; assumption


@dataclass(frozen=True)
class Grid:
    """A table of text: `words` columns at its left are words, the others are numbers."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    words: int
    notes: Sequence[str] = field(default_factory=list)


def grids(report: Report) -> list[Grid]:
    """All tables of a report, in order."""
    found = []
    for table in report.tables:
        found.append(_study(table))
        if table.helped:
            found.append(_second_stage(table))
    if report.unfinished:
        found.append(Grid("without a result", UNFINISHED, unfinished_rows(report), len(UNFINISHED)))
    if report.problems:
        found.append(Grid("cannot be used", ["what"], [[text] for text in report.problems], 1))
    return found


def _study(table: Table) -> Grid:
    lines = [_cells(table, line) for line in table.lines]
    head = list(dict.fromkeys(name for line in lines for name in line))
    rows = [[line.get(name, NOTHING) for name in head] for line in lines]
    return Grid(heading(table.study), head, rows, len(table.study.keys) or 1, notes(table))


def _cells(table: Table, line: Line) -> dict[str, str]:
    """One recipe by column; the same columns in each line of a table."""
    row = line.row
    cells = dict(row.labels) or {"recipe": name_of(row)}
    cells["seeds"] = str(len(row.seeds))
    if any(other.folds for other in table.study.rows):
        cells["folds"] = str(len(row.folds))
    for metric, found in line.amounts.items():
        cells[metric] = written(found, row.values)
    main = [other.amounts[table.metrics[0]] for other in table.lines if table.metrics]
    if any(one is not None and one.is_over_pictures for one in main):
        cells["± over"] = _over(line.amounts[table.metrics[0]])
    if table.baseline is not None:
        cells |= _difference(line, is_baseline=row is table.baseline)
        if any(other.difference and other.difference.p_values for other in table.lines):
            cells["p"] = _p(line.difference)
    return {**cells, **_costs(row)}


def _difference(line: Line, *, is_baseline: bool) -> dict[str, str]:
    if is_baseline:
        return {"Δ": "baseline", "Δ over": NOTHING}
    if line.difference is None:
        return {"Δ": NOTHING, "Δ over": NOTHING}
    return {"Δ": gained(line.difference), "Δ over": _difference_over(line.difference)}


def _difference_over(found: Difference) -> str:
    """Of what a difference's interval is, and the other one beside it: `117 senders (3 seeds: ± 0.02)`."""
    if found.repeats is None:
        return _over(found.amount)
    return f"{_over(found.amount)} ({_over(found.repeats)}: ± {found.repeats.half:.4f})"


def _costs(row: Row) -> dict[str, str]:
    return {
        "parameters": " / ".join(f"{count:,}" for count in row.counts("parameters")),
        "multiply-adds": " / ".join(f"{count / 1e6:.1f} M" for count in row.counts("multiply_adds"))
        or NOTHING,
        "minutes": f"{row.minutes:.1f}",
    }


def written(found: Amount | None, expected: int) -> str:
    """An amount as text; what is of fewer repeats than expected says so."""
    if found is None:
        return NOTHING
    half = "" if found.half is None or math.isnan(found.half) else f" ± {found.half:.4f}"
    few = "" if found.repeats == expected else f" ({found.repeats} of {expected})"
    return f"{found.value:.4f}{half}{few}"


def gained(found: Difference) -> str:
    """A difference as text, with its sign; what left runs out says how many pairs it is of."""
    amount = found.amount
    half = "" if amount.half is None or math.isnan(amount.half) else f" ± {amount.half:.4f}"
    pairs = f" ({found.pairs} of {found.pairs + found.unpaired} paired)" if found.unpaired else ""
    return f"{amount.value:+.4f}{half}{pairs}"


def _over(found: Amount | None) -> str:
    return NOTHING if found is None or found.half is None else f"{found.units:,} {found.over}"


def _p(found: Difference | None) -> str:
    if found is None or not found.p_values:
        return NOTHING
    ends = [f"{p:.3f}" if p >= LEAST_P else f"<{LEAST_P}" for p in (min(found.p_values), max(found.p_values))]
    return " – ".join(dict.fromkeys(ends))


def _second_stage(table: Table) -> Grid:
    lines = [_embeddings(table, one) for one in table.helped]
    head = list(dict.fromkeys(name for line in lines for name in line))
    head.sort(
        key=lambda name: (name == OVER, " − " in name, name == AFTER)
    )  # embeddings, stage 2, differences
    words = [name for name in ("recipe", "metric") if name in head]
    head = [*words, *(name for name in head if name not in words)]
    rows = [[line.get(name, NOTHING) for name in head] for line in lines]
    return Grid("Did stage 2 help?", head, rows, len(words), help_notes(table))


def _embeddings(table: Table, one: Helped) -> dict[str, str]:
    cells = {"recipe": name_of(one.row)} if len(table.lines) > 1 else {}
    cells["metric"] = one.metric
    for name, found in one.values.items():
        cells[name] = written(found, one.row.values)
    for name, gain in one.gains.items():
        cells[f"{AFTER} − {name}"] = NOTHING if gain is None else gained(gain)
    over = dict.fromkeys(_difference_over(gain) for gain in one.gains.values() if gain is not None)
    return {**cells, OVER: " / ".join(over) or NOTHING}


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
