"""From a catalog to a gallery: its readable pictures, embedded. N items, D embedding."""

import logging
import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from fashion_lab.contracts.catalog import Catalog, Ints
from fashion_lab.contracts.encoder import Encoder
from fashion_lab.contracts.pixels import Pixels
from fashion_lab.data.pixels import PixelStore
from fashion_lab.gallery import Gallery, Item, Source

log = logging.getLogger(__name__)

ALL = "all"
AT_ONCE = 1024  # pictures embedded between two steps of the progress bar; assumption


def positions_of(catalog: Catalog, split: str) -> dict[str, Ints]:
    """Say which positions of the catalog a split names; `all` names every split.

    Raises:
        ValueError: no such split, or no picture in it.
    """
    if split != ALL and split not in catalog.splits:
        names = ", ".join([*catalog.splits, ALL])
        raise ValueError(f"catalog {catalog.name!r} has no split {split!r}: choose one of {names}")
    chosen = {name: rows for name, rows in catalog.splits.items() if split in (ALL, name)}
    if not sum(len(rows) for rows in chosen.values()):
        raise ValueError(f"split {split!r} of catalog {catalog.name!r} has no pictures: nothing to index")
    return chosen


def make_gallery(
    catalog: Catalog,
    positions: dict[str, Ints],
    encoder: Encoder,
    *,
    run: str,
    split: str,
    cache: Path | None = None,
    workers: int | None = None,
) -> Gallery:
    """Embed the readable pictures at these positions of a catalog.

    Args:
        catalog: gives the pictures and what is known about them.
        positions: a split's name to its positions.
        encoder: embeds.
        run: where the encoder was loaded from, for the record.
        split: what was asked for, for the record.
        cache: root of the pixel stores.
        workers: threads that decode.

    Raises:
        ValueError: an unreadable picture in a strict catalog, none that is readable, or a vector with NaN.
    """
    store = PixelStore.open(catalog, encoder.pixels, cache=cache, workers=workers)
    named = [(int(row), name) for name, rows in positions.items() for row in rows]
    readable = [(row, name) for row, name in named if store.readable[row]]
    if not readable:
        raise ValueError(f"none of the {len(named)} pictures can be read: nothing to index")
    pictures = store.at(np.array([row for row, _ in readable]))
    source = Source(
        run=run,
        fingerprint=encoder.fingerprint,
        size=encoder.pixels.size,
        fit=encoder.pixels.fit,
        classes=list(catalog.classes),
        catalog=catalog.name,
        catalog_fingerprint=catalog.fingerprint(),
        split=split,
        left_out=[
            {"id": catalog.item(row), "why": store.broken[row]} for row, _ in named if row in store.broken
        ],
    )
    items = tuple(_item(catalog, row, name) for row, name in readable)
    vectors_ND = _embed(encoder, pictures)
    return Gallery(items=items, vectors_ND=vectors_ND, pictures=pictures, source=source)


def default_folder(source: Source) -> Path:
    """Name an index folder after catalog, split and encoder: the same for the same."""
    name = f"{source.catalog}-{source.split}-{source.fingerprint[:8]}"
    return Path("outputs", "index", re.sub(r"[^\w.-]+", "-", name))


def _item(catalog: Catalog, position: int, split: str) -> Item:
    path = catalog.path(position)
    return Item(
        id=catalog.item(position),
        class_name=catalog.classes[catalog.labels[position]],
        path=None if path is None else str(path.absolute()),
        product=None if catalog.products is None else int(catalog.products[position]),
        group=None if catalog.groups is None else int(catalog.groups[position]),
        split=split,
    )


def _embed(encoder: Encoder, pictures: Pixels) -> NDArray[np.float32]:
    """Embed pictures [N, 3, S, S] with a progress bar where somebody watches: float32 [N, D]."""
    console = Console(stderr=True)
    chunks = [slice(start, start + AT_ONCE) for start in range(0, len(pictures), AT_ONCE)]
    bar = track(chunks, "embedding", console=console, transient=True, disable=not console.is_terminal)
    vectors_ND = np.concatenate([encoder.embed(pictures[chunk]) for chunk in bar])
    if len(vectors_ND) > 1 and (vectors_ND == vectors_ND[0]).all():
        log.warning(
            "all %d pictures embed to one point: the encoder has collapsed, or they are equal",
            len(vectors_ND),
        )
    return vectors_ND
