"""A report as grids of text: what a terminal and Markdown show, told apart from how they draw it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from fashion_lab.outcomes import STAGE_2
from fashion_lab.studies.cells import (
    NOTHING,
    costs,
    gained,
    gained_over_both,
    over,
    over_both,
    p_text,
    signed,
    written,
)
from fashion_lab.studies.naming import name_of
from fashion_lab.studies.notes import heading, help_notes, notes
from fashion_lab.studies.second_stage import Helped
from fashion_lab.studies.tables import Line, Report, Table

UNFINISHED = ("folder", "overrides", "state", "what to do")
PLAIN_OVER, DIFFERENCE_OVER, OVER = "± over", "Δ over", "difference over"


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
        found.append(Grid("problems", ["what"], [[text] for text in report.problems], 1))
    return found


def _study(table: Table) -> Grid:
    lines = [_cells(table, line) for line in table.lines]
    lines, said = _told_once(lines, PLAIN_OVER, DIFFERENCE_OVER)
    head = list(dict.fromkeys(name for line in lines for name in line))
    rows = [[line.get(name, NOTHING) for name in head] for line in lines]
    return Grid(heading(table.study), head, rows, len(table.study.keys) or 1, [*said, *notes(table)])


def _told_once(lines: list[dict[str, str]], *names: str) -> tuple[list[dict[str, str]], list[str]]:
    """Turn columns that say the same in every line into notes."""
    said = []
    for name in names:
        texts = {line.get(name, NOTHING) for line in lines} - {NOTHING}
        if len(texts) == 1:
            said.append(f"{name} {texts.pop()}")
            lines = [{key: text for key, text in line.items() if key != name} for line in lines]
    return lines, said


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
        cells[PLAIN_OVER] = over(line.amounts[table.metrics[0]])
    if table.baseline is not None:
        cells |= _difference(table, line)
    return {**cells, **costs(row)}


def _difference(table: Table, line: Line) -> dict[str, str]:
    every = [other.difference for other in table.lines if other.difference is not None]
    found = line.difference
    nothing = "baseline" if line.row is table.baseline else NOTHING
    cells = {"Δ": nothing if found is None else gained(found)}
    cells[DIFFERENCE_OVER] = NOTHING if found is None else over(found.amount)
    if repeats := dict.fromkeys(one.repeats.over for one in every if one.repeats is not None):
        beside = None if found is None else found.repeats
        cells[f"Δ by {' or '.join(repeats)}"] = NOTHING if beside is None else signed(beside)
    if any(one.p_values for one in every):
        cells["p"] = p_text(found)
    return cells


def _second_stage(table: Table) -> Grid:
    lines, said = _told_once([_embeddings(table, one) for one in table.helped], OVER)
    head = list(dict.fromkeys(name for line in lines for name in line))
    head.sort(
        key=lambda name: (name == OVER, " − " in name, name == STAGE_2)
    )  # embeddings, stage 2, differences
    words = [name for name in ("recipe", "metric") if name in head]
    head = [*words, *(name for name in head if name not in words)]
    rows = [[line.get(name, NOTHING) for name in head] for line in lines]
    return Grid("Did stage 2 help?", head, rows, len(words), [*said, *help_notes(table)])


def _embeddings(table: Table, one: Helped) -> dict[str, str]:
    cells = {"recipe": name_of(one.row)} if len(table.lines) > 1 else {}
    cells["metric"] = one.metric
    for name, found in one.values.items():
        cells[name] = written(found, one.row.values)
    for name, gain in one.gains.items():
        cells[f"{STAGE_2} − {name}"] = NOTHING if gain is None else gained_over_both(gain)
    each = {name: over_both(gain) for name, gain in one.gains.items() if gain is not None}
    if len(set(each.values())) > 1:
        return {**cells, OVER: "; ".join(f"{name}: {text}" for name, text in each.items() if text != NOTHING)}
    return {**cells, OVER: next(iter(each.values()), NOTHING)}


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
