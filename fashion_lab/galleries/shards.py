"""Shards: some of a gallery's rows in a folder that is written whole or not at all, and never changed.

vectors.safetensors  `vectors`: float32 [N, D]
items.jsonl          N lines: an item, and the stamp of its picture; what is not known is left out
pictures.npy         uint8 [N, 3, S, S]: what the encoder saw; shown where an item's file is gone
shard.json           hashes of the three, and the pictures that could not be read
"""

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save

from fashion_lab.folders import flush, flush_folder
from fashion_lab.galleries.contents import LeftOut, Shard
from fashion_lab.galleries.item import Item
from fashion_lab.galleries.manifest import BROKEN, check_file, vouch

VECTORS, ITEMS, PICTURES, FACTS = "vectors.safetensors", "items.jsonl", "pictures.npy", "shard.json"
SHARED = (VECTORS, PICTURES)  # what a shard with other items of the same pictures links to


class Row(NamedTuple):
    """An item, and its picture's stamp when it came in: None where nobody knows."""

    item: Item
    stamp: str | None

    def line(self) -> str:
        """Give it as a line of JSON, ASCII only."""
        record = {**self.item.record(), "stamp": self.stamp}
        return json.dumps({key: value for key, value in record.items() if value is not None and value != {}})


class Finished(NamedTuple):
    """A shard that is whole on the disk, whether a manifest names it or not."""

    shard: Shard
    fingerprint: str
    left_out: tuple[LeftOut, ...]


class ShardWriter:
    """Takes the rows of a shard, in order, and the pictures that are left out."""

    def __init__(self, pictures: BinaryIO, size: int) -> None:
        self.rows: list[Row] = []
        self.left_out: list[LeftOut] = []
        self._vectors: list[NDArray[np.float32]] = []
        self._pictures, self._size = pictures, size
        self._head(0)

    def add(
        self, rows: Sequence[Row], vectors_ND: NDArray[np.float32], pictures_NCHW: NDArray[np.uint8]
    ) -> None:
        """Take rows with their vectors and pictures. Raises ValueError where a vector is not finite."""
        assert len(rows) == len(vectors_ND) == len(pictures_NCHW), (len(rows), vectors_ND.shape)
        check_finite(vectors_ND, [row.item for row in rows])
        self.rows += rows
        self._vectors.append(vectors_ND)
        self._pictures.write(np.ascontiguousarray(pictures_NCHW).data)

    def close(self, folder: Path) -> None:
        """Write what remains."""
        self._head(len(self.rows))
        self._pictures.close()
        vectors_ND = np.concatenate(self._vectors) if self._vectors else np.zeros((0, 0))
        (folder / VECTORS).write_bytes(save({"vectors": np.ascontiguousarray(vectors_ND, np.float32)}))
        _write_items(folder, self.rows)

    def _head(self, count: int) -> None:
        """Write the header of the pictures; it has the same length for every count."""
        self._pictures.seek(0)
        shape = (count, 3, self._size, self._size)
        header = {"descr": "|u1", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(self._pictures, header)


@contextmanager
def new_shard(folder: Path, name: str, *, fingerprint: str, size: int) -> Iterator[ShardWriter]:
    """Write a shard: it takes its place when the block ends well, else nothing is left of it."""
    with _put_in_place(folder, name) as temporary:
        with (temporary / PICTURES).open("wb") as pictures:
            writer = ShardWriter(pictures, size)
            yield writer
            writer.close(temporary)
        _write_facts(temporary, fingerprint, len(writer.rows), writer.left_out)


def relinked(folder: Path, shard: Shard, rows: Sequence[Row], *, fingerprint: str) -> Shard:
    """Give a shard other facts about the same pictures: a new one, which shares the large files."""
    assert len(rows) == shard.rows, (len(rows), shard)
    name = shard_name(fingerprint, [row.line() for row in rows])
    if (there := finished(folder, name)) is None:
        with _put_in_place(folder, name) as temporary:
            for shared in SHARED:
                _link(folder / shard.name / shared, temporary / shared)
            _write_items(temporary, rows)
            _write_facts(temporary, fingerprint, len(rows), [])
        there = finished(folder, name)
    assert there is not None, name
    return there.shard.without(shard.removed)


def finished(folder: Path, name: str) -> Finished | None:
    """Find a shard that is whole, by the hashes that lie beside it; None where there is none."""
    try:
        facts = json.loads((folder / name / FACTS).read_text(encoding="utf-8"))
        for file in (VECTORS, ITEMS, PICTURES):
            check_file(folder / name / file, facts["files"][file])
        files = {**facts["files"], FACTS: vouch(folder / name / FACTS)}
        left_out = tuple(LeftOut(**one) for one in facts["left_out"])
        return Finished(Shard(name=name, rows=facts["rows"], files=files), facts["fingerprint"], left_out)
    except (FileNotFoundError, NotADirectoryError, *BROKEN):
        return None


def shard_name(fingerprint: str, lines: Iterable[str]) -> str:
    """Name a shard after everything that decides its bytes: the encoder, and what is in it."""
    named = hashlib.sha256("\n".join([fingerprint, *lines]).encode()).hexdigest()
    return f"shard-{named[:12]}"


def check_finite(vectors_ND: NDArray[np.float32], items: Sequence[Item]) -> None:
    """Raise ValueError where a vector holds NaN or infinity."""
    bad_N = ~np.isfinite(vectors_ND).all(axis=1)
    if bad_N.any():
        raise ValueError(
            f"{np.count_nonzero(bad_N)} of {len(items)} vectors hold NaN or infinity, the first that of "
            f"{items[int(bad_N.argmax())].id}: the encoder has diverged; take another checkpoint"
        )


@contextmanager
def _put_in_place(folder: Path, name: str) -> Iterator[Path]:
    """Yield an empty folder that becomes `name` when everything in it is on the disk."""
    temporary = folder / f"tmp-{uuid.uuid4().hex[:12]}"
    temporary.mkdir()
    try:
        yield temporary
        for path in temporary.iterdir():
            flush(path)
        flush_folder(temporary)
        if finished(folder, name) is None:  # else another worker was faster
            shutil.rmtree(folder / name, ignore_errors=True)
            temporary.rename(folder / name)
            flush_folder(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _write_items(folder: Path, rows: Iterable[Row]) -> None:
    text = "".join(f"{row.line()}\n" for row in rows)
    (folder / ITEMS).write_text(text, encoding="ascii")


def _write_facts(folder: Path, fingerprint: str, rows: int, left_out: Sequence[LeftOut]) -> None:
    facts = {
        "fingerprint": fingerprint,
        "rows": rows,
        "left_out": [one._asdict() for one in left_out],
        "files": {name: vouch(folder / name) for name in (VECTORS, ITEMS, PICTURES)},
    }
    (folder / FACTS).write_text(json.dumps(facts, indent=1) + "\n", encoding="ascii")


def _link(source: Path, target: Path) -> None:
    """Give a file a second name; a copy where the disk cannot."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
