"""Small catalogs for tests of the audit: pictures in memory, and a folder with a fault of every kind."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

from fashion_lab.audits.material import Pictures, read_pictures
from fashion_lab.contracts.catalog import Catalog
from fashion_lab.pictures import open_picture


def drawing(seed: int, size: tuple[int, int] = (96, 96)) -> Image.Image:
    """A smooth picture that no other seed gives, as photos are."""
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)


def encoded(image: Image.Image, kind: str = "PNG", **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


class InMemory(Catalog):
    """Pictures given as bytes; a third of them validation unless splits are given."""

    def __init__(self, contents, labels=None, *, classes=("a", "b"), splits=None, groups=None) -> None:
        self.name, self.contents, self.classes = "memory", list(contents), tuple(classes)
        count = len(self.contents)
        self.labels = np.arange(count) % len(classes) if labels is None else np.asarray(labels)
        cut = count - count // 3
        self.splits = {"train": np.arange(cut), "validation": np.arange(cut, count)}
        if splits is not None:
            self.splits = {name: np.array(rows, dtype=np.int64) for name, rows in splits.items()}
        self.groups = None if groups is None else np.asarray(groups)

    def content(self, position):
        return self.contents[position]

    def open(self, position):
        return open_picture(io.BytesIO(self.contents[position]))

    def item(self, position):
        return f"{position}.png"

    def stamp(self, position):
        return str(position)


def pictures_of(contents, labels=None, **options) -> Pictures:
    return read_pictures(InMemory(contents, labels, **options))


def plant(root: Path) -> Path:
    """A folder of two classes with a blank, a tiny, a long and a broken picture, and three copies."""
    for split, start in {"train": 0, "validation": 100}.items():
        for number, name in enumerate(("a", "b")):
            folder = root / split / name
            folder.mkdir(parents=True)
            for picture in range(8):
                drawing(start + 10 * number + picture).save(folder / f"{picture}.png")
    train, held = root / "train", root / "validation"
    Image.new("RGB", (96, 96), (200, 199, 201)).save(train / "a" / "blank.png")
    drawing(500, (20, 20)).save(train / "a" / "tiny.png")
    drawing(501, (400, 96)).save(train / "b" / "long.png")
    (train / "b" / "broken.png").write_bytes((train / "b" / "0.png").read_bytes()[:90])
    (held / "a" / "copy.png").write_bytes((train / "a" / "1.png").read_bytes())
    drawing(2).save(held / "a" / "again.jpg", quality=60)
    drawing(3, (192, 192)).save(train / "b" / "relabelled.jpg", quality=80)
    return root
