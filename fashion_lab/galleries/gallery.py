"""A gallery: embedded items that a query is compared with. N items, D embedding, S side in pixels."""

import dataclasses
import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from fashion_lab.contracts.pixels import Pixels
from fashion_lab.galleries.contents import Contents, Engine, LeftOut, Shard
from fashion_lab.galleries.folder import only_writer, publish
from fashion_lab.galleries.item import NO_KEY, Item, Source
from fashion_lab.galleries.manifest import (
    BROKEN,
    IndexFolderError,
    check_file,
    damaged,
    read_manifest,
    state,
)
from fashion_lab.galleries.reading import read_all
from fashion_lab.galleries.rules import SHARD_ROWS, target_rows
from fashion_lab.galleries.shards import Row, check_finite, finished, new_shard, shard_name

READS = 5  # tries of a reader whose files go because new ones came; assumption


@dataclass(frozen=True, kw_only=True)
class Gallery:
    """N items with their vectors and small pictures.

    Attributes:
        items: in order of their keys; those that have none yet are numbered.
        vectors_ND: float32 [N, D].
        pictures: what the encoder saw, uint8 [N, 3, S, S].
        source: where they come from.
        left_out: pictures that could not be read.
        engine: what was built for these vectors.
        calibration: what their distances mean.
        folder: where it was read from; None where it was made in memory.
        state: what was in force there; another answer of `galleries.state(folder)` is another index.

    Raises ValueError where the parts do not fit, ids or keys repeat, or a vector is not finite.
    """

    items: tuple[Item, ...]
    vectors_ND: NDArray[np.float32]
    pictures: Pixels
    source: Source
    left_out: tuple[LeftOut, ...] = ()
    engine: Engine | None = None
    calibration: dict[str, Any] | None = None
    folder: Path | None = None
    state: str = ""

    def __post_init__(self) -> None:
        if all(item.key == NO_KEY for item in self.items):
            numbered = tuple(dataclasses.replace(item, key=key) for key, item in enumerate(self.items))
            object.__setattr__(self, "items", numbered)
        count, size = len(self.items), self.source.size
        if self.vectors_ND.dtype != np.float32 or self.vectors_ND.ndim != 2 or len(self.vectors_ND) != count:
            raise ValueError(f"{count} items with vectors {self.vectors_ND.dtype} {self.vectors_ND.shape}")
        if self.pictures.dtype != np.uint8 or self.pictures.shape != (count, 3, size, size):
            raise ValueError(f"{count} items with pictures {self.pictures.dtype} {self.pictures.shape}")
        if len({item.id for item in self.items}) != count:
            raise ValueError("two items have the same id")
        if (np.diff(self.keys_N) <= 0).any():
            raise ValueError("the keys of the items do not ascend")
        check_finite(self.vectors_ND, self.items)

    def __len__(self) -> int:
        return len(self.items)

    @cached_property
    def keys_N(self) -> NDArray[np.int64]:
        """Give the key of each item, ascending: int64 [N]."""
        return np.array([item.key for item in self.items], dtype=np.int64)

    def rows(self, keys: NDArray[np.int64]) -> NDArray[np.int64]:
        """Find the rows of items by their keys."""
        return np.searchsorted(self.keys_N, keys)

    @property
    def engine_folder(self) -> Path | None:
        """Say where the files of the engine are; None where it has none."""
        if self.folder is None or self.engine is None or self.engine.folder is None:
            return None
        return self.folder / self.engine.folder

    def write(self, folder: str | Path) -> None:
        """Put this gallery into force at `folder`, without an engine; what is there answers until then.

        Raises:
            IndexFolderError: the folder holds something else, or another process writes there.
        """
        now = datetime.now(UTC).isoformat(timespec="seconds")
        with only_writer(Path(folder)):
            contents = Contents(
                source=self.source,
                shards=(),
                dim=self.vectors_ND.shape[1],
                next_key=int(self.keys_N[-1]) + 1 if len(self) else 0,
                left_out=self.left_out,
                calibration=self.calibration,
                calibrated=None if self.calibration is None else len(self),
                created=now,
                updated=now,
            )
            step = target_rows(len(self), SHARD_ROWS)
            parts = [slice(start, start + step) for start in range(0, len(self), step)]
            shards = tuple(self._write_part(Path(folder), part) for part in parts)
            publish(Path(folder), dataclasses.replace(contents, shards=shards))

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Read an index; the pictures stay on the disk, memory-mapped.

        What was read stays whole while the folder changes: nobody writes into files that a manifest named.

        Raises:
            IndexFolderError: no index there, or a damaged one.
        """
        folder = Path(folder)
        for _ in range(READS):
            manifest, found = read_manifest(folder)
            try:
                return cls.read(folder, Contents.of(manifest), found)
            except FileNotFoundError as error:
                if state(folder) == found:
                    raise damaged(folder, f"{Path(error.filename or '?').name} is missing") from error
            except OSError as error:
                raise IndexFolderError(f"cannot read the index at {folder}: {error}") from error
            except BROKEN as error:
                raise damaged(folder, error) from error
        raise IndexFolderError(f"{folder} changes faster than it can be read: try again")

    @classmethod
    def read(cls, folder: Path, contents: Contents, found: str = "") -> Self:
        """Read what these contents of a folder name, whether they are in force or not yet.

        Raises whatever `reading.read_all` does.
        """
        read = read_all(folder, contents)
        if contents.engine is not None and contents.engine.folder is not None:
            for name, vouched in contents.engine.files.items():
                check_file(folder / contents.engine.folder / name, vouched, hashed=False)
        return cls(
            items=read.items,
            vectors_ND=read.vectors_ND,
            pictures=read.pictures,
            source=contents.source,
            left_out=contents.left_out,
            engine=contents.engine,
            calibration=contents.calibration,
            folder=folder,
            state=found,
        )

    def _write_part(self, folder: Path, part: slice) -> Shard:
        """Write some items as a shard; one by one, since a memory map may be larger than memory."""
        rows, fingerprint = [Row(item, None) for item in self.items[part]], self.source.fingerprint
        places = range(part.start, part.start + len(rows))
        content = hashlib.sha256(np.ascontiguousarray(self.vectors_ND[part]).data)
        for place in places:
            content.update(np.ascontiguousarray(self.pictures[place]).data)
        name = shard_name(fingerprint, [content.hexdigest(), *(row.line() for row in rows)])
        with new_shard(folder, name, fingerprint=fingerprint, size=self.source.size) as writer:
            for place, row in zip(places, rows, strict=True):
                writer.add([row], self.vectors_ND[[place]], self.pictures[place][None])
        written = finished(folder, name)
        assert written is not None, name
        return written.shard
