"""What the API answers, typed: these classes are its description in /openapi.json."""

from typing import Any, TypeAlias
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field

from fashion_lab.galleries import Item
from fashion_lab.web.batcher import Classes
from fashion_lab.web.desk import Answer
from fashion_lab.web.live import Snapshot
from fashion_lab.web.thumbnails import is_stale

Scalar: TypeAlias = str | int | float | bool | None


class Record(BaseModel):
    """Base of all: fields may be filled by their Python name."""

    model_config = ConfigDict(populate_by_name=True)


class ItemRecord(Record):
    """An item of the catalog. Where its file lies is not told."""

    id: str
    class_name: str | None = Field(alias="class")
    product: Scalar = None
    group: Scalar = Field(None, description="who took the picture, where the catalog knows")
    split: str | None = None
    added: str | None = Field(None, description="when it came into the index; ISO 8601")
    columns: dict[str, Scalar] = Field({}, description="what else the catalog says; filters may name these")
    picture: str = Field(description="address of its picture; `size` may be 160, 320, 640 or 1024")
    stale: bool = Field(description="whether its file is no longer what was indexed")


class HitRecord(ItemRecord):
    """An item that was found."""

    rank: int = Field(description="1 is the nearest")
    distance: float = Field(description="Euclidean, between embeddings; smaller is more alike")
    similarity: float | None = Field(description="estimated probability that it is of the query's class")
    folded: list[str] = Field(description="ids of its near-duplicates, which are no hits of their own")


class ClassRecord(Record):
    """What the classifier says."""

    class_name: str = Field(alias="class")
    probability: float


class SearchRecord(Record):
    """Answer of a search."""

    index: str = Field(description="state of the index that was searched; changes when the index does")
    items: int = Field(description="items in it")
    hits: list[HitRecord] = Field(description="nearest first")
    nothing_like_it: bool | None = Field(description="no item is near; null where that is not calibrated")
    low_information: bool = Field(description="the query is tiny or of one colour: its hits mean little")
    classes: list[ClassRecord] | None = Field(description="likeliest first; null where nobody knows or asked")


class EmbedRecord(Record):
    """Answer of an embedding."""

    embedding: list[float]
    encoder: str = Field(description="sha256 of weights and preprocessing: distances need equal ones")
    low_information: bool
    classes: list[ClassRecord] | None


class HealthRecord(Record):
    """Whether the server answers, and with what."""

    status: str
    index: str
    items: int


class ErrorRecord(Record):
    """What went wrong."""

    error: str = Field(description="one line for people")
    id: str = Field(description="names this request in the server's log")


def item_record(snapshot: Snapshot, position: int) -> ItemRecord:
    """Describe an item."""
    item = snapshot.finder.gallery.items[position]
    return ItemRecord(**_fields(item, is_stale(item)))


def search_record(answer: Answer) -> SearchRecord:
    """Describe what was found."""
    hits = [
        HitRecord(
            **_fields(hit, stale),
            rank=hit.rank,
            distance=hit.distance,
            similarity=hit.similarity,
            folded=list(hit.folded),
        )
        for hit, stale in zip(answer.hits, answer.stale, strict=True)
    ]
    return SearchRecord(
        index=answer.snapshot.state,
        items=len(answer.snapshot),
        hits=hits,
        nothing_like_it=answer.strange,
        low_information=answer.low_information,
        classes=class_records(answer.classes),
    )


def class_records(classes: Classes | None) -> list[ClassRecord] | None:
    """Describe probabilities."""
    if classes is None:
        return None
    return [ClassRecord(**{"class": name}, probability=probability) for name, probability in classes]


def picture_address(item: Item, size: int | None = None) -> str:
    """Say where an item's picture is; `v` changes with the picture, so that browsers keep what does not."""
    version = "" if item.sha256 is None else f"v={item.sha256[:8]}"
    asked = "&".join(part for part in ("" if size is None else f"size={size}", version) if part)
    return f"/api/pictures/{quote(item.id)}{'?' if asked else ''}{asked}"


def _fields(item: Item, stale: bool) -> dict[str, Any]:
    return {
        "id": item.id,
        "class_name": item.class_name,
        "product": item.product,
        "group": item.group,
        "split": item.split,
        "added": item.added,
        "columns": dict(item.columns),
        "picture": picture_address(item),
        "stale": stale,
    }
