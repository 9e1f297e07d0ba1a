"""What the page shows, as plain values: templates only write them down."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from urllib.parse import urlencode

from fashion_lab.galleries import Item
from fashion_lab.visual_search import Hit
from fashion_lab.web.batcher import Classes
from fashion_lab.web.desk import Answer, Wish, check
from fashion_lab.web.live import Snapshot
from fashion_lab.web.records import picture_address
from fashion_lab.web.thumbnails import is_stale

IS, NOT = "is:", "not:"  # how the page writes a filter by class
COUNTS = (12, 24, 48)  # how many hits can be chosen
CHIPS = 12  # classes that are shown at once; more are a click away
MOST = 200  # classes in all: more, and nobody finds theirs; the API filters by any
BARS = 5  # classes that the classifier finds likeliest


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What the visitor has chosen; all of it is in the page's address or its forms, nothing in the server.

    Attributes:
        k: hits.
        show: empty, `is:<class>` or `not:<class>`.
        fold: whether near-duplicates are folded.
        page: of the catalog's sample.
    """

    k: int
    show: str = ""
    fold: bool = True
    page: int = 0

    def wish(self) -> Wish:
        """Say it to the desk."""
        where: dict[str, object] | None = None
        if self.show.startswith(IS):
            where = {"class": self.show.removeprefix(IS)}
        elif self.show.startswith(NOT):
            where = {"class": {"not": self.show.removeprefix(NOT)}}
        return Wish(k=self.k, where=where, fold=self.fold, classes=True)

    def fields(self, default_k: int) -> dict[str, str]:
        """Give what differs from the start, as a form or an address says it."""
        said = {"show": self.show, "fold": "" if self.fold else "no"}
        said["k"] = "" if self.k == default_k else str(self.k)
        return {name: value for name, value in said.items() if value}


@dataclass(frozen=True, kw_only=True)
class Chip:
    """One thing to choose."""

    value: str
    label: str
    count: int | None = None
    chosen: bool = False


@dataclass(frozen=True, kw_only=True)
class Card:
    """An item as the page shows it."""

    picture: str
    large: str
    link: str
    title: str
    similarity: float | None = None
    distance: float | None = None
    folded: int = 0
    stale: bool = False


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What is searched for.

    Attributes:
        picture: address of its picture.
        kept: hidden fields that let the next form search for it again.
        item: where it is one of the catalog.
        classes: what the classifier says.
    """

    picture: str
    kept: Mapping[str, str]
    item: Item | None = None
    classes: Classes = ()

    @property
    def class_name(self) -> str | None:
        """Name its class: known, or what the classifier says first."""
        if self.item is not None:
            return self.item.class_name
        return self.classes[0][0] if self.classes else None


def browse(snapshot: Snapshot, choice: Choice, count: int) -> list[Card]:
    """Show a sample of the catalog, or of a part. Raises Refusal for a class that is not there."""
    where = choice.wish().where
    check(where, snapshot)
    items = snapshot.finder.gallery.items
    chosen = [items[position] for position in snapshot.sample(count, choice.page, where)]
    return [card(item, {}, stale=is_stale(item)) for item in chosen]


def found(answer: Answer, fields: Mapping[str, str]) -> list[Card]:
    """Show the hits of an answer."""
    return [card(hit, fields, stale) for hit, stale in zip(answer.hits, answer.stale, strict=True)]


def card(item: Item, fields: Mapping[str, str], stale: bool) -> Card:
    """Show an item; a click searches from it. A filter by class would be in the way then."""
    kept = {name: value for name, value in fields.items() if name != "show"}
    hit = item if isinstance(item, Hit) else None
    return Card(
        picture=picture_address(item, 320),
        large=picture_address(item, 640),
        link="/?" + urlencode({"item": item.id, **kept}),
        title=item.class_name or "no class",
        similarity=hit.similarity if hit else None,
        distance=hit.distance if hit else None,
        folded=len(hit.folded) if hit else 0,
        stale=stale,
    )


def class_chips(snapshot: Snapshot, choice: Choice, subject: Subject | None) -> Sequence[Chip]:
    """Offer the classes, largest first, and all but the subject's."""
    chips = [Chip(value="", label="All", chosen=not choice.show)]
    if subject is not None and subject.class_name in snapshot.classes and len(snapshot.classes) > 1:
        value = f"{NOT}{subject.class_name}"
        chips.append(Chip(value=value, label=f"All but {subject.class_name}", chosen=choice.show == value))
    for name, count in islice(snapshot.classes.items(), MOST):
        chosen = choice.show == f"{IS}{name}"
        chips.append(Chip(value=f"{IS}{name}", label=name, count=count, chosen=chosen))
    return chips


def count_chips(choice: Choice, most: int) -> Sequence[Chip]:
    """Offer how many."""
    counts = sorted({choice.k, *(count for count in COUNTS if count <= most)})
    return [Chip(value=str(count), label=str(count), chosen=count == choice.k) for count in counts]
