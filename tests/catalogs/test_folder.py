"""The user's own folders: both layouts, and every way to lay them out wrong."""

import logging

import numpy as np
import pytest
from PIL import Image

from fashion_lab.catalogs.folder import FolderCatalog
from fashion_lab.catalogs.splits import carve, folds_apart
from fashion_lab.data.pixels import PixelStore
from fashion_lab.pictures import PixelSpec


def plant(root, *paths):
    """Put a small picture at each path, of a colour of its own."""
    for number, path in enumerate(paths):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (9, 9), (number * 20 % 256, 99, 0)).save(root / path)
    return root


def flat(root, hats=10, shoes=5):
    return plant(root, *[f"hat/{i}.png" for i in range(hats)], *[f"shoes/{i}.jpg" for i in range(shoes)])


def split(root, *extra):
    names = [
        f"{part}/{class_}/{i}.png" for part in ("train", "val") for class_ in ("hat", "shoes") for i in "ab"
    ]
    return plant(root, *names, *extra)


def items(catalog, name):
    return [catalog.item(position) for position in catalog.splits[name]]


def test_class_folders_are_split_by_seed_and_class(tmp_path):
    catalog = FolderCatalog(root=flat(tmp_path))
    assert catalog.classes == ("hat", "shoes")
    assert len(catalog) == 15
    assert np.bincount(catalog.labels[catalog.splits["validation"]]).tolist() == [2, 1]
    assert np.bincount(catalog.labels[catalog.splits["train"]]).tolist() == [8, 4]
    assert set(catalog.splits) == {"train", "validation"}
    again, other = FolderCatalog(root=tmp_path), FolderCatalog(root=tmp_path, seed=1)
    assert items(again, "validation") == items(catalog, "validation")
    assert items(other, "validation") != items(catalog, "validation")
    assert catalog.labels.dtype == np.int64


def test_every_label_is_its_folder(tmp_path):
    catalog = FolderCatalog(root=split(tmp_path, "test/hat/t.png", "test/shoes/t.png"))
    assert set(catalog.splits) == {"train", "validation", "test"}
    assert items(catalog, "test") == ["test/hat/t.png", "test/shoes/t.png"]
    assert items(catalog, "validation")[0] == "val/hat/a.png"
    for position in range(len(catalog)):
        assert catalog.classes[catalog.labels[position]] == catalog.item(position).split("/")[1]
        assert catalog.path(position) == tmp_path / catalog.item(position)
    assert sorted(np.concatenate(list(catalog.splits.values()))) == list(range(len(catalog)))


@pytest.mark.parametrize("name", ["validation", "val", "valid", "VAL"])
def test_names_of_the_validation_folder(tmp_path, name):
    names = [f"{part}/{class_}/1.png" for part in ("train", name) for class_ in ("hat", "shoes")]
    assert set(FolderCatalog(root=plant(tmp_path, *names)).splits) == {"train", "validation"}


def test_two_pictures_of_a_class_are_in_both_splits(tmp_path):
    for share in (0.01, 0.99):
        catalog = FolderCatalog(root=flat(tmp_path, hats=2, shoes=2), validation=share)
        assert np.bincount(catalog.labels[catalog.splits["validation"]]).tolist() == [1, 1]


def test_other_files_are_ignored_and_counted(tmp_path, caplog):
    flat(tmp_path)
    for name in (".DS_Store", "notes.txt", "hat/.DS_Store", "hat/._0.png", "hat/list.csv", "hat/a.svg"):
        (tmp_path / name).write_text("x")
    (tmp_path / "hat" / "deeper.png").mkdir()
    (tmp_path / ".git").mkdir()
    caplog.set_level(logging.WARNING)
    assert len(FolderCatalog(root=tmp_path)) == 15
    assert "8 entries" in caplog.text
    assert "3 more" in caplog.text


def test_extensions_of_either_case(tmp_path):
    flat(tmp_path)
    (tmp_path / "hat/0.png").rename(tmp_path / "hat/0.PNG")
    assert "hat/0.PNG" in FolderCatalog(root=tmp_path).names


@pytest.mark.parametrize(
    ("paths", "message"),
    [
        (["hat/1.png", "hat/2.png"], "1 class folders"),
        ([], "0 class folders"),
        (["hat/1.png", "shoes/1.png", "shoes/2.png"], "only one picture of hat"),
        (["train/hat/1.png", "train/shoes/1.png"], "no validation"),
        (["val/hat/1.png", "test/shoes/1.png"], "no train"),
        (["train/hat/1.png", "val/hat/1.png", "shoes/1.png"], r"mixes split folders \(train, val\).*shoes"),
        (["train/hat/1.png", "val/hat/1.png", "valid/hat/1.png"], "two folders for one split"),
        (
            ["train/hat/1.png", "train/shoes/1.png", "val/hat/1.png", "val/bag/1.png"],
            r"bag \(not in train\), shoes \(not in validation\)",
        ),
        (["hat/1.png", "hat/2.png", "Hat/1.png", "Hat/2.png"], "'Hat' and 'hat'"),
        (["train/hat/1.png", "train/b/1.png", "val/Hat/1.png", "val/b/1.png"], "'Hat' and 'hat'"),
        (["caf\u00e9/1.png", "caf\u00e9/2.png", "cafe\u0301/1.png", "cafe\u0301/2.png"], "spells a class"),
    ],
)
def test_wrong_layouts_are_told(tmp_path, paths, message):
    with pytest.raises(ValueError, match=message):
        FolderCatalog(root=plant(tmp_path, *paths))


def test_an_empty_class_folder_is_told(tmp_path):
    flat(tmp_path)
    (tmp_path / "bag").mkdir()
    with pytest.raises(ValueError, match="bag has no pictures"):
        FolderCatalog(root=tmp_path)


def test_a_missing_root_is_told(tmp_path):
    with pytest.raises(ValueError, match=r"data\.root=.*nowhere is no folder"):
        FolderCatalog(root=tmp_path / "nowhere")


@pytest.mark.parametrize("options", [{"validation": 0.0}, {"validation": 1.0}, {"seed": -1}])
def test_options_are_checked(tmp_path, options):
    with pytest.raises(ValueError, match="data\\."):
        FolderCatalog(root=flat(tmp_path), **options)


@pytest.mark.parametrize("link", ["hat/link.png", "bag"])
def test_links_that_lead_out_are_refused(tmp_path, link):
    root, outside = flat(tmp_path / "root"), flat(tmp_path / "outside")
    (root / link).symlink_to(outside / "hat" / "0.png" if link.endswith("png") else outside / "hat")
    with pytest.raises(ValueError, match="outside"):
        FolderCatalog(root=root)


def test_links_inside_and_a_linked_root_are_fine(tmp_path):
    root = flat(tmp_path / "root")
    (root / "hat" / "link.png").symlink_to("0.png")
    (tmp_path / "alias").symlink_to(root)
    assert len(FolderCatalog(root=tmp_path / "alias")) == 16


def test_the_fingerprint_follows_the_files(tmp_path):
    catalog = FolderCatalog(root=flat(tmp_path))
    before = catalog.fingerprint()
    assert FolderCatalog(root=tmp_path, seed=5, validation=0.5).fingerprint() == before
    (tmp_path / "hat/0.png").write_bytes((tmp_path / "hat/1.png").read_bytes() + b"x")
    assert FolderCatalog(root=tmp_path).fingerprint() != before


def test_broken_pictures_come_out_in_the_store(tmp_path):
    root = flat(tmp_path / "root")
    (root / "hat" / "bad.jpg").write_text("<html>")
    catalog = FolderCatalog(root=root)
    store = PixelStore.open(catalog, PixelSpec(size=16), cache=tmp_path)
    assert [catalog.item(position) for position in store.broken] == ["hat/bad.jpg"]
    with pytest.raises(ValueError, match=r"hat/bad\.jpg"):
        PixelStore.open(FolderCatalog(root=root, strict=True), PixelSpec(size=16), cache=tmp_path)


def test_carve_is_stratified_and_independent_of_other_classes():
    labels = np.repeat([0, 1, 2], [10, 20, 40])
    rest, carved = carve(labels, share=0.25, seed=3)
    assert np.bincount(labels[carved]).tolist() == [2, 5, 10]
    assert sorted([*rest, *carved]) == list(range(70))
    fewer = carve(labels[:30], share=0.25, seed=3)[1]
    assert fewer.tolist() == carved[carved < 30].tolist()


def test_folds_keep_groups_apart_and_are_even_where_they_can_be():
    rng = np.random.default_rng(0)
    groups = rng.zipf(1.6, 2000) % 60
    labels = rng.integers(0, 5, 2000)
    folds = folds_apart(labels, groups, folds=4)
    assert all(len(set(folds[groups == group])) == 1 for group in np.unique(groups))
    largest = np.bincount(groups).max()
    assert np.bincount(folds).max() <= max(largest, 500) + 25
    shuffled = rng.permutation(2000)
    assert np.array_equal(folds_apart(labels[shuffled], groups[shuffled], folds=4), folds[shuffled])
    even = folds_apart(np.tile([0, 1], 50), np.repeat(np.arange(50), 2), folds=5)
    assert np.bincount(even).tolist() == [20] * 5


@pytest.mark.parametrize("folds", [1, 0, -1, 4])
def test_folds_need_as_many_groups(folds):
    with pytest.raises(ValueError, match=rf"folds={folds}: give 2 \.\. 3"):
        folds_apart(np.zeros(6, np.int64), np.repeat(np.arange(3), 2), folds=folds)
