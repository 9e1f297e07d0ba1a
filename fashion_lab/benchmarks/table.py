"""Rows of benchmarks as text, Markdown, CSV and a plot of the ratios."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure

from fashion_lab.benchmarks.rows import Row

HEAD = ("what", "ours", "theirs", "compared with", "times as good", "target")
COLOURS = {True: "#1b7f4b", False: "#b4442c", None: "#4a6fa5"}  # target met, missed, none
LONGEST = 50.0  # ratio at which a bar ends, so that one of 100,000 leaves the others room


@dataclass(frozen=True)
class Measured:
    """A part's rows, and what is known of how they were measured."""

    name: str
    rows: Sequence[Row]
    about: dict[str, Any]


def line(row: Row) -> str:
    """One row for a terminal."""
    text = f"{row.what}: {amount(row.ours, row.unit)}"
    if row.ratio is not None and row.theirs is not None:
        text += f"; {row.than}: {amount(row.theirs, row.unit)}; {row.ratio:.3g} times as good"
    return text + _verdict(row)


def amount(value: float, unit: str) -> str:
    """Three significant digits, or whole numbers from 1,000 on."""
    return f"{value:,.0f} {unit}" if abs(value) >= 1000 else f"{value:.3g} {unit}"


def _verdict(row: Row) -> str:
    if row.is_met is None:
        return ""
    return f" (target {row.at_least:.3g}: {'met' if row.is_met else 'MISSED'})"


def _cells(row: Row) -> list[str]:
    return [
        row.what,
        amount(row.ours, row.unit),
        "" if row.theirs is None else amount(row.theirs, row.unit),
        row.than,
        "" if row.ratio is None else f"{row.ratio:.3g}",
        "" if row.is_met is None else f"{row.at_least:.3g} {'met' if row.is_met else '**missed**'}",
    ]


def as_markdown(parts: Sequence[Measured]) -> str:
    """A table a part, with its command and machine."""
    blocks = ["'times as good': speed (or memory) of ours over theirs; more is better.\n"]
    for part in parts:
        machine, versions = part.about["hardware"], part.about["versions"]
        place = machine["gpu"] or f"{machine['processor']}, {machine['cores']} cores"
        lines = [
            f"## {part.name}",
            "",
            f"`{part.about['command']}`, {part.about['seconds']} s, {part.about['when']}; ",
        ]
        lines[-1] += f"{place}; torch {versions['torch']}, Python {versions['python']}"
        table = [HEAD, ["---", "---:", "---:", "---", "---:", "---:"], *map(_cells, part.rows)]
        lines += ["", *(f"| {' | '.join(cells)} |" for cells in table), ""]
        blocks.append("\n".join(lines))
    return "\n".join(blocks)


def as_csv(parts: Sequence[Measured]) -> str:
    """All rows with full digits."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["part", "what", "ours", "theirs", "unit", "than", "ratio", "at_least"])
    for part in parts:
        for row in part.rows:
            values = [row.ours, row.theirs, row.unit, row.than, row.ratio, row.at_least]
            writer.writerow([part.name, row.what, *values])
    return text.getvalue()


def plot(parts: Sequence[Measured]) -> Figure:
    """Bars of every ratio on a logarithmic axis, with a mark at its target; longer ones end at `LONGEST`."""
    rows = [(part.name, row, row.ratio) for part in parts for row in part.rows if row.ratio is not None]
    figure = Figure(figsize=(10, 1.2 + 0.24 * max(len(rows), 1)), layout="constrained")
    axes = figure.add_subplot()
    for place, (_, row, ratio) in enumerate(rows):
        end = min(ratio, LONGEST)
        axes.plot([1, end], [place, place], color=COLOURS[row.is_met], linewidth=9, solid_capstyle="butt")
        axes.annotate(
            f"{ratio:,.0f}" if ratio >= 100 else f"{ratio:.3g}",
            (max(end, 1), place),
            (4, 0),
            textcoords="offset points",
            va="center",
            fontsize=7,
        )
        if row.at_least is not None:
            axes.plot([row.at_least] * 2, [place - 0.4, place + 0.4], color="black", linewidth=1.5)
    axes.set_yticks(range(len(rows)), [f"{name}: {row.what}" for name, row, _ in rows], fontsize=7)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xscale("log")
    least = [value for _, row, ratio in rows for value in (ratio, row.at_least) if value is not None]
    axes.set_xlim(min([0.4, *least]) / 1.5, LONGEST * 2)
    ticks = [0.1, 0.25, 0.5, 1, 2, 5, 10, 20, 50]
    axes.set_xticks([tick for tick in ticks if tick >= axes.get_xlim()[0]])
    axes.xaxis.set_major_formatter("{x:g}")
    axes.minorticks_off()
    axes.axvline(1, color="grey", linewidth=0.8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlabel("times as good as what it is compared with (black: target)")
    return figure
