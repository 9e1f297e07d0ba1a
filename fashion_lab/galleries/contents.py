"""What a manifest says, as objects: which shards are in force, what was left out, what the engine is."""

import dataclasses
import platform
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple, Self

from fashion_lab import __version__
from fashion_lab.galleries.item import Source
from fashion_lab.galleries.manifest import (
    BROKEN,
    FORMAT,
    FORMAT_VERSION,
    Files,
    IndexFolderError,
    Manifest,
    damaged,
    read_manifest,
)

PACKAGES = ("numpy", "pillow", "torch", "onnxruntime")  # whose versions decide bits of the vectors

OUTGROWN = 2  # times the items, or a part of them, from which a calibration is learnt anew; assumption


class LeftOut(NamedTuple):
    """A picture that could not be read.

    Attributes:
        id: its name.
        why: a line.
        stamp: of the bytes that are to blame: until it changes nobody tries again. None: they were not read.
        split: that it is in.
    """

    id: str
    why: str
    stamp: str | None = None
    split: str | None = None


@dataclass(frozen=True, kw_only=True)
class Shard:
    """A shard in force.

    Attributes:
        name: its folder.
        rows: how many it has in its files.
        removed: those of them that are not in force any more, ascending.
        files: what its files must be.
    """

    name: str
    rows: int
    removed: tuple[int, ...] = ()
    files: Files

    def __len__(self) -> int:
        return self.rows - len(self.removed)

    def without(self, rows: Iterable[int]) -> Self:
        """Take further rows out of force."""
        return dataclasses.replace(self, removed=tuple(sorted({*self.removed, *rows})))


@dataclass(frozen=True, kw_only=True)
class Engine:
    """The engine that was built for exactly these vectors, and how well it finds.

    Attributes:
        name: as the engine calls itself.
        options: its config.
        recall: share of the true nearest `k` that it finds, measured on a sample.
        k: how many were asked for.
        folder: what it keeps beside the vectors, below the index folder; None where nothing.
        files: what its files must be.
    """

    name: str
    options: dict[str, Any]
    recall: float
    k: int
    folder: str | None = None
    files: Files = dataclasses.field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Contents:
    """Everything that a manifest says.

    Attributes:
        source: where it comes from.
        shards: in force.
        dim: numbers of a vector.
        next_key: of the next item; none before had it.
        left_out: pictures that could not be read.
        engine: None where nobody built one.
        calibration: what distances mean; None where nobody measured it.
        calibrated: how many items it was learnt among; None where nobody noted it.
        created: when the index was built.
        updated: when it was last changed.
    """

    source: Source
    shards: tuple[Shard, ...]
    dim: int
    next_key: int
    left_out: tuple[LeftOut, ...] = ()
    engine: Engine | None = None
    calibration: dict[str, Any] | None = None
    calibrated: int | None = None
    created: str
    updated: str

    @property
    def is_calibrated(self) -> bool:
        """Whether the calibration was learnt among more than half and less than twice as many items."""
        if self.calibration is None or self.calibrated is None:
            return False
        return self.calibrated < OUTGROWN * self.count and self.count < OUTGROWN * self.calibrated

    @property
    def count(self) -> int:
        """Items in force."""
        return sum(map(len, self.shards))

    def manifest(self) -> Manifest:
        """Give what the file says: nothing that changes from one run of the same work to the next."""
        said = {one.name: getattr(self, one.name) for one in dataclasses.fields(self)}
        said["source"] = dataclasses.asdict(self.source)
        said["shards"] = [dataclasses.asdict(shard) for shard in self.shards]
        said["left_out"] = [one._asdict() for one in self.left_out]
        said["engine"] = None if self.engine is None else dataclasses.asdict(self.engine)
        head = {"format": FORMAT, "format_version": FORMAT_VERSION, "count": self.count}
        return {**head, "distance": "euclidean", **said, "versions": _versions()}

    @classmethod
    def of(cls, manifest: Manifest) -> Self:
        """Undo `manifest`. Raises KeyError, TypeError or ValueError where it is not one."""
        manifest = {"calibrated": None, **manifest}  # indexes of before it was noted
        said = {one.name: manifest[one.name] for one in dataclasses.fields(cls)}
        said["source"] = Source(**manifest["source"])
        said["shards"] = tuple(
            Shard(**{**shard, "removed": tuple(shard["removed"])}) for shard in said["shards"]
        )
        said["left_out"] = tuple(LeftOut(**one) for one in said["left_out"])
        said["engine"] = None if said["engine"] is None else Engine(**said["engine"])
        contents = cls(**said)
        if contents.count != manifest["count"]:
            raise ValueError(f"its shards have {contents.count} items, not {manifest['count']}")
        return contents

    @classmethod
    def in_force(cls, folder: Path) -> Self:
        """Read what is in force in a folder. Raises IndexFolderError: no index there, or a damaged one."""
        try:
            return cls.of(read_manifest(folder)[0])
        except IndexFolderError:
            raise
        except BROKEN as error:
            raise damaged(folder, error) from error


def _versions() -> dict[str, str]:
    versions = {"fashion_lab": __version__, "python": platform.python_version()}
    for name in PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions
