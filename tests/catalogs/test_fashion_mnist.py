"""Fashion-MNIST from made files: splits, limits, damaged files; counts on the real ones."""

import os
import struct
from pathlib import Path

import numpy as np
import pytest

from fashion_lab.catalogs import fashion_mnist
from fashion_lab.catalogs.fashion_mnist import CLASSES, FashionMnistCatalog
from fashion_lab.pictures import PixelSpec

REAL = os.environ.get("FASHION_LAB_DATA")


def write(root, train=600, test=100):
    """Make the four files, with pixels that say file and row, so that any mix-up shows."""
    raw = root / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    for name, count, base in (("train", train, 0), ("t10k", test, 128)):
        pixels = np.zeros((count, 28, 28), np.uint8)
        pixels[:, 0, 0], pixels[:, 0, 1] = base + np.arange(count) // 256, np.arange(count) % 256
        labels = (np.arange(count) % 10).astype(np.uint8)
        (raw / f"{name}-images-idx3-ubyte").write_bytes(
            struct.pack(">IIII", 2051, count, 28, 28) + pixels.tobytes()
        )
        (raw / f"{name}-labels-idx1-ubyte").write_bytes(struct.pack(">II", 2049, count) + labels.tobytes())
    return root


@pytest.fixture(autouse=True)
def no_other_data(monkeypatch, tmp_path):
    monkeypatch.delenv("FASHION_LAB_DATA", raising=False)
    monkeypatch.setenv("FASHION_LAB_CACHE", str(tmp_path / "cache"))


def row_of(catalog, position):
    corner = np.asarray(catalog.open(position))[0, :2].astype(int)
    name = "test" if corner[0] >= 128 else "train"
    return f"{name}/{corner[0] % 128 * 256 + corner[1]:05d}"


def test_splits_labels_and_pixels_belong_together(tmp_path):
    catalog = FashionMnistCatalog(root=write(tmp_path), validation=100)
    assert {name: len(rows) for name, rows in catalog.splits.items()} == {
        "train": 500,
        "validation": 100,
        "test": 100,
    }
    assert len({catalog.item(position) for position in range(700)}) == 700
    for position in range(0, 700, 7):
        item = catalog.item(position)
        assert row_of(catalog, position) == item
        assert catalog.labels[position] == int(item[-1])
    assert np.bincount(catalog.labels[catalog.splits["validation"]]).tolist() == [10] * 10
    assert all(catalog.item(position).startswith("test") for position in catalog.splits["test"])
    assert sorted(np.concatenate(list(catalog.splits.values()))) == list(range(700))


def test_grey_becomes_three_channels(tmp_path):
    catalog = FashionMnistCatalog(root=write(tmp_path), validation=100)
    pixels = PixelSpec(size=28).pixels(catalog.open(5))
    assert np.array_equal(pixels, np.broadcast_to(np.asarray(catalog.open(5)), (3, 28, 28)))


def test_limit_cuts_every_split_evenly_and_stays_inside_it(tmp_path):
    write(tmp_path)
    full = FashionMnistCatalog(root=tmp_path, validation=100)
    small = FashionMnistCatalog(root=tmp_path, validation=100, limit=50)
    for name in ("train", "validation", "test"):
        assert np.bincount(small.labels[small.splits[name]]).tolist() == [5] * 10
        inside = {full.item(position) for position in full.splits[name]}
        assert {small.item(position) for position in small.splits[name]} <= inside
    assert len(FashionMnistCatalog(root=tmp_path, validation=100, limit=10_000)) == 700


def test_the_seed_decides(tmp_path):
    write(tmp_path)

    def held_back(seed):
        catalog = FashionMnistCatalog(root=tmp_path, validation=100, seed=seed)
        return {catalog.item(position) for position in catalog.splits["validation"]}

    assert held_back(0) == held_back(0)
    assert held_back(0) != held_back(1)


def test_stamps_follow_the_pixels(tmp_path):
    one = FashionMnistCatalog(root=write(tmp_path / "a"), validation=100)
    file = write(tmp_path / "b") / "FashionMNIST/raw/t10k-images-idx3-ubyte"
    assert FashionMnistCatalog(root=tmp_path / "b", validation=100).fingerprint() == one.fingerprint()
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    assert FashionMnistCatalog(root=tmp_path / "b", validation=100).fingerprint() != one.fingerprint()


@pytest.mark.parametrize("name", ["train-images-idx3-ubyte", "t10k-labels-idx1-ubyte"])
@pytest.mark.parametrize("keep", [0, 5, 90])
def test_damaged_files_are_told(tmp_path, name, keep):
    file = write(tmp_path) / "FashionMNIST" / "raw" / name
    file.write_bytes(file.read_bytes()[:keep])
    with pytest.raises(ValueError, match="raw"):
        FashionMnistCatalog(root=tmp_path, validation=100)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"limit": 19}, r"data\.limit=19: give 20"),
        ({"seed": -1}, r"data\.seed=-1"),
        ({"validation": 0}, r"data\.validation=0"),
        ({"validation": 600}, r"data\.validation=600: give 1 \.\. 599"),
    ],
)
def test_options_are_checked(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        FashionMnistCatalog(**{"root": write(tmp_path), "validation": 100, **options})


def test_a_root_without_it_is_told(tmp_path):
    with pytest.raises(ValueError, match=r"data\.root=.*does not hold FashionMNIST"):
        FashionMnistCatalog(root=tmp_path)


def test_without_download_the_ways_on_are_named(tmp_path):
    with pytest.raises(ValueError, match=r"\(1\).*\(2\).*\(3\)"):
        FashionMnistCatalog(download=False)


def test_offline_the_ways_on_are_named_and_nothing_is_left(tmp_path, monkeypatch):
    from torchvision.datasets import FashionMNIST

    monkeypatch.setattr(FashionMNIST, "mirrors", ["http://127.0.0.1:9/"])
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with pytest.raises(ValueError, match=r"cannot fetch[\s\S]*\(1\).*\(2\).*\(3\)"):
        FashionMnistCatalog()
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["fashion_mnist.lock"]


def test_what_came_is_checked_against_the_pins(tmp_path, monkeypatch):
    from torchvision.datasets import FashionMNIST

    monkeypatch.setattr(FashionMNIST, "download", lambda self: write(Path(self.root)))
    with pytest.raises(ValueError, match="has sha256"):
        FashionMnistCatalog()
    assert not (tmp_path / "cache" / "fashion_mnist").exists()
    written = write(tmp_path / "copy") / "FashionMNIST" / "raw"
    pins = {path.name: fashion_mnist.sha256_of(path) for path in written.iterdir()}
    monkeypatch.setattr(fashion_mnist, "PINS", pins)
    assert len(FashionMnistCatalog(validation=100)) == 700
    assert len(FashionMnistCatalog(validation=100, download=False)) == 700


@pytest.mark.pictures
@pytest.mark.skipif(REAL is None, reason="needs the real pictures: set FASHION_LAB_DATA")
def test_the_real_files():
    catalog = FashionMnistCatalog(root=REAL, limit=1000)
    assert {name: len(rows) for name, rows in catalog.splits.items()} == {
        "train": 1000,
        "validation": 1000,
        "test": 1000,
    }
    assert len(catalog.classes) == len(CLASSES) == 10
    raw = Path(REAL) / "FashionMNIST" / "raw"
    assert {path.name: fashion_mnist.sha256_of(path) for path in raw.iterdir()} == fashion_mnist.PINS
    trousers = catalog.splits["test"][catalog.labels[catalog.splits["test"]] == 1]
    widths = [(np.asarray(catalog.open(position)) > 30).any(axis=0).sum() for position in trousers]
    assert np.median(widths) < 20, "trousers are narrow"
