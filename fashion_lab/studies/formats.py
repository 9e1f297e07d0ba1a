"""A report as a table for a terminal, Markdown, CSV or JSON."""

import csv
import io
import json
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from fashion_lab.studies.groups import Row
from fashion_lab.studies.tables import Report, cells, columns, heading, notes, unfinished_rows, why_apart

PIPED_WIDTH = 1000  # letters; nobody wraps a pipe's lines
UNFINISHED = ("folder", "overrides", "state", "what to do")


def print_report(report: Report) -> None:
    """Print the tables, as wide as the terminal; unwrapped into a pipe."""
    width = None if sys.stdout.isatty() else PIPED_WIDTH
    Console(width=width).print(_renderable(report), soft_wrap=False)


def as_table(report: Report) -> str:
    """The tables as plain text."""
    text = io.StringIO()
    Console(file=text, width=PIPED_WIDTH).print(_renderable(report))
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines()) + "\n"


def _renderable(report: Report) -> Group:
    parts: list[Any] = []
    if apart := why_apart(report.studies):
        parts += [Text(apart, style="yellow"), ""]
    for study, metrics in zip(report.studies, report.metrics, strict=True):
        table = Table()
        for number, name in enumerate(columns(study, metrics)):
            is_key = number < len(study.keys)
            table.add_column(name, justify="left" if is_key else "right", overflow="fold")
        for row in study.rows:
            table.add_row(*cells(study, row, metrics))
        parts += [
            Text(heading(study), style="bold"),
            table,
            *(Text(note, style="dim") for note in notes(study)),
            "",
        ]
    if report.unfinished:
        table = Table(*UNFINISHED)
        for values in unfinished_rows(report):
            table.add_row(*map(Text, values))
        parts += [Text("without a result", style="bold"), table]
    return Group(*parts)


def as_markdown(report: Report) -> str:
    """The tables for a README or a notebook."""
    lines: list[str] = []
    if apart := why_apart(report.studies):
        lines += [apart, ""]
    for study, metrics in zip(report.studies, report.metrics, strict=True):
        head = columns(study, metrics)
        marks = ["---"] * len(study.keys) + ["---:"] * (len(head) - len(study.keys))
        rows = [cells(study, row, metrics) for row in study.rows]
        lines += [f"**{heading(study)}**", "", *map(_line, [head, marks, *rows]), ""]
        lines += [f"- {note}" for note in notes(study)] + [""]
    if report.unfinished:
        lines += [
            "**without a result**",
            "",
            *map(_line, [list(UNFINISHED), ["---"] * 4, *unfinished_rows(report)]),
            "",
        ]
    return "\n".join(lines)


def _line(values: list[str]) -> str:
    return f"| {' | '.join(value.replace('|', chr(92) + '|') for value in values)} |"


def as_csv(report: Report) -> str:
    """One table of all rows; `study` numbers what is comparable, `_half` is half of the 95 % interval."""
    records = list(_records(report))
    text = io.StringIO()
    writer = csv.DictWriter(
        text, list(dict.fromkeys(key for record in records for key in record)), restval=""
    )
    writer.writeheader()
    writer.writerows(records)
    return text.getvalue()


def _records(report: Report) -> Iterator[dict[str, Any]]:
    for number, (study, metrics) in enumerate(zip(report.studies, report.metrics, strict=True), start=1):
        for row in study.rows:
            found = {metric: row.estimate(metric) for metric in metrics}
            values = {
                key: value
                for metric, estimate in found.items()
                if estimate is not None
                for key, value in ((metric, estimate.mean), (f"{metric}_half", estimate.half))
            }
            sizes = {"seeds": len(row.seeds), "folds": len(row.folds), "runs": len(row.runs)}
            yield {"study": number, **study.conditions, **row.labels, **sizes, **values, **_costs(row)}


def _costs(row: Row) -> dict[str, Any]:
    parameters = sorted({run.result["parameters"] for run in row.runs})
    return {
        "parameters": parameters[0] if len(parameters) == 1 else parameters,
        "minutes": round(row.minutes, 3),
    }


def as_json(report: Report) -> str:
    """Everything, with the folders of each row's runs; null stands for what is not a number."""
    studies = [
        {
            "conditions": study.conditions,
            "keys": study.keys,
            "notes": notes(study),
            "rows": [_row(row, metrics) for row in study.rows],
        }
        for study, metrics in zip(report.studies, report.metrics, strict=True)
    ]
    unfinished = [dict(zip(UNFINISHED, row, strict=True)) for row in unfinished_rows(report)]
    return json.dumps({"studies": studies, "unfinished": unfinished}, indent=2, allow_nan=False) + "\n"


def _row(row: Row, metrics: Sequence[str]) -> dict[str, Any]:
    found = {metric: row.estimate(metric) for metric in metrics}
    values = {
        metric: None
        if estimate is None
        else {key: _finite(value) for key, value in estimate._asdict().items()}
        for metric, estimate in found.items()
    }
    return {
        "settings": dict(row.labels),
        "seeds": row.seeds,
        "folds": row.folds,
        "metrics": values,
        **_costs(row),
        "runs": [str(run.folder) for run in row.runs],
    }


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


FORMATS: dict[str, Callable[[Report], str]] = {
    "table": as_table,
    "markdown": as_markdown,
    "csv": as_csv,
    "json": as_json,
}
