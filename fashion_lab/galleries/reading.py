"""Reading shards: their rows, vectors and pictures, checked against what the manifest vouches for."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file

from fashion_lab.galleries.contents import Contents, Shard
from fashion_lab.galleries.item import Item
from fashion_lab.galleries.manifest import check_file
from fashion_lab.galleries.shards import ITEMS, PICTURES, VECTORS, Row


class ShardPictures:
    """The pictures of several shards as one: what is asked for is copied out of memory maps, never all.

    Args:
        maps: the pictures of each shard, uint8 [rows, 3, S, S].
        shard_N: in which of them each of the N pictures is.
        row_N: and in which row there.
        size: side S.
    """

    def __init__(
        self,
        maps: Sequence[NDArray[np.uint8]],
        shard_N: NDArray[np.int64],
        row_N: NDArray[np.int64],
        size: int,
    ) -> None:
        self._maps, self._shard_N, self._row_N = maps, shard_N, row_N
        self.shape: tuple[int, ...] = (len(row_N), 3, size, size)
        self.dtype = np.dtype(np.uint8)

    def __len__(self) -> int:
        return len(self._row_N)

    def __getitem__(self, places: int | slice, /) -> NDArray[np.uint8]:
        if isinstance(places, slice):
            chosen = [self[place] for place in range(*places.indices(len(self)))]
            return np.stack(chosen) if chosen else np.zeros((0, *self.shape[1:]), np.uint8)
        return np.array(self._maps[self._shard_N[places]][self._row_N[places]])


class Read(NamedTuple):
    """The rows of some shards that are in force, in order of their keys."""

    items: tuple[Item, ...]
    vectors_ND: NDArray[np.float32]
    pictures: ShardPictures


def read_all(folder: Path, contents: Contents) -> Read:
    """Read every row in force.

    Raises:
        ValueError, KeyError, TypeError, AttributeError: something is not what was written.
        OSError: a file is missing, or cannot be read.
    """
    items: list[Item] = []
    vectors_ND = np.empty((contents.count, contents.dim), dtype=np.float32)
    maps, shard_N, row_N = [], np.empty(contents.count, np.int64), np.empty(contents.count, np.int64)
    for number, shard in enumerate(contents.shards):
        check_shard(folder, shard)
        kept = kept_rows(shard)
        rows = read_rows(folder, shard)
        here = slice(len(items), len(items) + len(kept))
        vectors_ND[here] = read_vectors(folder, shard)[kept]
        maps.append(open_pictures(folder, shard, contents.source.size))
        shard_N[here], row_N[here] = number, kept
        items += [rows[row].item for row in kept]
    order_N = np.argsort([item.key for item in items], kind="stable")
    if (np.diff(order_N) != 1).any():
        items = [items[place] for place in order_N]
        vectors_ND, shard_N, row_N = vectors_ND[order_N], shard_N[order_N], row_N[order_N]
    return Read(tuple(items), vectors_ND, ShardPictures(maps, shard_N, row_N, contents.source.size))


def check_shard(folder: Path, shard: Shard) -> None:
    """Raise ValueError unless the files are what was written; of the pictures only the size is looked at."""
    for name, vouched in shard.files.items():
        check_file(folder / shard.name / name, vouched, hashed=name != PICTURES)


def kept_rows(shard: Shard) -> NDArray[np.int64]:
    """List the rows of a shard that are in force."""
    kept = np.ones(shard.rows, dtype=bool)
    kept[list(shard.removed)] = False
    return np.flatnonzero(kept)


def read_rows(folder: Path, shard: Shard) -> list[Row]:
    """Read all rows of a shard, those out of force too."""
    lines = (folder / shard.name / ITEMS).read_text(encoding="ascii").splitlines()
    records = json.loads(f"[{','.join(lines)}]")
    if len(records) != shard.rows:
        raise ValueError(f"{shard.name}/{ITEMS} has {len(records)} lines, not {shard.rows}")
    return [Row(stamp=record.pop("stamp", None), item=Item.from_record(record)) for record in records]


def read_vectors(folder: Path, shard: Shard) -> NDArray[np.float32]:
    """Read all vectors of a shard: float32 [rows, D]."""
    try:
        vectors_ND: NDArray[np.float32] = load_file(folder / shard.name / VECTORS)["vectors"]
    except SafetensorError as error:
        raise ValueError(f"{shard.name}/{VECTORS}: {error}") from error
    if vectors_ND.dtype != np.float32 or vectors_ND.ndim != 2 or len(vectors_ND) != shard.rows:
        raise ValueError(f"{shard.name}/{VECTORS} has {vectors_ND.dtype} {vectors_ND.shape}")
    return vectors_ND


def open_pictures(folder: Path, shard: Shard, size: int) -> NDArray[np.uint8]:
    """Map the pictures of a shard into memory: uint8 [rows, 3, size, size]."""
    path = folder / shard.name / PICTURES
    pictures: NDArray[np.uint8] = np.load(path, mmap_mode="r", allow_pickle=False)
    if pictures.dtype != np.uint8 or pictures.shape != (shard.rows, 3, size, size):
        raise ValueError(f"{shard.name}/{PICTURES} has {pictures.dtype} {pictures.shape}")
    return pictures
