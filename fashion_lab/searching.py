"""What the search verb does: queries from files, folders, items; answers as tables, JSON, contact sheet."""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image
from rich.console import Console
from rich.table import Table
from rich.text import Text

from fashion_lab.pictures import EXTENSIONS, PictureError, PixelSpec, open_picture
from fashion_lab.sheet import PICTURE, Card, Row, contact_sheet
from fashion_lab.visual_search import Hit, VisualSearch

SHEET_QUERIES, SHEET_HITS = 20, 10  # beyond them a sheet is too large to look at; assumption
PIPED_WIDTH = 1000  # letters; nobody wraps a pipe's lines


@dataclass(frozen=True)
class Answer:
    """A query with its hits: a picture's file, or an item of the gallery (then `position` is its row)."""

    query: str
    hits: Sequence[Hit]
    position: int | None = None


@dataclass(frozen=True)
class Failure:
    """A query that could not be read."""

    query: str
    why: str


def pictures_at(names: Sequence[str]) -> list[Path]:
    """List files, and the pictures in folders, in order of their names.

    Raises:
        ValueError: a folder without pictures.
    """
    paths: list[Path] = []
    for path in map(Path, names):
        inside = (
            sorted(file for file in path.iterdir() if file.suffix.lower() in EXTENSIONS)
            if path.is_dir()
            else [path]
        )
        if not inside:
            raise ValueError(f"no picture in the folder {path} (looked for {', '.join(EXTENSIONS)})")
        paths += inside
    return paths


def answer(
    finder: VisualSearch, paths: Sequence[Path], items: Sequence[str], k: int
) -> tuple[list[Answer], list[Failure]]:
    """Search for each file and each item; a file that cannot be read fails alone.

    Raises:
        ValueError: no such item.
    """
    read, pixels, failed = [], [], []
    for path in paths:
        try:
            pixels.append(finder.prepare(path))
            read.append(str(path))
        except PictureError as error:
            failed.append(Failure(str(path), str(error)))
    answers = [Answer(*one) for one in zip(read, finder.nearest(finder.encode(pixels), k), strict=True)]
    answers += [Answer(name, finder.more_like(name, k), finder.position(name)) for name in items]
    return answers, failed


def as_json(answers: Sequence[Answer], failed: Sequence[Failure], sheet: Path | None) -> str:
    """Give everything as one JSON object, ASCII only."""
    result = {
        "queries": [{"query": one.query, "hits": [_record(hit) for hit in one.hits]} for one in answers],
        "failed": [{"query": one.query, "why": one.why} for one in failed],
        "sheet": None if sheet is None else str(sheet),
    }
    return json.dumps(result, indent=2)


def print_tables(answers: Sequence[Answer], sheet: Path | None) -> None:
    """Print a table for each query."""
    console = Console(width=None if sys.stdout.isatty() else PIPED_WIDTH, highlight=False)
    for one in answers:
        table = Table(box=None, pad_edge=False, header_style="bold")
        for name in ("rank", "class", "distance", "path"):
            table.add_column(
                name, justify="right" if name in ("rank", "distance") else "left", overflow="fold"
            )
        for hit in one.hits:
            where = f"{hit.path or hit.id}{' (gone)' if is_stale(hit) else ''}"
            table.add_row(str(hit.rank), Text(hit.class_name), f"{hit.distance:.4f}", Text(where))
        console.print(Text(one.query, style="bold"))
        console.print(table)
        console.print()
    if sheet is not None:
        console.print(Text(f"contact sheet: {sheet}"))


def complain(failed: Sequence[Failure], answered: int) -> None:
    """Name the queries that failed. Raises ValueError where there are any."""
    for one in failed:
        print(f"cannot read {one.why}", file=sys.stderr)
    if failed:
        raise ValueError(
            f"{len(failed)} of {len(failed) + answered} pictures could not be read; the rest is answered"
        )


def save_sheet(wanted: str, finder: VisualSearch, answers: Sequence[Answer], index: str) -> Path:
    """Draw the contact sheet into a file; `auto` names it after the first query.

    Raises:
        ValueError: it cannot be written there.
    """
    more = f"-and-{len(answers) - 1}-more" if len(answers) > 1 else ""
    auto = Path("outputs", "search", f"{Path(answers[0].query).stem}{more}.png")
    path = auto if wanted == "auto" else Path(wanted)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draw(finder, answers, index).save(path, "PNG")
    except OSError as error:
        raise ValueError(f"the contact sheet cannot be written: {error}; choose another sheet=") from error
    return path


def draw(finder: VisualSearch, answers: Sequence[Answer], index: str) -> Image.Image:
    """Draw the contact sheet of the first queries and hits; it says where there are more."""
    source, rows = finder.gallery.source, list[Row]()
    for one in answers[:SHEET_QUERIES]:
        query = _query_card(finder, one)
        verdicts = [None if one.position is None else hit.class_name == query.title for hit in one.hits]
        cards = [_hit_card(finder, hit, verdict) for hit, verdict in zip(one.hits, verdicts, strict=True)]
        rows.append(Row(query, cards[:SHEET_HITS]))
    count = f"{len(finder.gallery)} items of {source.catalog} ({source.split})"
    shown = [Path(index).name, count, "smaller distance: more alike"]
    if len(answers) > SHEET_QUERIES:
        shown.append(f"first {SHEET_QUERIES} of {len(answers)} queries")
    if any(len(one.hits) > SHEET_HITS for one in answers):
        shown.append(f"first {SHEET_HITS} hits")
    return contact_sheet(rows, title="Looks like this", subtitle=" · ".join(shown))


def is_stale(hit: Hit) -> bool:
    """Say whether the file that was indexed is no longer there."""
    return hit.path is not None and not Path(hit.path).is_file()


def _query_card(finder: VisualSearch, one: Answer) -> Card:
    if one.position is None:
        path = Path(one.query)
        return Card(_whole(path), path.name, path.absolute().parent.name, badge="query")
    item = finder.gallery.items[one.position]
    return Card(_shown(finder, one.position), item.class_name, item.id, badge="query")


def _hit_card(finder: VisualSearch, hit: Hit, verdict: bool | None) -> Card:
    gone = " · file is gone" if is_stale(hit) else ""
    detail = f"distance {hit.distance:.3f}{gone}"
    return Card(_shown(finder, hit.position), hit.class_name, detail, badge=str(hit.rank), verdict=verdict)


def _shown(finder: VisualSearch, position: int) -> Image.Image:
    """Show an item's file, or what the encoder saw of it where the file is gone or never was."""
    path = finder.gallery.items[position].path
    if path is not None:
        try:
            return _whole(Path(path))
        except PictureError:
            pass
    return Image.fromarray(finder.gallery.pictures[position].transpose(1, 2, 0))


def _whole(path: Path) -> Image.Image:
    """Open a picture as a whole, upright, at the sheet's size."""
    return Image.fromarray(PixelSpec(PICTURE, "letterbox").pixels(open_picture(path)).transpose(1, 2, 0))


def _record(hit: Hit) -> dict[str, Any]:
    record = hit.record()
    del record["position"]
    return {"rank": record.pop("rank"), "distance": record.pop("distance"), **record, "stale": is_stale(hit)}
