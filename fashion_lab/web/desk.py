"""Where a query is answered, from one snapshot: decode, embed in company, search."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fashion_lab.filters import Where
from fashion_lab.pictures import PictureError, open_picture
from fashion_lab.visual_search import Hit
from fashion_lab.web.batcher import Batcher, Classes, Embedded
from fashion_lab.web.live import Live, Snapshot
from fashion_lab.web.pool import Pool
from fashion_lab.web.refusals import Refusal, clip
from fashion_lab.web.settings import Settings
from fashion_lab.web.thumbnails import is_stale

FORMATS = ("JPEG", "PNG", "WEBP")
NARROW = 8  # pixels of the shorter side, below which there is little to see; assumption
FLAT = (
    4.0  # standard deviation of 0 .. 255, likewise: the flattest of clothing-dataset-small's pictures has 12
)


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What a client wants to know.

    Attributes:
        k: hits.
        where: conditions as `VisualSearch.search` takes them, or None.
        fold: whether near-duplicates are folded into one hit.
        expand: nearest items that the query is averaged with before it asks again.
        classes: whether the classifier is asked as well.
    """

    k: int
    where: Where | None = None
    fold: bool = True
    expand: int = 0
    classes: bool = False

    def options(self) -> dict[str, Any]:
        """Say it as `VisualSearch` is asked."""
        return {"where": self.where, "fold": self.fold, "expand": self.expand}


@dataclass(frozen=True)
class Query:
    """A picture that a client sent, as the encoder sees it: uint8 [3, S, S], and whether it shows much."""

    pixels_CHW: NDArray[np.uint8]
    low_information: bool


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What was found.

    Attributes:
        snapshot: what was searched.
        hits: nearest first.
        stale: of each hit, whether its file is no longer what was indexed.
        strange: whether there is nothing like the query; None where nobody knows.
        classes: what the classifier says, most likely first; None without a head, or where nobody asked.
        low_information: whether the query shows next to nothing.
        position: of the item that was the query.
    """

    snapshot: Snapshot
    hits: Sequence[Hit]
    stale: Sequence[bool]
    strange: bool | None = None
    classes: Classes | None = None
    low_information: bool = False
    position: int | None = None


class Desk:
    """Answers queries."""

    def __init__(self, live: Live, batcher: Batcher, settings: Settings) -> None:
        self.live, self.batcher, self.settings = live, batcher, settings
        self.decoding = Pool("decode", settings.upload.threads, settings.upload.waiting)
        self.lookups = Pool("look-up", 2, 4 * settings.upload.waiting)

    async def embed(self, data: bytes, *, classify: bool) -> tuple[Snapshot, Query, Embedded]:
        """Decode and embed a picture. Raises Refusal where it is none, Busy where too many wait."""
        snapshot = self.live.current
        with self.batcher.announced():
            query = await self.decoding.run(_prepare, snapshot, data, self.settings.upload.max_pixels)
        return snapshot, query, await self.batcher.embed(snapshot.finder, query.pixels_CHW, classify=classify)

    async def by_picture(self, data: bytes, wish: Wish) -> tuple[Answer, Query]:
        """Find what looks like a picture."""
        snapshot, query, embedded = await self.embed(data, classify=wish.classes)
        answer = await self.lookups.run(_nearest, snapshot, query, embedded, wish)
        return answer, query

    async def by_item(self, item_id: str, wish: Wish) -> Answer:
        """Find what looks like an item of the catalog."""
        snapshot = self.live.current
        position = position_of(snapshot, item_id)
        classes = None
        if wish.classes:
            pixels_CHW = np.ascontiguousarray(snapshot.finder.gallery.pictures[position])
            classes = (await self.batcher.embed(snapshot.finder, pixels_CHW, classify=True)).classes
        return await self.lookups.run(_more_like, snapshot, position, wish, classes)

    def close(self) -> None:
        """Start nothing more."""
        self.decoding.close()
        self.lookups.close()


def position_of(snapshot: Snapshot, item_id: str) -> int:
    """Find an item. Raises Refusal 404 where there is none: an id is looked up, never used as a path."""
    if item_id not in snapshot.finder:  # it would look for similar ids: in a large catalog that takes seconds
        raise Refusal(404, "no such item in this catalog")
    return snapshot.finder.position(item_id)


def check(where: Where | None, snapshot: Snapshot) -> None:
    """Refuse a condition that no item can meet, or that clients may not ask by.

    Before the search: there it would be one of many meanings of a ValueError.
    """
    try:
        snapshot.filters.rows(where or {})
    except ValueError as error:
        raise Refusal(400, clip(str(error), 400)) from None


def _prepare(snapshot: Snapshot, data: bytes, max_pixels: int) -> Query:
    try:
        with open_picture(io.BytesIO(data), formats=FORMATS, max_pixels=max_pixels) as image:
            narrow = min(image.size) < NARROW
            pixels_CHW = snapshot.finder.encoder.pixels.pixels(image)
    except PictureError as error:
        raise Refusal(400, str(error).removeprefix("the picture: ")) from None
    return Query(pixels_CHW, narrow or float(pixels_CHW.std(axis=(1, 2)).max()) < FLAT)


def _nearest(snapshot: Snapshot, query: Query, embedded: Embedded, wish: Wish) -> Answer:
    check(wish.where, snapshot)
    (hits,) = snapshot.finder.nearest(embedded.vector_D[None], wish.k, **wish.options())
    flat = query.low_information
    return _answer(snapshot, hits, wish, classes=embedded.classes, low_information=flat)


def _more_like(snapshot: Snapshot, position: int, wish: Wish, classes: Classes | None) -> Answer:
    check(wish.where, snapshot)
    item = snapshot.finder.gallery.items[position]
    hits = snapshot.finder.more_like(item.id, wish.k, **wish.options())
    return _answer(snapshot, hits, wish, classes=classes, position=position)


def _answer(snapshot: Snapshot, hits: Sequence[Hit], wish: Wish, **more: Any) -> Answer:
    stale, strange = [is_stale(hit) for hit in hits], snapshot.finder.is_strange(hits, wish.where)
    return Answer(snapshot=snapshot, hits=hits, stale=stale, strange=strange, **more)
