"""A draft: the rows of an index, and what becomes of them, before anything is in force."""

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fashion_lab.galleries.contents import Shard
from fashion_lab.galleries.manifest import BROKEN, damaged
from fashion_lab.galleries.reading import check_shard, kept_rows, open_pictures, read_rows, read_vectors
from fashion_lab.galleries.rules import target_rows, to_merge
from fashion_lab.galleries.shards import Finished, Row, finished, new_shard, relinked, shard_name


class Place(NamedTuple):
    """Where a row is: the number of its shard in the draft, and its row there."""

    shard: int
    row: int


class Draft:
    """The rows of some shards, by the ids of their items.

    Args:
        folder: of the index.
        shards: to begin with.

    Raises:
        IndexFolderError: a shard is damaged.
    """

    def __init__(self, folder: Path, shards: Sequence[Shard]) -> None:
        self.folder = folder
        self._shards: list[Shard] = []
        self._rows: list[list[Row]] = []
        self._places: dict[str, Place] = {}
        self._restated: set[int] = set()
        try:
            for shard in shards:
                check_shard(folder, shard)
                self._take(shard)
        except (FileNotFoundError, *BROKEN) as error:
            raise damaged(folder, error) from error

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, name: str) -> bool:
        return name in self._places

    def ids(self) -> list[str]:
        """List the ids of all items in force."""
        return list(self._places)

    @property
    def next_key(self) -> int:
        """Give a key above all of these rows, those out of force too."""
        return 1 + max((row.item.key for rows in self._rows for row in rows), default=-1)

    def row(self, name: str) -> Row:
        """Give the row of an item."""
        place = self._places[name]
        return self._rows[place.shard][place.row]

    def remove(self, names: Iterable[str]) -> None:
        """Take items out of force."""
        gone: dict[int, dict[int, str]] = {}
        for name in names:
            place = self._places.pop(name)
            gone.setdefault(place.shard, {})[place.row] = name
        for number, rows in gone.items():
            self._shards[number] = self._shards[number].without(rows)

    def restate(self, row: Row) -> None:
        """Say something else of an item: the same picture, the same key."""
        place = self._places[row.item.id]
        self._rows[place.shard][place.row] = row
        self._restated.add(place.shard)

    def adopt(self, found: Finished, wanted: Collection[str] | None = None) -> None:
        """Take in a further shard, or the wanted items of it; they replace the items of the same id."""
        rows = read_rows(self.folder, found.shard)
        strangers = [
            number for number, row in enumerate(rows) if wanted is not None and row.item.id not in wanted
        ]
        self.remove(
            [row.item.id for row in rows if row.item.id in self and (wanted is None or row.item.id in wanted)]
        )
        self._take(found.shard.without(strangers))

    def settle(self, fingerprint: str, size: int, least: int) -> tuple[Shard, ...]:
        """Write what must be written anew, merge what is small, and give the shards with rows in force."""
        for number in self._restated:
            if len(self._shards[number]):
                self._shards[number] = relinked(
                    self.folder, self._shards[number], self._rows[number], fingerprint=fingerprint
                )
        shards = [shard for shard in self._shards if len(shard)]
        target = target_rows(sum(map(len, shards)), least)
        for group in to_merge(shards, target):
            names = {shard.name for shard in group}
            merged = _merged(self.folder, group, target, fingerprint, size)
            shards = [shard for shard in shards if shard.name not in names] + merged
        return tuple(shards)

    def _take(self, shard: Shard) -> None:
        rows, number = read_rows(self.folder, shard), len(self._shards)
        self._shards.append(shard)
        self._rows.append(rows)
        self._places |= {rows[row].item.id: Place(number, row) for row in kept_rows(shard).tolist()}


def _merged(folder: Path, shards: Sequence[Shard], target: int, fingerprint: str, size: int) -> list[Shard]:
    """Copy the rows in force of some shards into as few as can be, in order of their keys."""
    rows = [read_rows(folder, shard) for shard in shards]
    vectors = [read_vectors(folder, shard) for shard in shards]
    pictures = [open_pictures(folder, shard, size) for shard in shards]
    places = [Place(number, row) for number, shard in enumerate(shards) for row in kept_rows(shard).tolist()]
    places.sort(key=lambda place: rows[place.shard][place.row].item.key)
    written = []
    for start in range(0, len(places), target):
        some = places[start : start + target]
        name = shard_name(fingerprint, [rows[place.shard][place.row].line() for place in some])
        with new_shard(folder, name, fingerprint=fingerprint, size=size) as writer:
            for number, row in some:
                one = np.array(pictures[number][row])[None]
                writer.add([rows[number][row]], vectors[number][[row]], one)
        there = finished(folder, name)
        assert there is not None, name
        written.append(there.shard)
    return written
