"""A shop of small pictures, an encoder that costs nothing, and what keeps an index of it, for tests."""

import io
import os
import shutil
from pathlib import Path

import numpy as np
from PIL import Image

from fashion_lab import indexing
from fashion_lab.catalogs.photos import PhotosCatalog
from fashion_lab.galleries.embedding import in_this_process
from fashion_lab.galleries.engines import EngineChoice
from fashion_lab.galleries.update import Job
from fashion_lab.indexes.exact import ExactIndex
from fashion_lab.pictures import PixelSpec

SIZE = 8


class Colours:
    """Embeds a picture as its mean colour; counts the pictures."""

    def __init__(self, fingerprint: str = "f" * 64) -> None:
        self.pixels = PixelSpec(SIZE, "squash")
        self.fingerprint = fingerprint
        self.embedded = 0

    def embed(self, pixels_NCHW):
        self.embedded += len(pixels_NCHW)
        return pixels_NCHW.mean(axis=(2, 3)).astype(np.float32)


def photo(number: int, size: tuple[int, int] = (12, 9)) -> bytes:
    """A picture that no other number gives."""
    pixels = np.random.default_rng(number).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def plant(root: Path, *paths: str) -> Path:
    """Put a picture at each path."""
    for path in paths:
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(photo(sum(path.encode())))
    return root


class Shop:
    """A folder of pictures and an index of it."""

    def __init__(self, folder: Path, *paths: str, **options) -> None:
        self.root, self.index = folder / "shop", folder / "index"
        plant(self.root, *paths)
        self.encoder = Colours()
        self.options = options

    def job(self, **options) -> Job:
        given = {
            "folder": self.index,
            "embed": in_this_process(1),
            "engine": EngineChoice(index=ExactIndex(), options={"engine": "exact"}),
        }
        return Job(**{**given, **self.options, **options})

    def embedder(self, run: str | None = "run") -> indexing.Embedder:
        return indexing.Embedder(run=run, load=lambda given: self.encoder)

    def catalog(self, **options) -> PhotosCatalog:
        return PhotosCatalog(root=self.root, **options)

    def build(self, **options):
        return indexing.build(self.job(**options), self.catalog(), "all", self.embedder())

    def sync(self, *, table=None, **options):
        self.encoder.embedded = 0
        return indexing.sync(self.job(**options), self.catalog(table=table), "all", self.embedder())

    def add(self, **options):
        self.encoder.embedded = 0
        return indexing.add(self.job(**options), self.catalog(), "all", self.embedder())

    def remove(self, *items):
        return indexing.remove(self.job(), items)

    def touch(self, path: str) -> None:
        """Give a file another time and the same bytes."""
        os.utime(self.root / path, ns=(10**18, 10**18 + sum(path.encode())))


def content(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, but for the lock."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != ".lock"]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def copy(source: Path, target: Path) -> Path:
    return Path(shutil.copytree(source, target))
