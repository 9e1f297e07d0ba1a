"""Recipes as points: quality against parameters and against training time, a row of panels a study."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from fashion_lab.studies.labels import Box, free_place
from fashion_lab.studies.naming import name_of
from fashion_lab.studies.tables import Line, Report, Table

SUFFIXES = (".png", ".pdf", ".svg")
ROOM = 15  # recipes of a panel that are all named; tried out
NAMED = 8  # of more, the best so many and the baseline: the others are pale
PALE = "#b9c0c8"
WIDE = 3.0  # largest over smallest from which an axis is logarithmic; assumption
LONGEST = 40  # letters of a name
POINT, NAME = 6.5, 7.5  # a mark's width and a name's height, in typographer's points
FAR = 12.0  # points from which a line leads from a name to its mark


class Point(NamedTuple):
    """A recipe in a panel."""

    x: float
    y: float
    half: float | None
    name: str
    colour: str


def save_plot(report: Report, path: Path) -> None:
    """Draw every study of a report that has a value to show."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # a second to import; not every report draws
    from matplotlib.figure import Figure

    tables = [table for table in report.tables if _points(table, "minutes")]
    height = 4.4 * max(len(tables), 1)
    figure = Figure(figsize=(12, height), dpi=130, layout="constrained")
    rows = figure.subfigures(max(len(tables), 1), 1, squeeze=False)[:, 0]
    for part, table in zip(rows, tables, strict=False):
        part.suptitle(_title(table), fontsize=10, fontweight="bold")
        for axes, what in zip(part.subplots(1, 2, sharey=True), ("parameters", "minutes"), strict=True):
            _panel(axes, table, what)
    FigureCanvasAgg(figure).draw()  # type: ignore[no-untyped-call]  # only then is it known where things are
    for part, table in zip(rows, tables, strict=False):
        for axes, what in zip(part.axes, ("parameters", "minutes"), strict=True):
            _write_names(axes, _points(table, what), _named(table))
    figure.savefig(path)


def _title(table: Table) -> str:
    """The conditions without the names of the classes."""
    said = {**table.study.conditions, "classes": table.study.conditions["classes"].partition(" (")[0]}
    return _shortened(" · ".join(said.values()), 150)


def _points(table: Table, what: str) -> list[Point]:
    found, named = [], _named(table)
    for number, line in enumerate(table.lines):
        amount = line.amounts[table.metrics[0]] if table.metrics else None
        if amount is not None and math.isfinite(amount.value):
            name, x = _shortened(name_of(line.row), LONGEST), _cost(line, what)
            colour = "#4a5560" if line.row is table.baseline else f"C{number % 10}"
            found.append(Point(x, amount.value, amount.half, name, colour if name in named else PALE))
    return found


def _cost(line: Line, what: str) -> float:
    return line.row.minutes if what == "minutes" else float(line.row.runs[0].result["parameters"])


def _named(table: Table) -> set[str]:
    """The best recipes and the baseline."""
    most = NAMED if len(table.lines) > ROOM else ROOM
    best = [name_of(line.row) for line in table.lines[:most]]
    baseline = [] if table.baseline is None else [name_of(table.baseline)]
    return {_shortened(name, LONGEST) for name in (*best, *baseline)}


def _panel(axes: Any, table: Table, what: str) -> None:
    points = _points(table, what)
    for point in sorted(points, key=lambda point: point.colour != PALE):
        bars = {"elinewidth": 1.2, "capsize": 3} if point.half else {}
        axes.errorbar(
            point.x, point.y, point.half or None, fmt="o", markersize=POINT, color=point.colour, **bars
        )
    places = [point.x for point in points if point.x > 0]
    if places and max(places) / min(places) > WIDE:
        axes.set_xscale("log", subs=(2, 5))
        axes.xaxis.set_minor_formatter(_counted)
    axes.xaxis.set_major_formatter(_counted)
    axes.margins(x=0.15, y=0.15)
    axes.set_xlabel("minutes a run" if what == "minutes" else "parameters", fontsize=9)
    if what == "parameters":
        axes.set_ylabel(table.metrics[0], fontsize=9)
    few = f" (names: the best {NAMED} of {len(points)})" if len(table.lines) > ROOM else ""
    axes.set_title(f"quality against {'time' if what == 'minutes' else 'parameters'}{few}", fontsize=10)
    axes.tick_params(labelsize=8, which="both")
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)


def _counted(value: float, _: int) -> str:
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:g} {letter}"
    return f"{value:g}"


def _shortened(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _write_names(axes: Any, points: Sequence[Point], named: set[str]) -> None:
    """Write names where they cover nothing, with a line to a point that is far; without a place, none."""
    renderer, pixel = axes.figure.canvas.get_renderer(), axes.figure.dpi / 72
    bounds = Box(*axes.get_window_extent(renderer).extents)
    taken = [box for point in points for box in _marks(axes, point, pixel)]
    for point in points:
        if point.name not in named:
            continue
        text = axes.text(point.x, point.y, point.name, fontsize=NAME)
        extent = text.get_window_extent(renderer)
        text.remove()
        x, y = axes.transData.transform((point.x, point.y))
        place = free_place((x, y), (extent.width + 2 * pixel, extent.height + 2 * pixel), taken, bounds)
        if place is not None:
            taken.append(place)
            _write(axes, point, place)


def _marks(axes: Any, point: Point, pixel: float) -> list[Box]:
    """What a point and its error bar cover."""
    x, y = axes.transData.transform((point.x, point.y))
    reach, found = POINT * 0.7 * pixel, []
    if point.half:
        _, low = axes.transData.transform((point.x, point.y - point.half))
        found.append(Box(x - 2 * pixel, low, x + 2 * pixel, 2 * y - low))
    return [Box(x - reach, y - reach, x + reach, y + reach), *found]


def _write(axes: Any, point: Point, place: Box) -> None:
    """Write a name in the middle of its place, over all lines."""
    middle = ((place.left + place.right) / 2, (place.bottom + place.top) / 2)
    to_x, to_y = axes.transData.inverted().transform(middle)
    x, y = axes.transData.transform((point.x, point.y))
    away = max(place.left - x, x - place.right, place.bottom - y, y - place.top)
    if away > FAR * axes.figure.dpi / 72:
        ends, look = ([point.x, to_x], [point.y, to_y]), {"alpha": 0.5, "linewidth": 0.7, "zorder": 1}
        axes.plot(*ends, color=point.colour, scalex=False, scaley=False, **look)
    paper = {"boxstyle": "square,pad=0.1", "facecolor": "white", "edgecolor": "none", "alpha": 0.85}
    style = {"ha": "center", "va": "center", "fontsize": NAME, "zorder": 5, "bbox": paper}
    axes.text(to_x, to_y, point.name, **style)
