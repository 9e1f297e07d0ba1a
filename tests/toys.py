"""A catalog and a pixel store that live in memory, and a trainer without side effects, for unit tests."""

from functools import partial
from pathlib import Path

import numpy as np
import pytorch_lightning as pl
from PIL import Image

from fashion_lab.backbones.mobilenet import MobileNetBackbone
from fashion_lab.contracts.catalog import Catalog
from fashion_lab.data.augment import Augment
from fashion_lab.data.module import CatalogData
from fashion_lab.data.pixels import PixelStore
from fashion_lab.data.samplers import ShuffleSampler


class ToyCatalog(Catalog):
    """Pictures of one colour each: red tells the class, green the position, blue is noise.

    Args:
        per_class: pictures of each class; the last third of them is validation, one more each is test.
        classes: number of classes.
        size: side in pixels.
        known: whether groups and products are known.
    """

    name = "toy"

    def __init__(self, *, per_class: int = 6, classes: int = 3, size: int = 16, known: bool = True) -> None:
        self.classes = tuple(f"class {number}" for number in range(classes))
        count = per_class * classes
        self.labels = np.arange(count, dtype=np.int64) % classes
        rows = np.arange(count, dtype=np.int64)
        third = count // 3
        self.splits = {
            "train": rows[: count - third - classes],
            "validation": rows[count - third - classes : count - classes],
            "test": rows[count - classes :],
        }
        if known:
            self.groups, self.products = rows // 4 + 50, rows // 2 + 100
        red = (self.labels * 200 // max(classes - 1, 1)).astype(np.uint8)
        noise = np.random.default_rng(0).integers(0, 256, (count, 1, size, size), dtype=np.uint8)
        flat = np.ones((count, 1, size, size), np.uint8)
        self.pixels = np.concatenate(
            [flat * red[:, None, None, None], flat * rows.astype(np.uint8)[:, None, None, None], noise],
            axis=1,
        )

    def open(self, position: int) -> Image.Image:
        return Image.fromarray(self.pixels[position].transpose(1, 2, 0))

    def item(self, position: int) -> str:
        return f"toy/{position}"

    def stamp(self, position: int) -> str:
        return str(position)

    def store(self, *broken: int) -> PixelStore:
        pixels = self.pixels.copy()
        pixels[list(broken)] = 0
        pixels.setflags(write=False)
        return PixelStore(pixels, dict.fromkeys(broken, "torn"), Path("nowhere"))


def toy_data(catalog=None, *, broken=(), sampler=ShuffleSampler, options=None, **augment):
    """The datamodule of a toy catalog, in batches of 4."""
    catalog = catalog or ToyCatalog()
    sampler = partial(sampler, seed=0, **(options or {"batch_size": 4}))
    store = catalog.store(*broken)
    return CatalogData(catalog, store, sampler=sampler, augment=Augment(**augment), eval_batch_size=4)


def toy_backbone():
    return MobileNetBackbone(stages=[[8, 1, 2, 2]], stem_channels=4)


def quiet_trainer(**options):
    silent = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    silent |= {"enable_model_summary": False, "accelerator": "cpu", "num_sanity_val_steps": 0}
    return pl.Trainer(**silent | options)
