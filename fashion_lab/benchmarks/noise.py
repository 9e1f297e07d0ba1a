"""A catalog of any size whose pictures cost next to nothing to draw."""

import numpy as np
from PIL import Image

from fashion_lab.contracts.catalog import Catalog, Ints

CLASSES = tuple(f"class {number}" for number in range(10))
VIEWS = 5  # pictures in a row of one garment, as in the synthetic catalog
SENDERS = 100
HELD_OUT = 10  # every tenth garment is in validation, and as many are in test
SLACK = 1 << 20  # bytes of noise beyond a picture: so many different pictures


class NoiseCatalog(Catalog):
    """Coloured noise with the labels, groups and products of a shop: for measuring what only moves pictures.

    Args:
        pictures: how many.
        size: pixels on each side.
        seed: another seed is other noise.
    """

    name = "noise"
    classes = CLASSES

    products: Ints

    def __init__(self, *, pictures: int, size: int = 64, seed: int = 0) -> None:
        fewest = VIEWS * HELD_OUT * len(CLASSES)
        if pictures < fewest:
            raise ValueError(
                f"noise catalog: pictures={pictures}, but each split needs every class: {fewest}"
            )
        self.size, self.seed = size, seed
        self._bytes = np.random.default_rng(seed).bytes(SLACK + 3 * size**2)
        self.products = np.arange(pictures, dtype=np.int64) // VIEWS
        self.labels = self.products // HELD_OUT % len(CLASSES)
        self.groups = np.random.default_rng(seed).integers(SENDERS, size=pictures)
        place = self.products % HELD_OUT
        self.splits = {
            "train": np.flatnonzero(place > 1),
            "validation": np.flatnonzero(place == 0),
            "test": np.flatnonzero(place == 1),
        }

    def open(self, position: int) -> Image.Image:
        """Cut one picture out of the noise: RGB, `size` pixels on each side."""
        start = position * 7919 % SLACK  # a prime: neighbours differ
        pixels = self._bytes[start : start + 3 * self.size**2]
        return Image.frombytes("RGB", (self.size, self.size), pixels)

    def item(self, position: int) -> str:
        """Name one picture."""
        return f"{position}.png"

    def stamp(self, position: int) -> str:
        """Everything that decides the picture."""
        return f"size={self.size} seed={self.seed} picture={position}"
