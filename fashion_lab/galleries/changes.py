"""What has changed between a draft of an index and the catalog that it follows."""

import hashlib
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import NamedTuple

from fashion_lab.contracts.catalog import Catalog
from fashion_lab.galleries.contents import LeftOut
from fashion_lab.galleries.draft import Draft
from fashion_lab.galleries.item import PLAIN, Item
from fashion_lab.galleries.shards import Row
from fashion_lab.galleries.threads import in_threads
from fashion_lab.pictures import PictureError


class Wanted(NamedTuple):
    """A picture that is to be in an index: its item without sha256, its stamp, its place in the catalog."""

    item: Item
    stamp: str
    position: int


class Changes(NamedTuple):
    """How the pictures that are wanted compare with a draft.

    Attributes:
        new: not there.
        changed: there, with another picture.
        kept: there, with the same picture, whatever else is said of it now.
        restated: what is said of those that have new facts, or a new stamp on the same bytes.
    """

    new: list[Wanted]
    changed: list[Wanted]
    kept: int
    restated: list[Row]


def compare(draft: Draft, wanted: Sequence[Wanted], catalog: Catalog) -> Changes:
    """Compare by stamps; where a stamp is another, by the hash of the file."""
    new = [one for one in wanted if one.item.id not in draft]
    there = [one for one in wanted if one.item.id in draft]
    doubtful = [one for one in there if draft.row(one.item.id).stamp != one.stamp]
    hashable = [one for one in doubtful if draft.row(one.item.id).item.sha256 is not None]
    found = zip(hashable, _hashes(catalog, [one.position for one in hashable]), strict=True)
    same = {one.item.id for one, sha256 in found if sha256 == draft.row(one.item.id).item.sha256}
    other = {one.item.id for one in doubtful} - same
    kept = [one for one in there if one.item.id not in other]
    rows = [Row(_carried(one.item, draft.row(one.item.id).item), one.stamp) for one in kept]
    restated = [row for row in rows if row != draft.row(row.item.id)]
    return Changes(new, [one for one in doubtful if one.item.id in other], len(kept), restated)


def fresh(changes: Changes, wanted: Sequence[Wanted], tried: Sequence[LeftOut]) -> list[Wanted]:
    """List what must be embedded; what was unreadable still is, until its stamp changes."""
    hopeless = {(one.id, one.stamp) for one in tried if one.stamp is not None}
    names = {one.item.id for one in changes.new if (one.item.id, one.stamp) not in hopeless}
    names |= {one.item.id for one in changes.changed}
    return [one for one in wanted if one.item.id in names]


def stay_out(
    tried: Sequence[LeftOut],
    names: Collection[str],
    fresh: Sequence[Wanted],
    goes: Callable[[str | None], bool],
) -> list[LeftOut]:
    """List the pictures that were left out before, are not tried again, and are not gone."""
    again = {one.item.id for one in fresh}
    return [one for one in tried if one.id not in again and (one.id in names or not goes(one.split))]


def _carried(wanted: Item, there: Item) -> Item:
    """Say what is new of an item, and keep what the index itself knows about its picture."""
    plain = {PLAIN: there.columns[PLAIN]} if PLAIN in there.columns else {}
    columns = {**wanted.columns, **plain}
    return replace(wanted, key=there.key, added=there.added, sha256=there.sha256, columns=columns)


def _hashes(catalog: Catalog, positions: Sequence[int]) -> list[str | None]:
    """Hash the files of some pictures: sha256, or None where there is no file, or none that can be read."""

    def sha256(position: int) -> str | None:
        try:
            content = catalog.content(position)
        except PictureError:
            return None
        return None if content is None else hashlib.sha256(content).hexdigest()

    with ThreadPoolExecutor(thread_name_prefix="hash") as pool:
        return list(in_threads(pool, lambda some: list(map(sha256, some)), positions))
