"""The user's own pictures: `root/<split>/<class>/*`, or `root/<class>/*` and the split is made here."""

import logging
import unicodedata
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeAlias

import numpy as np

from fashion_lab.catalogs.files import FileCatalog, forbid_links_out, pictures_in
from fashion_lab.catalogs.splits import carve
from fashion_lab.pictures import EXTENSIONS

log = logging.getLogger(__name__)

SPLITS = {
    "train": "train",
    "validation": "validation",
    "val": "validation",
    "valid": "validation",
    "test": "test",
}
NAMED = 5  # files that a message names; the rest are counted

Classes: TypeAlias = dict[str, list[str]]  # class name to its pictures' paths below the root, in order


class FolderCatalog(FileCatalog):
    """Pictures in folders named after their classes.

    Where `root` has the folders `train` and `validation` (or `val`, `valid`; and perhaps `test`), these are
    the splits. Otherwise its folders are the classes, and the share `validation` of each is held back by
    `seed`. Files that are no pictures are ignored and counted in a warning. Whether a picture can be decoded
    shows when the pixel store is built.
    """

    def __init__(
        self,
        *,
        root: str | Path,
        name: str = "folder",
        validation: float = 0.2,
        seed: int = 0,
        strict: bool = False,
    ) -> None:
        if not 0 < validation < 1:
            raise ValueError(f"data.validation={validation}: give a share between 0 and 1, such as 0.2")
        if seed < 0:
            raise ValueError(f"data.seed={seed}: give 0 or more")
        self.root = Path(root).expanduser().resolve()
        if not self.root.is_dir():
            raise ValueError(
                f"data.root={root} is no folder: name the one that holds <class>/ or <split>/<class>/"
            )
        self.name, self.strict = name, strict
        tables = self._tables()
        self.classes = _class_names(tables, self.root)
        self.names = [name for table in tables.values() for class_ in self.classes for name in table[class_]]
        counts = [len(table[class_]) for table in tables.values() for class_ in self.classes]
        self.labels = np.repeat(np.tile(np.arange(len(self.classes)), len(tables)), counts)
        self.splits = self._splits(tables, validation, seed)

    def _tables(self) -> dict[str, Classes]:
        """Read the folders: split name to its classes; one table named "" where no folder is a split."""
        ignored: list[str] = []
        folders = _folders(self.root, self.root, ignored)
        known = {path: SPLITS[path.name.lower()] for path in folders if path.name.lower() in SPLITS}
        if not known:
            tables = {"": _classes(folders, self.root, ignored)}
        else:
            _check_splits(known, folders, self.root)
            order = sorted(known, key=lambda path: ["train", "validation", "test"].index(known[path]))
            tables = {
                known[path]: _classes(_folders(path, self.root, ignored), self.root, ignored)
                for path in order
            }
        if ignored:
            more = f" and {len(ignored) - NAMED} more" if len(ignored) > NAMED else ""
            log.warning(
                "%d entries of %s are no pictures: %s%s", len(ignored), self.root, ignored[:NAMED], more
            )
        return tables

    def _splits(self, tables: Mapping[str, Classes], validation: float, seed: int) -> dict[str, np.ndarray]:
        if "" not in tables:
            sizes = [sum(map(len, table.values())) for table in tables.values()]
            return dict(zip(tables, np.split(np.arange(sum(sizes)), np.cumsum(sizes)[:-1]), strict=True))
        single = [class_ for class_, pictures in tables[""].items() if len(pictures) < 2]
        if single:
            raise ValueError(
                f"{self.root} has only one picture of {', '.join(single)}: 2 or more are needed, "
                f"one to train and one to validate; add some or remove the folder"
            )
        train, held_back = carve(self.labels, share=validation, seed=seed)
        return {"train": train, "validation": held_back}


def _folders(folder: Path, root: Path, ignored: list[str]) -> list[Path]:
    """List the folders in `folder`; what is no folder, or hidden, goes to `ignored`."""
    kept = []
    for path in sorted(folder.iterdir(), key=lambda path: path.name):
        forbid_links_out(path, inside=root)
        if path.is_dir() and not path.name.startswith((".", "__MACOSX")):
            kept.append(path)
        else:
            ignored.append(path.relative_to(root).as_posix())
    return kept


def _classes(folders: Iterable[Path], root: Path, ignored: list[str]) -> Classes:
    """Read class folders. Raises ValueError where one has no picture."""
    classes: Classes = {}
    for folder in folders:
        pictures, others = pictures_in(folder, inside=root)
        below = folder.relative_to(root).as_posix()
        if not pictures:
            raise ValueError(
                f"{folder} has no pictures (names that end in {', '.join(EXTENSIONS)}): fill or remove it"
            )
        classes[folder.name] = [f"{below}/{name}" for name in pictures]
        ignored += [f"{below}/{name}" for name in others]
    return classes


def _check_splits(known: Mapping[Path, str], folders: Iterable[Path], root: Path) -> None:
    """Raise ValueError unless the folders are train and validation, perhaps test, and nothing else."""
    strangers = [path.name for path in folders if path not in known]
    names = sorted(path.name for path in known)
    if strangers:
        raise ValueError(
            f"{root} mixes split folders ({', '.join(names)}) with others ({', '.join(strangers)}): "
            f"use <split>/<class>/ with train, validation and test, or <class>/ alone"
        )
    if len(set(known.values())) < len(known):
        raise ValueError(f"{root} has two folders for one split ({', '.join(names)}): keep one of them")
    missing = {"train", "validation"} - set(known.values())
    if missing:
        raise ValueError(
            f"{root} has {', '.join(names)} but no {' or '.join(sorted(missing))}: add it, "
            f"or put the class folders into the root to have them split"
        )


def _class_names(tables: Mapping[str, Classes], root: Path) -> tuple[str, ...]:
    """Agree on the classes of all splits, in order. Raises ValueError where they cannot."""
    names = sorted({name for table in tables.values() for name in table})
    spellings: dict[str, str] = {}
    for name in names:
        known = spellings.setdefault(unicodedata.normalize("NFC", name).casefold(), name)
        if known != name:
            raise ValueError(
                f"{root} spells a class {known!r} and {name!r}: rename one, or both folders alike"
            )
    gaps = [
        f"{name} (not in {split})" for name in names for split, table in tables.items() if name not in table
    ]
    if gaps:
        raise ValueError(
            f"{root}: every class must be in every split: {', '.join(gaps)}: add or remove folders"
        )
    if len(names) < 2:
        raise ValueError(
            f"{root} has {len(names)} class folders: 2 or more are needed, each with its pictures"
        )
    return tuple(names)
