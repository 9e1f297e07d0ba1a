"""What a gallery knows about one picture, and about where all of them come from."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Self

from fashion_lab.contracts.catalog import Scalar

NO_KEY = -1  # before an item is in an index
PLAIN = "plain"  # a column of our own


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    """What is known about one picture.

    Attributes:
        id: its name, unique in the gallery.
        key: its number, ascending in a gallery and never given to another picture of the same index.
        class_name: None where nobody knows.
        path: its file, if it has one.
        product: which garment it shows.
        group: who took it.
        split: of the catalog that it comes from; None where that has none.
        added: when this picture came into the index: ISO 8601, UTC.
        sha256: of its file, as it was embedded.
        columns: whatever else the catalog knows; `plain` is true where the picture shows one colour only.
    """

    id: str
    key: int = NO_KEY
    class_name: str | None = None
    path: str | None = None
    product: str | int | None = None
    group: str | int | None = None
    split: str | None = None
    added: str | None = None
    sha256: str | None = None
    columns: Mapping[str, Scalar] = field(default_factory=dict)

    def record(self) -> dict[str, Any]:
        """Give the fields as files and programs see them: `class_name` is called `class` there."""
        names = (one.name for one in fields(self))
        return {"class" if name == "class_name" else name: getattr(self, name) for name in names}

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        """Undo `record`."""
        given = dict(record)
        if "class" in given:
            given["class_name"] = given.pop("class")
        return cls(**given)


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where a gallery comes from.

    Attributes:
        run: the run, checkpoint or bundle that the encoder was loaded from, as given.
        fingerprint: sha256 of the encoder's weights and preprocessing.
        size: side S of its pictures.
        fit: how they became square.
        classes: class names of the catalog.
        catalog: name of the catalog.
        catalog_fingerprint: identity of its pictures, when the index was last brought up to date.
        split: a split's name, or `all`.
    """

    run: str
    fingerprint: str
    size: int
    fit: str
    classes: list[str]
    catalog: str
    catalog_fingerprint: str
    split: str
