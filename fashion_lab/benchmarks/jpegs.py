"""The JPEG files of a catalog: what is decoded and embedded in a benchmark."""

from pathlib import Path

import numpy as np
from omegaconf import DictConfig
from PIL import Image

from fashion_lab.benchmarks.recipes import catalog_of
from fashion_lab.benchmarks.rows import Unavailable
from fashion_lab.contracts.catalog import Catalog

START = b"\xff\xd8\xff"  # of every JPEG file


class Jpegs(Catalog):
    """The JPEG files among a catalog's pictures, by content; counts how many were opened.

    Args:
        catalog: one whose pictures are files.
        most: take so many, spread evenly over the catalog; None takes all.
    """

    def __init__(self, catalog: Catalog, most: int | None = None) -> None:
        rows = np.array([row for row in range(len(catalog)) if _is_jpeg(catalog.path(row))], dtype=np.int64)
        if most is not None and most < len(rows):
            rows = rows[np.linspace(0, len(rows) - 1, most).astype(np.int64)]
        self.name, self.classes = catalog.name, catalog.classes
        self.labels = catalog.labels[rows]
        places = np.arange(len(rows))
        self.splits = {"train": places, "validation": places[:0]}
        self.opened = 0
        self._catalog, self._rows = catalog, rows

    def open(self, position: int) -> Image.Image:
        """Open one picture, not yet decoded. Raises PictureError when it cannot be read."""
        self.opened += 1
        return self._catalog.open(int(self._rows[position]))

    def content(self, position: int) -> bytes | None:
        """Read one picture's file. Raises PictureError when it cannot be read."""
        self.opened += 1
        return self._catalog.content(int(self._rows[position]))

    def item(self, position: int) -> str:
        """Name a picture as its catalog does."""
        return self._catalog.item(int(self._rows[position]))

    def stamp(self, position: int) -> str:
        """Tell its content apart as its catalog does."""
        return self._catalog.stamp(int(self._rows[position]))

    def path(self, position: int) -> Path:
        """Say which file holds the picture."""
        path = self._catalog.path(int(self._rows[position]))
        assert path is not None, f"{self.item(position)} is no file any more"
        return path


def jpegs(cfg: DictConfig, most: int | None = None) -> Jpegs:
    """Build the catalog of a training's config and take its JPEG files.

    Raises:
        Unavailable: it cannot be built, its pictures are drawn, or none of them is a JPEG file.
    """
    catalog = catalog_of(cfg)
    found = Jpegs(catalog, most)
    if not len(found):
        raise Unavailable(
            f"catalog {catalog.name!r} has no JPEG files: choose another, such as data=clothing"
        )
    return found


def _is_jpeg(path: Path | None) -> bool:
    if path is None:
        return False
    with path.open("rb") as file:
        return file.read(len(START)) == START
