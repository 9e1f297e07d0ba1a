"""clothing-dataset-small: a made slice for the rules, the real pictures for the numbers."""

import logging
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fashion_lab.catalogs import clothing
from fashion_lab.catalogs.clothing import CLASSES, FOLDER, SOURCE, ClothingCatalog
from fashion_lab.catalogs.download import DownloadError, sha256_of, split_sha256
from fashion_lab.data.pixels import PixelStore
from fashion_lab.pictures import PixelSpec

REAL = os.environ.get("FASHION_LAB_DATA")
SEVEN = ("dress", "hat", "longsleeve", "pants", "shoes", "shorts", "t-shirt")
COUNTS = {"train": 12, "validation": 2, "test": 1}
real = pytest.mark.skipif(REAL is None, reason="needs the real pictures: set FASHION_LAB_DATA")


def write(root, splits=("train", "validation"), senders=True):
    """Ten classes of 12, 2 and 1 pictures; picture i of train is from sender i % 4, the rest are unknown."""
    lines = ["image,sender_id,label,kids"]
    for split in splits:
        for class_ in CLASSES:
            folder = root / FOLDER / split / class_
            folder.mkdir(parents=True)
            for number in range(COUNTS[split]):
                stem = f"{split}-{class_}-{number:02d}"
                Image.new("RGB", (8, 8), (number * 20, 0, 0)).save(folder / f"{stem}.jpg")
                if split == "train":
                    lines.append(f"{stem},{number % 4},{class_},False")
    if senders:
        (root / FOLDER / "images.csv").write_text("\n".join(lines))
    return root


@pytest.fixture(autouse=True)
def slice_only(monkeypatch, tmp_path, request):
    """Expect the slice's counts, see no other data, and never fetch."""
    if "pictures" in request.keywords:
        return
    monkeypatch.delenv("FASHION_LAB_DATA", raising=False)
    monkeypatch.setenv("FASHION_LAB_CACHE", str(tmp_path / "cache"))
    splits = {split: (10 * count, "") for split, count in COUNTS.items()}
    monkeypatch.setattr(clothing, "SOURCE", replace(SOURCE, splits=splits))

    def unreachable(source, target):
        raise DownloadError("cannot fetch it: offline")

    monkeypatch.setattr(clothing, "fetch", unreachable)


def sizes(catalog):
    return {name: len(rows) for name, rows in catalog.splits.items()}


def test_official_splits_with_and_without_test(tmp_path):
    assert sizes(ClothingCatalog(root=write(tmp_path / "a"))) == {"train": 120, "validation": 20}
    full = ClothingCatalog(root=write(tmp_path / "b", splits=("train", "validation", "test")), classes=SEVEN)
    assert sizes(full) == {"train": 84, "validation": 14, "test": 7}
    for position in range(len(full)):
        split, class_, _ = full.item(position).split("/")
        assert full.classes[full.labels[position]] == class_
        assert position in full.splits[split]


def test_the_order_of_classes_is_the_order_of_labels(tmp_path):
    catalog = ClothingCatalog(root=write(tmp_path), classes=["shoes", "hat"])
    assert catalog.classes == ("shoes", "hat")
    assert "/shoes/" in catalog.item(int(np.flatnonzero(catalog.labels == 0)[0]))


def test_senders_are_groups_and_the_unknown_are_alone(tmp_path, caplog):
    caplog.set_level(logging.WARNING)
    catalog = ClothingCatalog(root=write(tmp_path))
    assert sorted(set(catalog.groups[catalog.splits["train"]])) == [0, 1, 2, 3]
    alone = catalog.groups[catalog.splits["validation"]]
    assert len(set(alone)) == 20
    assert alone.min() > 3
    assert "20 of 140" in caplog.text


def test_folds_divide_train_and_keep_senders_apart(tmp_path):
    write(tmp_path, splits=("train", "validation", "test"))
    whole = ClothingCatalog(root=tmp_path)
    seen = []
    for fold in range(4):
        catalog = ClothingCatalog(root=tmp_path, folds=4, fold=fold)
        train, held_back = catalog.splits["train"], catalog.splits["validation"]
        assert not set(catalog.groups[train]) & set(catalog.groups[held_back])
        assert sorted([*train, *held_back]) == whole.splits["train"].tolist()
        assert catalog.splits["official"].tolist() == whole.splits["validation"].tolist()
        assert catalog.splits["test"].tolist() == whole.splits["test"].tolist()
        assert catalog.fingerprint() == whole.fingerprint(), "folds share one pixel store"
        seen += held_back.tolist()
    assert sorted(seen) == whole.splits["train"].tolist()


def test_without_senders_folds_are_refused(tmp_path, caplog):
    write(tmp_path, senders=False)
    caplog.set_level(logging.WARNING)
    assert ClothingCatalog(root=tmp_path).groups is None
    assert "unknown" in caplog.text
    with pytest.raises(ValueError, match=r"data\.folds needs.*images\.csv"):
        ClothingCatalog(root=tmp_path, folds=2, fold=0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"folds": 5}, "folds=5 data.fold=None.*both or neither"),
        ({"fold": 0}, "folds=None data.fold=0.*both or neither"),
        ({"folds": 5, "fold": 5}, r"fold 0 \.\. folds-1"),
        ({"folds": 5, "fold": -1}, r"fold 0 \.\. folds-1"),
        ({"folds": 1, "fold": 0}, "2 or more folds"),
        ({"folds": 9, "fold": 0}, r"folds=9: give 2 \.\. 4"),
        ({"classes": ["hat", "hats"]}, "hats.*dress, hat"),
        ({"classes": ["hat"]}, "2 or more"),
        ({"classes": ["hat", "hat"]}, "different"),
    ],
)
def test_options_are_checked(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        ClothingCatalog(root=write(tmp_path), **options)


def test_a_cut_off_folder_is_told(tmp_path):
    write(tmp_path)
    next((tmp_path / FOLDER / "train" / "hat").iterdir()).unlink()
    with pytest.raises(ValueError, match=r"train has 119 pictures, not 120"):
        ClothingCatalog(root=tmp_path)


def test_left_out_files_are_left_out(tmp_path, monkeypatch):
    monkeypatch.setattr(clothing, "_left_out", lambda: {"train/hat/train-hat-00.jpg"})
    catalog = ClothingCatalog(root=write(tmp_path))
    assert sizes(catalog) == {"train": 119, "validation": 20}
    assert "train/hat/train-hat-00.jpg" not in catalog.names


def test_where_it_is_looked_for(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match=r"data\.root=.*does not hold clothing-dataset-small"):
        ClothingCatalog(root=tmp_path)
    write(tmp_path / "data")
    monkeypatch.setenv("FASHION_LAB_DATA", str(tmp_path / "data"))
    assert ClothingCatalog().root == tmp_path / "data" / FOLDER
    write(tmp_path / "cache")
    monkeypatch.setenv("FASHION_LAB_DATA", str(tmp_path))
    assert ClothingCatalog().root == tmp_path / "cache" / FOLDER


def test_first_use_fetches_into_the_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(clothing, "fetch", lambda source, target: write(target.parent))
    assert sizes(ClothingCatalog()) == {"train": 120, "validation": 20}


@pytest.mark.parametrize("download", [True, False])
def test_offline_the_three_ways_on_are_named(download):
    with pytest.raises(ValueError, match=r"\(1\) set data\.root.*\(2\) go online.*\(3\) take data=synthetic"):
        ClothingCatalog(download=download)


def test_the_shipped_list_names_one_file_and_why():
    (path,) = clothing._left_out()
    assert path == "train/skirt/637a56e4-7fa6-4f75-8859-0f8902461554.jpg"


def test_everything_comes_over_https_from_pinned_commits():
    addresses = [SOURCE.archive, *(address for address, _ in SOURCE.files.values())]
    assert all(address.startswith("https://") for address in addresses)
    assert all(len([part for part in address.split("/") if len(part) == 40]) == 1 for address in addresses)


@real
@pytest.mark.pictures
@pytest.mark.parametrize(("classes", "train", "validation"), [(SEVEN, 2482, 276), (CLASSES, 3067, 341)])
def test_real_counts(classes, train, validation):
    catalog = ClothingCatalog(root=REAL, classes=classes)
    assert len(catalog.splits["train"]) == train
    assert len(catalog.splits["validation"]) == validation
    senders = [set(catalog.groups[catalog.splits[split]]) for split in ("train", "validation")]
    known = np.isin(catalog.groups[catalog.splits["validation"]], list(senders[0])).mean()
    assert known > 0.94


@real
@pytest.mark.pictures
@pytest.mark.parametrize(
    ("classes", "expected"), [(SEVEN, [557, 487, 479, 480, 479]), (CLASSES, [683, 628, 588, 586, 582])]
)
def test_real_folds(classes, expected):
    found = []
    for fold in range(5):
        catalog = ClothingCatalog(root=REAL, classes=classes, folds=5, fold=fold)
        train, held_back = catalog.splits["train"], catalog.splits["validation"]
        assert not set(catalog.groups[train]) & set(catalog.groups[held_back])
        assert np.bincount(catalog.labels[held_back], minlength=len(classes)).min() >= 18
        found.append(len(held_back))
    assert found == expected


@real
@pytest.mark.pictures
def test_real_files_match_the_pins():
    folder = Path(REAL) / FOLDER
    for split in ("train", "validation"):
        assert split_sha256(folder, split) == SOURCE.splits[split][1]
    assert sha256_of(folder / "images.csv") == SOURCE.files["images.csv"][1]


@real
@pytest.mark.pictures
def test_real_pictures_all_decode(tmp_path):
    catalog = ClothingCatalog(root=REAL, classes=SEVEN)
    store = PixelStore.open(catalog, PixelSpec(size=32), cache=tmp_path)
    assert store.broken == {}
    assert len(store.pixels) == 2758
    assert 90 < store.pixels.mean() < 230
