"""A catalog that the package draws itself: any number of pictures, offline, the same on every machine."""

import hashlib
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from PIL import Image

from fashion_lab.catalogs.drawing.bottoms import draw_pants, draw_shorts
from fashion_lab.catalogs.drawing.camera import photograph
from fashion_lab.catalogs.drawing.dresses import draw_dress
from fashion_lab.catalogs.drawing.fabric import Fabric
from fashion_lab.catalogs.drawing.ground import Ground
from fashion_lab.catalogs.drawing.hats import draw_hat
from fashion_lab.catalogs.drawing.shoes import draw_shoes
from fashion_lab.catalogs.drawing.sketch import Sketch
from fashion_lab.catalogs.drawing.tops import draw_longsleeve, draw_t_shirt
from fashion_lab.contracts.catalog import Catalog, Ints

VERSION = 1  # of the drawing: raise it with every change that moves a pixel
PHOTOGRAPHERS = 40  # assumption: few enough that each is met in every split of the default catalog
AT_HOME = 0.6  # share of views taken by the product's own photographer (assumption)
HELD_OUT = 1 / 6  # share of a class's products in validation, and as much in test
FEWEST_PER_CLASS = 3  # one product for each split
SIZES = (32, 1024)  # below, nothing is left of a button; above, edges and noise look drawn
ON_GROUPS, ON_CUT, ON_GROUND, ON_VIEW = range(4)  # what a random stream is for: keeps the streams apart
SPLITS = ("train", "validation", "test")


class Kind(NamedTuple):
    """How a class is drawn, its share of the shop, and the share of its products that have no pattern."""

    draw: Callable[[Generator, Generator], Sketch]
    share: float
    plain: float


# Shares: a shop's mild imbalance (assumption).
KINDS = {
    "dress": Kind(draw_dress, 0.12, 0.4),
    "hat": Kind(draw_hat, 0.10, 0.7),
    "longsleeve": Kind(draw_longsleeve, 0.17, 0.5),
    "pants": Kind(draw_pants, 0.17, 0.7),
    "shoes": Kind(draw_shoes, 0.14, 0.9),
    "shorts": Kind(draw_shorts, 0.12, 0.6),
    "t-shirt": Kind(draw_t_shirt, 0.18, 0.5),
}


class SyntheticCatalog(Catalog):
    """Products of seven classes, each photographed several times on different grounds.

    Picture i is view i % views of product i // views. Splits keep products apart and share the
    photographers (`groups`). A picture is drawn when it is opened, from the seed and its own numbers alone.

    Args:
        products: garments over all splits; two thirds of them are in train.
        views: pictures of each product.
        seed: another seed is another shop.
        size: pixels on each side.
    """

    name = "synthetic"
    classes = tuple(KINDS)

    products: Ints
    groups: Ints

    def __init__(self, *, products: int = 420, views: int = 5, seed: int = 0, size: int = 128) -> None:
        fewest = FEWEST_PER_CLASS * len(KINDS)
        _check("products", products, fewest, None, "the fewest give each class one product in each split")
        _check(
            "views", views, 1, None, "take 2 or more to have a product found again by another picture of it"
        )
        _check("seed", seed, 0, None, "any such seed is another shop, 0 too")
        _check("size", size, *SIZES, "128 is enough for training at up to 128 pixels")
        self.views, self.seed, self.size = views, seed, size
        counts = products_per_class(products)
        self._product_splits = split_products(counts)
        self.products = np.repeat(np.arange(products, dtype=np.int64), views)
        self.labels = np.repeat(np.arange(len(KINDS), dtype=np.int64), counts * views)
        self.groups = choose_groups(products, views, seed)
        splits = self._product_splits[self.products]
        self.splits = {name: np.flatnonzero(splits == number) for number, name in enumerate(SPLITS)}

    def open(self, position: int) -> Image.Image:
        """Draw one picture: RGB, `size` pixels on each side."""
        product, view = self._place(position)
        kind = KINDS[self.classes[self.labels[position]]]
        cut = np.random.default_rng([self.seed, ON_CUT, product])
        lay = np.random.default_rng([self.seed, ON_VIEW, product, view])
        ground = Ground.choose(np.random.default_rng([self.seed, ON_GROUND, int(self.groups[position])]))
        fabric = Fabric.choose(cut, kind.plain)
        return photograph(kind.draw(cut, lay), fabric, ground, lay, self.size)

    def item(self, position: int) -> str:
        """Name one picture like a file: `train/dress/p0012-v3.png`."""
        product, view = self._place(position)
        split = SPLITS[self._product_splits[product]]
        return f"{split}/{self.classes[self.labels[position]]}/p{product:04d}-v{view}.png"

    def stamp(self, position: int) -> str:
        """Everything that decides the picture."""
        product, view = self._place(position)
        return f"{self._settings()} product={product} view={view}"

    def fingerprint(self) -> str:
        """Sha256 of the settings: they decide every picture, so that none need be listed."""
        return hashlib.sha256(f"{self.name}\n{self._settings()}".encode()).hexdigest()

    def _settings(self) -> str:
        counts = f"products={len(self._product_splits)} views={self.views}"
        return f"drawing={VERSION} {counts} seed={self.seed} size={self.size}"

    def _place(self, position: int) -> tuple[int, int]:
        """Product and view of a picture."""
        if not 0 <= position < len(self):
            raise IndexError(f"no picture {position}: this catalog has pictures 0 to {len(self) - 1}")
        product, view = divmod(int(position), self.views)
        return product, view


def products_per_class(products: int) -> Ints:
    """Share out products by `Kind.share`, [classes]; the largest remainders round up."""
    spare = products - FEWEST_PER_CLASS * len(KINDS)
    exact = spare * np.array([kind.share for kind in KINDS.values()])
    counts = np.floor(exact).astype(np.int64)
    left = spare - int(counts.sum())
    counts[np.argsort(counts - exact, kind="stable")[:left]] += 1
    shared: Ints = counts + FEWEST_PER_CLASS
    return shared


def split_products(counts: Ints) -> Ints:
    """Position in SPLITS of each product, [products]: in each class train, validation, test in turn."""
    parts = []
    for count in counts.tolist():
        held = max(1, round(count * HELD_OUT))
        parts.append(np.repeat(np.arange(len(SPLITS), dtype=np.int64), [count - 2 * held, held, held]))
    return np.concatenate(parts)


def choose_groups(products: int, views: int, seed: int) -> Ints:
    """Photographer of each picture, [products * views]: mostly the product's own, sometimes another."""
    rng = np.random.default_rng([seed, ON_GROUPS])
    home = rng.integers(PHOTOGRAPHERS, size=(products, 1))
    guest = rng.integers(PHOTOGRAPHERS, size=(products, views))
    return np.where(rng.random((products, views)) < AT_HOME, home, guest).reshape(-1)


def _check(name: str, value: int, low: int, high: int | None, advice: str) -> None:
    """Refuse a setting that is no whole number from low to high."""
    whole = isinstance(value, int) and not isinstance(value, bool)
    if not whole or value < low or (high is not None and value > high):
        allowed = f"a whole number from {low} " + ("up" if high is None else f"to {high}")
        raise ValueError(f"synthetic catalog: {name}={value!r}, but it must be {allowed}; {advice}")
