"""A shop's pictures: any tree of files, and a table of what is known about them; to be searched."""

import logging
import os
import unicodedata
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from fashion_lab.catalogs.files import FileCatalog
from fashion_lab.catalogs.table import read_table
from fashion_lab.contracts.catalog import Scalar
from fashion_lab.pictures import EXTENSIONS, PictureError

log = logging.getLogger(__name__)

NAMED = 5  # files that a message names; the rest are counted
SKIPPED = ("__MACOSX", "@eaDir")  # folders of thumbnails and forks that other systems make


class PhotosCatalog(FileCatalog):
    """Every picture below a folder, named by its path there; one split, `all`.

    The class is what the table says, else the first folder below the root, else unknown. Files that are no
    pictures, hidden ones, folders behind links and links that lead out of the root are left alone and counted
    in a warning. Whether a picture can be decoded shows when it is indexed.

    Args:
        root: the folder.
        table: a CSV file with a column `path` (below the root); any of `class`, `product`, `group`; and
            further columns, which become the items' own.
        name: one word for tables and folders.
        strict: whether an unreadable picture is an error.

    Raises:
        ValueError: no such folder, no picture in it, two spellings of a class, a table that cannot be used.
    """

    def __init__(
        self,
        *,
        root: str | Path,
        table: str | Path | None = None,
        name: str = "photos",
        strict: bool = False,
    ) -> None:
        self.root = Path(root).expanduser().resolve()
        if not self.root.is_dir():
            raise ValueError(f"data.root={root} is no folder: name the one that holds the pictures")
        self.name, self.strict = name, strict
        ignored: list[str] = []
        self.names = sorted(_pictures(self.root, "", ignored))
        _tell(ignored, f"entries of {self.root} are no pictures of it")
        if not self.names:
            raise ValueError(
                f"{self.root} has no pictures (names that end in {', '.join(EXTENSIONS)}): is it right?"
            )
        known = {} if table is None else self._known(Path(table).expanduser())
        classes = known.pop("class", [None] * len(self.names))
        named = [_class_of(name, said) for name, said in zip(self.names, classes, strict=True)]
        self.classes = _spelt_one_way({one for one in named if one is not None})
        places = {one: place for place, one in enumerate(self.classes)}
        self.labels = np.array([-1 if one is None else places[one] for one in named], dtype=np.int64)
        self.columns = known
        self.splits = {"all": np.arange(len(self.names), dtype=np.int64)}

    def open(self, position: int) -> Image.Image:
        """Open one picture, not yet decoded. Raises PictureError when it cannot be read."""
        self._check_inside(position)
        return super().open(position)

    def content(self, position: int) -> bytes:
        """Read one picture's file. Raises PictureError when it cannot be read."""
        self._check_inside(position)
        return super().content(position)

    def _check_inside(self, position: int) -> None:
        """Raise PictureError where a link or a folder was exchanged for one that leads elsewhere."""
        path = self.path(position)
        if not Path(os.path.realpath(path)).is_relative_to(self.root):
            raise PictureError(f"{path}: leads out of {self.root}")

    def _known(self, table: Path) -> dict[str, list[Scalar]]:
        """Read the table: a value for each picture by column, None where it says nothing."""
        rows = read_table(table)
        there = set(self.names)
        _tell([name for name in rows if name not in there], f"rows of {table} name no picture of {self.root}")
        columns: Mapping[str, Scalar] = next(iter(rows.values()), {})
        return {column: [rows.get(name, {}).get(column) for name in self.names] for column in columns}


def _pictures(root: Path, below: str, ignored: list[str]) -> Iterator[str]:
    """List the pictures in a folder and the folders in it, by their paths below the root."""
    with os.scandir(root / below) as entries:
        for entry in entries:
            name = f"{below}{entry.name}"
            if entry.name.startswith(".") or entry.name in SKIPPED:
                ignored.append(name)
            elif entry.is_dir(follow_symlinks=False):
                yield from _pictures(root, f"{name}/", ignored)
            elif entry.name.lower().endswith(EXTENSIONS) and entry.is_file() and _is_inside(entry, root):
                yield name
            else:
                ignored.append(name)


def _is_inside(entry: "os.DirEntry[str]", root: Path) -> bool:
    return not entry.is_symlink() or Path(entry.path).resolve().is_relative_to(root)


def _class_of(name: str, said: Scalar) -> str | None:
    """Take the class from the table, else from the first folder."""
    if said is not None:
        return str(said)
    first, _, rest = name.partition("/")
    return first if rest else None


def _spelt_one_way(names: set[str]) -> tuple[str, ...]:
    """Put the classes into order. Raises ValueError where two differ only in case or in accents' encoding."""
    spellings: dict[str, str] = {}
    for name in sorted(names):
        known = spellings.setdefault(unicodedata.normalize("NFC", name).casefold(), name)
        if known != name:
            raise ValueError(
                f"a class is spelt {known!r} and {name!r}: rename a folder, or say the class in data.table"
            )
    return tuple(sorted(names))


def _tell(names: list[str], what: str) -> None:
    """Warn of what is left alone."""
    if names:
        more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        log.warning("%d %s: %s%s", len(names), what, sorted(names)[:NAMED], more)
