"""clothing-dataset-small: 3,781 photos of clothes that people sent in (CC0), ten classes.

Source: github.com/alexeygrigorev/clothing-dataset-small; who sent what is in `images.csv` of the full
clothing-dataset by the same author. 96 % of the validation pictures come from senders who are in train too,
so the official validation split flatters: choose recipes by folds, report the official split beside them.
"""

import csv
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fashion_lab.catalogs.download import DownloadError, Source, fetch
from fashion_lab.catalogs.files import FileCatalog, find_data, pictures_in, ways_on
from fashion_lab.catalogs.splits import folds_apart
from fashion_lab.contracts.catalog import Ints
from fashion_lab.folders import cache_folder

log = logging.getLogger(__name__)

FOLDER, SENDERS = "clothing-dataset-small", "images.csv"
CLASSES = ("dress", "hat", "longsleeve", "outwear", "pants", "shirt", "shoes", "shorts", "skirt", "t-shirt")
OWNER = "alexeygrigorev"
SOURCE = Source(
    archive=f"https://codeload.github.com/{OWNER}/{FOLDER}/zip/11961516512414bf9f6c150a832cfd21b54a6b54",
    files={
        SENDERS: (
            f"https://raw.githubusercontent.com/{OWNER}/clothing-dataset/"
            f"7ed86a9cc56763b6acb35e41cb35184e43a5d218/{SENDERS}",
            "35f08c1442351037b262cc7398368c9cacfb6d8e6a013780f7f2211ab856cb34",
        )
    },
    splits={
        "train": (3068, "d456bbca61175bf80338978557711a5c98c6d4941658f82e168574e2887c4500"),
        "validation": (341, "4b2cb13d93ea56ca63f2e94e19c6c16f34fd81b8155d421698291a24c9008e6c"),
        "test": (372, "dba1d6ee87acd1beaff7f974e59c0224feb61a0ebcbe7caf41db84da06e7b74d"),
    },
)


class ClothingCatalog(FileCatalog):
    """The official splits, or sender-disjoint folds of the official training split.

    Without folds: `train`, `validation`, and `test` where its files are there. With `folds=k fold=i`: `train`
    and `validation` (fold i) divide the official training split with senders kept apart, `official` is the
    official validation split, `test` as before. Senders are uneven (the largest of 282 sent 271 of 2,482) and
    so are folds: five have 557, 487, 479, 480 and 479 pictures with seven classes, and 683, 628, 588, 586 and
    582 with ten.

    Files named in `clothing_left_out.csv` are left out. `groups` are the senders; a picture that `images.csv`
    does not know is a group of its own. Files on disk are counted, not hashed, since that takes long; a
    download was checked when it came.

    Args:
        root: folder that holds `clothing-dataset-small/`; None: `$FASHION_LAB_DATA`, or the cache.
        classes: which of the ten, in the order of the labels.
        name: for tables and folders.
        folds: number of folds, or None for the official splits.
        fold: which of them validates, 0 .. folds-1.
        download: whether it may be fetched.
        strict: whether an unreadable picture is an error.
    """

    def __init__(
        self,
        *,
        root: str | Path | None = None,
        classes: Sequence[str] = CLASSES,
        name: str = "clothing",
        folds: int | None = None,
        fold: int | None = None,
        download: bool = True,
        strict: bool = False,
    ) -> None:
        _check_classes(classes)
        _check_folds(folds, fold)
        self.name, self.strict, self.classes = name, strict, tuple(classes)
        self.root = _locate(root, download=download)
        names, labels, splits = self._read_splits()
        self.names, self.labels, self.splits = names, labels, splits
        self.groups = self._read_senders()
        if folds is not None and fold is not None:
            self.splits = self._carve_fold(folds, fold)

    def _read_splits(self) -> tuple[list[str], Ints, dict[str, Ints]]:
        left_out = _left_out()
        names: list[str] = []
        labels: list[int] = []
        splits: dict[str, Ints] = {}
        for split, (count, _) in SOURCE.splits.items():
            if split == "test" and not (self.root / split).is_dir():
                continue
            _check_count(self.root / split, count)
            start = len(names)
            for label, class_ in enumerate(self.classes):
                files, _ = pictures_in(self.root / split / class_, inside=self.root.resolve())
                kept = [
                    path for path in (f"{split}/{class_}/{file}" for file in files) if path not in left_out
                ]
                names += kept
                labels += [label] * len(kept)
            splits[split] = np.arange(start, len(names))
        return names, np.array(labels, dtype=np.int64), splits

    def _read_senders(self) -> Ints | None:
        """Read who sent each picture, [N]; None where `images.csv` is not there."""
        file = self.root / SENDERS
        if not file.is_file():
            log.warning("%s is not there: who sent which picture stays unknown", file)
            return None
        with file.open(encoding="utf-8", newline="") as opened:
            senders = {row["image"]: int(row["sender_id"]) for row in csv.DictReader(opened)}
        stems = [Path(name).stem for name in self.names]
        unknown = sum(stem not in senders for stem in stems)
        if unknown:
            log.warning(
                "%s does not know %d of %d pictures: each is its own group", file, unknown, len(stems)
            )
        own = max(senders.values(), default=0) + 1
        return np.array([senders.get(stem, own + at) for at, stem in enumerate(stems)], dtype=np.int64)

    def _carve_fold(self, folds: int, fold: int) -> dict[str, Ints]:
        if self.groups is None:
            raise ValueError(
                f"data.folds needs {self.root / SENDERS}, which says who sent each picture: get it from "
                f"{SOURCE.files[SENDERS][0]}, or leave data.folds out"
            )
        train = self.splits["train"]
        fold_of = folds_apart(self.labels[train], self.groups[train], folds=folds)
        rest = {("official" if split == "validation" else split): self.splits[split] for split in self.splits}
        return {**rest, "train": train[fold_of != fold], "validation": train[fold_of == fold]}


def _locate(root: str | Path | None, *, download: bool) -> Path:
    """Find the data set, or fetch it into the cache."""
    found = find_data(FOLDER, root)
    if found is not None:
        return found
    target = cache_folder() / FOLDER
    if target.is_dir():
        return target
    if not download:
        raise ValueError(f"{FOLDER} is not on this machine and data.download=false. {ways_on(FOLDER)}")
    try:
        fetch(SOURCE, target)
    except DownloadError as error:
        raise DownloadError(f"{error}. {ways_on(FOLDER)}") from error
    return target


def _check_classes(classes: Sequence[str]) -> None:
    wrong = [class_ for class_ in classes if class_ not in CLASSES]
    if wrong or len(set(classes)) < max(2, len(classes)):
        raise ValueError(
            f"data.classes={list(classes)}: give 2 or more different ones of {', '.join(CLASSES)}"
        )


def _check_folds(folds: int | None, fold: int | None) -> None:
    if folds is None and fold is None:
        return
    if folds is None or fold is None:
        raise ValueError(f"data.folds={folds} data.fold={fold}: give both or neither, such as folds=5 fold=0")
    if folds < 2 or not 0 <= fold < folds:
        raise ValueError(f"data.folds={folds} data.fold={fold}: give 2 or more folds and a fold 0 .. folds-1")


def _check_count(folder: Path, count: int) -> None:
    found = sum(1 for _ in folder.glob("*/*.jpg"))
    if found != count:
        raise ValueError(
            f"{folder} has {found:,} pictures, not {count:,}: it is cut off or was changed; remove "
            f"{folder.parent} and have it fetched again, or use changed pictures as data=folder"
        )


def _left_out() -> set[str]:
    """Read the pictures that are left out, each with its reason in the file."""
    with Path(__file__).with_name("clothing_left_out.csv").open(encoding="utf-8", newline="") as opened:
        return {row["path"] for row in csv.DictReader(opened)}
