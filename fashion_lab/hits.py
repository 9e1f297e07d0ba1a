"""Items that were found, and the columns that they can be filtered by."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

from fashion_lab.filters import Filters, Scalar
from fashion_lab.gallery import Item

OWN_COLUMNS = {name: name for name in ("product", "group", "split", "id", "path")} | {"class": "class_name"}


@dataclass(frozen=True, kw_only=True)
class Hit(Item):
    """An item that was found.

    Attributes:
        rank: 1 is the nearest.
        distance: Euclidean, between embeddings; 0 is the same picture, smaller is more alike.
        similarity: estimated probability that it is of the query's class, 0 .. 1; None where nobody knows
            what the encoder's distances mean (see `fashion_lab.calibration`).
        position: its row in the gallery.
        folded: ids of items farther off that show the same product or nearly the same picture.
    """

    rank: int
    distance: float
    similarity: float | None = None
    position: int
    folded: tuple[str, ...] = ()

    @classmethod
    def of(cls, item: Item, **found: Any) -> Self:
        """Make a hit of an item and what was found out about it."""
        return cls(**{field.name: getattr(item, field.name) for field in fields(item)}, **found)


def filters_of(items: Sequence[Item]) -> Filters:
    """Let items be filtered by their own fields and by whatever else the catalog knows of them."""

    def read(name: str) -> Iterator[Scalar]:
        if name in OWN_COLUMNS:
            return (getattr(item, OWN_COLUMNS[name]) for item in items)
        return (item.columns.get(name) for item in items)

    others = {name for item in items for name in item.columns}
    return Filters([*OWN_COLUMNS, *sorted(others)], read, len(items))
