"""What the search verb does: queries from files, folders, items; answers as tables and JSON."""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from fashion_lab.filters import Where
from fashion_lab.pictures import EXTENSIONS, PictureError
from fashion_lab.visual_search import Hit, VisualSearch

STRANGE = "nothing like it here: even the nearest is farther off than those of pictures that belong here"
PIPED_WIDTH = 1000  # letters; nobody wraps a pipe's lines


@dataclass(frozen=True)
class Answer:
    """A query with its hits: a picture's file, or an item of the gallery (then `position` is its row).

    `strange` says that even its nearest hit is not like it; None where nobody knows.
    """

    query: str
    hits: Sequence[Hit]
    position: int | None = None
    strange: bool | None = None


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
    finder: VisualSearch,
    paths: Sequence[Path],
    items: Sequence[str],
    k: int,
    *,
    where: Where | None = None,
    fold: bool = True,
    expand: int = 0,
) -> tuple[list[Answer], list[Failure]]:
    """Search for each file and each item; a file that cannot be read fails alone.

    Raises:
        ValueError: no such item, or a condition that no item can meet.
    """
    read, pixels, failed = [], [], []
    for path in paths:
        try:
            pixels.append(finder.prepare(path))
            read.append(str(path))
        except PictureError as error:
            failed.append(Failure(str(path), str(error)))
    found = finder.nearest(finder.encode(pixels), k, where=where, fold=fold, expand=expand)
    found += [finder.more_like(name, k, where=where, fold=fold, expand=expand) for name in items]
    positions = [*[None] * len(read), *map(finder.position, items)]
    answers = [
        Answer(name, hits, position, finder.is_strange(hits, where))
        for name, hits, position in zip([*read, *items], found, positions, strict=True)
    ]
    return answers, failed


def as_json(answers: Sequence[Answer], failed: Sequence[Failure], sheet: Path | None) -> str:
    """Give everything as one JSON object, ASCII only."""
    result = {
        "queries": [
            {"query": one.query, "strange": one.strange, "hits": [_record(hit) for hit in one.hits]}
            for one in answers
        ],
        "failed": [{"query": one.query, "why": one.why} for one in failed],
        "sheet": None if sheet is None else str(sheet),
    }
    return json.dumps(result, indent=2)


def print_tables(answers: Sequence[Answer], sheet: Path | None) -> None:
    """Print a table for each query."""
    console = Console(width=None if sys.stdout.isatty() else PIPED_WIDTH, highlight=False)
    for one in answers:
        console.print(Text(one.query, style="bold"))
        if one.strange:
            console.print(Text(STRANGE))
        console.print(_table(one.hits) if one.hits else Text("no item meets the conditions"))
        console.print()
    if sheet is not None:
        console.print(Text(f"contact sheet: {sheet}"))


def _table(hits: Sequence[Hit]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    scored = any(hit.similarity is not None for hit in hits)
    numbers = ("rank", "distance", "similarity")
    for name in ("rank", "class", "distance", *(["similarity"] if scored else []), "path"):
        table.add_column(name, justify="right" if name in numbers else "left", overflow="fold")
    for hit in hits:
        score = [f"{hit.similarity:.2f}"] if hit.similarity is not None else []
        where = f"{hit.path or hit.id}{' (gone)' if is_stale(hit) else ''}"
        if hit.folded:
            where += f" (and {len(hit.folded)} like it)"
        table.add_row(str(hit.rank), Text(hit.class_name or ""), f"{hit.distance:.4f}", *score, Text(where))
    return table


def is_stale(hit: Hit) -> bool:
    """Say whether the file that was indexed is no longer there."""
    return hit.path is not None and not Path(hit.path).is_file()


def complain(failed: Sequence[Failure], answered: int) -> None:
    """Name the queries that failed. Raises ValueError where there are any."""
    for one in failed:
        print(f"cannot read {one.why}", file=sys.stderr)
    if failed:
        raise ValueError(
            f"{len(failed)} of {len(failed) + answered} pictures could not be read; the rest is answered"
        )


def _record(hit: Hit) -> dict[str, Any]:
    record = hit.record()
    del record["position"]
    return {"rank": record.pop("rank"), "distance": record.pop("distance"), **record, "stale": is_stale(hit)}
