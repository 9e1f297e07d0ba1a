"""Where the examples for a calibration come from: a catalog's validation split, or a gallery itself."""

from pathlib import Path

import numpy as np

from fashion_lab.calibration import Calibration, calibrate
from fashion_lab.contracts.catalog import Catalog
from fashion_lab.contracts.encoder import Encoder
from fashion_lab.galleries import Gallery
from fashion_lab.nearness import Examples

SAMPLE = 2000  # items of a gallery that ask for the others; assumption: the 5% quantile is then good to 0.5%
SEARCHED = 100_000  # items of a gallery that are asked; assumption: a minute at most


def on_validation(
    encoder: Encoder, catalog: Catalog, *, cache: Path | None = None, workers: int | None = None
) -> Calibration | None:
    """Search the training pictures for the validation pictures, each one's own sender hidden.

    None where too few pictures have an answer.
    """
    from fashion_lab.data.pixels import PixelStore  # only an export decodes a whole catalog

    store = PixelStore.open(catalog, encoder.pixels, cache=cache, workers=workers)

    def examples(split: str) -> Examples:
        rows = store.keep_readable(catalog.splits[split])
        groups = None if catalog.groups is None else catalog.groups[rows]
        return Examples(
            vectors_ND=encoder.embed(store.at(rows)), labels_N=catalog.labels[rows], groups_N=groups
        )

    made_from = f"{catalog.name}: validation searched in train"
    return calibrate(examples("validation"), examples("train"), made_from=made_from)


def on_itself(gallery: Gallery, *, seed: int = 0) -> Calibration | None:
    """Search a gallery for a sample of its own items, each one's sender, else product, else itself hidden.

    None where too few items have a class.
    """
    rows = np.flatnonzero([item.class_name is not None for item in gallery.items])
    draw = np.random.default_rng(seed)
    searched = np.sort(draw.permutation(rows)[:SEARCHED])
    asked = np.sort(draw.permutation(searched)[:SAMPLE])
    items = gallery.items
    labels = _numbers([items[row].class_name for row in searched])
    groups = _numbers([_kin(gallery, int(row)) for row in searched])
    examples = Examples(vectors_ND=gallery.vectors_ND[searched], labels_N=labels, groups_N=groups)
    places = np.searchsorted(searched, asked)
    queries = Examples(vectors_ND=gallery.vectors_ND[asked], labels_N=labels[places], groups_N=groups[places])
    return calibrate(queries, examples, made_from=f"{gallery.source.catalog}: this index searched in itself")


def _kin(gallery: Gallery, row: int) -> object:
    """Name those that an item must not see: its sender's pictures, else its product's, else itself."""
    item = gallery.items[row]
    if item.group is not None:
        return ("group", item.group)
    return ("product", item.product) if item.product is not None else row


def _numbers(values: list[object]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Number values by their first occurrence."""
    codes: dict[object, int] = {}
    return np.array([codes.setdefault(value, len(codes)) for value in values], dtype=np.int64)
