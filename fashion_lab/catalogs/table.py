"""A table of what is known about pictures: a CSV file with a column `path`."""

import csv
import re
from collections import Counter
from collections.abc import Sequence
from io import StringIO
from pathlib import Path, PurePosixPath

from fashion_lab.contracts.catalog import Scalar

PATH = "path"
DELIMITERS = ",;\t"  # the second is what spreadsheets write where the comma is the decimal point
WHOLE = re.compile(r"-?(0|[1-9]\d{0,17})")  # 007 is a name, and so are more digits than int64 has
NUMBER = re.compile(r"-?(0|[1-9]\d{0,14})(\.\d+)?([eE][-+]?\d{1,2})?")  # 15 digits: what a float keeps
WORDS = {"true": True, "false": False}
# What an item says of itself, and what a hit adds to it
TAKEN: tuple[str, ...] = ("key", "id", "split", "added", "sha256", "columns", "plain", "stamp", "stale")
TAKEN += ("rank", "distance", "similarity", "position", "folded")


def read_table(table: Path) -> dict[str, dict[str, Scalar]]:
    """Read a table: the path of a picture to its values by column.

    A column of whole numbers is int, of numbers float, of true and false bool, and else str; an empty cell is
    None in all of them.

    Raises:
        ValueError: no such file, no column `path`, a path twice or that leads out of the root, a line of
            another length, or a column's name that is taken.
    """
    lines = _lines(table)
    head = [name.strip() for name in lines[0]]
    _check_head(head, table)
    rows = [line for line in lines[1:] if any(line)]
    for number, line in enumerate(rows, 2):
        if len(line) != len(head):
            raise ValueError(
                f"{table}, row {number} has {len(line)} cells, the first row {len(head)}: mend it"
            )
    place = head.index(PATH)
    paths = [_path(line[place].strip(), table) for line in rows]
    if len(set(paths)) < len(paths):
        ((twice, _),) = Counter(paths).most_common(1)
        raise ValueError(f"{table} has two rows for {twice}: keep one of them")
    columns = {
        name: _typed([line[number].strip() for line in rows])
        for number, name in enumerate(head)
        if number != place
    }
    return {path: {name: columns[name][row] for name in columns} for row, path in enumerate(paths)}


def _lines(table: Path) -> list[list[str]]:
    """Read the cells; the delimiter is the one that makes a column `path`."""
    try:
        text = table.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"data.table={table} cannot be read: {error}; give a CSV file in UTF-8") from error
    for delimiter in DELIMITERS:
        try:
            lines = list(csv.reader(StringIO(text, newline=""), delimiter=delimiter, strict=True))
        except csv.Error as error:
            raise ValueError(f"data.table={table} is no CSV file: {error}") from error
        if lines and PATH in [name.strip() for name in lines[0]]:
            return lines
    raise ValueError(
        f"data.table={table} has no column {PATH!r}: name each picture by its path below data.root"
    )


def _check_head(head: Sequence[str], table: Path) -> None:
    for number, name in enumerate(head):
        if not name or name in head[:number]:
            raise ValueError(
                f"{table} has {'two columns' if name else 'a column without'} {name or 'a name'}"
            )
        if name in TAKEN:
            raise ValueError(f"{table} has a column {name!r}, which is taken: give it another name")


def _path(path: str, table: Path) -> str:
    """Bring a path into the form that the catalog uses."""
    plain = PurePosixPath(path)
    if not path or plain.is_absolute() or ".." in plain.parts:
        raise ValueError(f"{table} names {path!r}: give paths below data.root")
    return str(plain)


def _typed(cells: Sequence[str]) -> list[Scalar]:
    """Read a column: all of its values as numbers, or none."""
    values = [cell for cell in cells if cell]
    if all(WHOLE.fullmatch(cell) for cell in values):
        return [int(cell) if cell else None for cell in cells]
    if all(NUMBER.fullmatch(cell) for cell in values):
        return [float(cell) if cell else None for cell in cells]
    if all(cell.lower() in WORDS for cell in values):
        return [WORDS[cell.lower()] if cell else None for cell in cells]
    return [cell or None for cell in cells]
