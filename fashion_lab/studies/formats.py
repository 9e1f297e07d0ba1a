"""A report as a table for a terminal, Markdown, CSV or JSON."""

import io
import re
import sys
from collections.abc import Callable, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from fashion_lab.studies.grids import Grid, grids
from fashion_lab.studies.notes import why_apart
from fashion_lab.studies.records import as_csv, as_json
from fashion_lab.studies.tables import Report

__all__ = ["FORMATS", "as_csv", "as_json", "as_markdown", "as_table", "print_report"]

PIPED_WIDTH = 1000  # letters; nobody wraps a pipe's lines
BREAKS = re.compile(r"([./_-])(?=\w)")
"""Where the name of a column may be broken in a narrow terminal."""


def print_report(report: Report) -> None:
    """Print the tables, as wide as the terminal; unwrapped into a pipe."""
    width = None if sys.stdout.isatty() else PIPED_WIDTH
    console = Console(width=width)
    console.print(_renderable(report, console), soft_wrap=False)


def as_table(report: Report) -> str:
    """The tables as plain text."""
    text = io.StringIO()
    console = Console(file=text, width=PIPED_WIDTH)
    console.print(_renderable(report, console))
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines()) + "\n"


def _renderable(report: Report, console: Console) -> Group:
    parts: list[Any] = []
    if apart := why_apart(report.studies):
        parts += [Text(apart, style="yellow"), ""]
    for grid in grids(report):
        table = _drawn(grid, Table(), grid.head)
        natural = console.measure(table, options=console.options.update(max_width=PIPED_WIDTH)).maximum
        if natural > console.width:
            plain = Table(box=SIMPLE_HEAD, padding=0, collapse_padding=True, pad_edge=False)
            table = _drawn(grid, plain, [BREAKS.sub(r"\1\n", name) for name in grid.head])
        parts += [Text(grid.title, style="bold"), table]
        parts += [*(Text(note, style="dim") for note in grid.notes), ""]
    return Group(*parts)


def _drawn(grid: Grid, table: Table, head: Sequence[str]) -> Table:
    for number, name in enumerate(head):
        table.add_column(Text(name), justify="left" if number < grid.words else "right", overflow="fold")
    for row in grid.rows:
        table.add_row(*map(Text, row))
    return table


def as_markdown(report: Report) -> str:
    """The tables for a README or a notebook."""
    lines: list[str] = []
    if apart := why_apart(report.studies):
        lines += [apart, ""]
    for grid in grids(report):
        marks = ["---"] * grid.words + ["---:"] * (len(grid.head) - grid.words)
        lines += [f"**{grid.title}**", "", *map(_line, [grid.head, marks, *grid.rows]), ""]
        lines += [*(f"- {note}" for note in grid.notes), ""]
    return "\n".join(lines)


def _line(values: Sequence[str]) -> str:
    return f"| {' | '.join(value.replace('|', chr(92) + '|') for value in values)} |"


FORMATS: dict[str, Callable[[Report], str]] = {
    "table": as_table,
    "markdown": as_markdown,
    "csv": as_csv,
    "json": as_json,
}
