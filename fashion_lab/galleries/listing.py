"""What a catalog has for an index: the pictures of a split, and what is known about each."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from fashion_lab.contracts.catalog import Catalog, Ints, Scalar
from fashion_lab.contracts.encoder import Encoder
from fashion_lab.galleries.changes import Wanted
from fashion_lab.galleries.item import Item, Source

ALL = "all"


def positions_of(catalog: Catalog, split: str) -> dict[str, Ints]:
    """Say which positions of the catalog a split names; `all` names every split.

    Raises:
        ValueError: no such split, or no picture in it.
    """
    if split != ALL and split not in catalog.splits:
        names = ", ".join(dict.fromkeys([*catalog.splits, ALL]))
        raise ValueError(f"catalog {catalog.name!r} has no split {split!r}: choose one of {names}")
    chosen = {name: rows for name, rows in catalog.splits.items() if split in (ALL, name)}
    if not sum(len(rows) for rows in chosen.values()):
        raise ValueError(f"split {split!r} of catalog {catalog.name!r} has no pictures: nothing to index")
    return chosen


def wanted_of(catalog: Catalog, positions: Mapping[str, Ints]) -> list[Wanted]:
    """List pictures with what the catalog says of them; those that vanish meanwhile are not listed."""
    wanted = []
    for split, rows in positions.items():
        for row in rows.tolist():
            try:
                wanted.append(Wanted(_item(catalog, row, split), catalog.stamp(row), row))
            except FileNotFoundError:
                continue
    return wanted


def source_of(catalog: Catalog, split: str, encoder: Encoder, run: str, wanted: Sequence[Wanted]) -> Source:
    """Say where an index comes from."""
    return Source(
        run=from_anywhere(run),
        fingerprint=encoder.fingerprint,
        size=encoder.pixels.size,
        fit=encoder.pixels.fit,
        classes=list(catalog.classes),
        catalog=catalog.name,
        catalog_fingerprint=fingerprint_of(wanted),
        split=split,
    )


def from_anywhere(run: str) -> str:
    """Name a run so that the name holds in every folder."""
    return str(Path(run).absolute())


def default_folder(catalog: str, split: str, fingerprint: str) -> Path:
    """Name an index folder after catalog, split and encoder: the same for the same."""
    return Path("outputs", "index", re.sub(r"[^\w.-]+", "-", f"{catalog}-{split}-{fingerprint[:8]}"))


def fingerprint_of(wanted: Sequence[Wanted]) -> str:
    """Hash the names and stamps of the pictures: their identity."""
    lines = "\n".join(f"{one.item.id} {one.stamp}" for one in wanted)
    return hashlib.sha256(lines.encode(errors="surrogateescape")).hexdigest()


def _item(catalog: Catalog, position: int, split: str) -> Item:
    path, label = catalog.path(position), int(catalog.labels[position])
    columns = {name: values[position] for name, values in catalog.columns.items()}
    product, group = _name(columns.pop("product", None)), _name(columns.pop("group", None))
    return Item(
        id=catalog.item(position),
        class_name=None if label < 0 else catalog.classes[label],
        path=None if path is None else str(path.absolute()),
        product=product if catalog.products is None else int(catalog.products[position]),
        group=group if catalog.groups is None else int(catalog.groups[position]),
        split=None if split == ALL else split,
        columns={name: value for name, value in columns.items() if value is not None},
    )


def _name(value: Scalar) -> str | int | None:
    """Take a number or a word for what products and people are called by; a fraction is a word."""
    return value if value is None or isinstance(value, str | int) else str(value)
