"""A gallery: embedded items that a query is compared with, and its files in an index folder.

    vectors.safetensors  `vectors`: float32 [N, D]
    items.jsonl          N lines: id, class, path, product, group, split
    pictures.npy         uint8 [N, 3, S, S]: what the encoder saw; shown where an item's file is gone
    manifest.json        counts, hashes, where it comes from (`Source`); see `index_folder`

N items, D embedding, S side in pixels.
"""

import dataclasses
import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from fashion_lab import __version__
from fashion_lab.contracts.pixels import Pixels
from fashion_lab.filters import Scalar
from fashion_lab.index_folder import Manifest, publish, read

VECTORS, ITEMS, PICTURES = "vectors.safetensors", "items.jsonl", "pictures.npy"


@dataclass(frozen=True, kw_only=True)
class Item:
    """What is known about one row: an id that is unique in the gallery, its class, its file if it has one.

    `sha256` tells its picture's bytes; `columns` is whatever else the catalog knows, for filters.
    """

    id: str
    class_name: str | None = None
    path: str | None = None
    product: int | str | None = None
    group: int | None = None
    split: str | None = None
    sha256: str | None = None
    columns: Mapping[str, Scalar] = dataclasses.field(default_factory=dict)

    def record(self) -> dict[str, Any]:
        """Give the fields as files and programs see them: `class_name` is called `class` there."""
        return {
            {"class_name": "class"}.get(key, key): value for key, value in dataclasses.asdict(self).items()
        }

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> Self:
        """Undo `record`."""
        return cls(**{{"class": "class_name"}.get(key, key): value for key, value in record.items()})


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where a gallery comes from.

    Attributes:
        run: the run or checkpoint that the encoder was loaded from, as given.
        fingerprint: sha256 of the encoder's weights and preprocessing.
        size: side S of its pictures.
        fit: how they became square.
        classes: class names of the catalog.
        catalog: name of the catalog.
        catalog_fingerprint: identity of its pictures.
        split: a split's name, or `all`.
        left_out: pictures that could not be read: {"id", "why"}.
    """

    run: str
    fingerprint: str
    size: int
    fit: str
    classes: list[str]
    catalog: str
    catalog_fingerprint: str
    split: str
    left_out: list[dict[str, str]] = dataclasses.field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Gallery:
    """N items with their vectors and small pictures.

    Raises ValueError where the parts do not fit, ids repeat, or a vector is not finite.
    """

    items: tuple[Item, ...]
    vectors_ND: NDArray[np.float32]
    pictures: Pixels
    source: Source
    calibration: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        count, size = len(self.items), self.source.size
        if self.vectors_ND.dtype != np.float32 or self.vectors_ND.ndim != 2 or len(self.vectors_ND) != count:
            raise ValueError(f"{count} items with vectors {self.vectors_ND.dtype} {self.vectors_ND.shape}")
        if self.pictures.dtype != np.uint8 or self.pictures.shape != (count, 3, size, size):
            raise ValueError(f"{count} items with pictures {self.pictures.dtype} {self.pictures.shape}")
        if len({item.id for item in self.items}) != count:
            raise ValueError("two items have the same id")
        bad_N = ~np.isfinite(self.vectors_ND).all(axis=1)
        if bad_N.any():
            raise ValueError(
                f"{np.count_nonzero(bad_N)} of {count} vectors hold NaN or infinity, the first that of "
                f"{self.items[int(bad_N.argmax())].id}: the encoder has diverged; take another checkpoint"
            )

    def __len__(self) -> int:
        return len(self.items)

    @property
    def keys_N(self) -> NDArray[np.int64]:
        """Give the items' keys [N], ascending: what an index knows them by."""
        return np.arange(len(self.items))

    def rows(self, keys: NDArray[np.int64]) -> NDArray[np.int64]:
        """Find the rows of items by their keys."""
        return np.searchsorted(self.keys_N, keys)

    def write(self, folder: str | Path) -> None:
        """Put this gallery into force at `folder`; an index there answers until this one is whole.

        Raises:
            IndexFolderError: the folder holds something else, or another process writes there.
        """
        publish(Path(folder), self._fill)

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Read what `write` wrote; the pictures stay on the disk, memory-mapped.

        Raises:
            IndexFolderError: no index there, or a damaged one.
        """
        return read(Path(folder), cls._use, sizes_only=(PICTURES,))

    def _fill(self, data: Path) -> Manifest:
        (data / VECTORS).write_bytes(save({"vectors": np.ascontiguousarray(self.vectors_ND)}))
        lines = "".join(json.dumps(item.record()) + "\n" for item in self.items)
        (data / ITEMS).write_text(lines, encoding="utf-8")
        with (data / PICTURES).open("wb") as file:
            header = {"descr": "|u1", "fortran_order": False, "shape": self.pictures.shape}
            np.lib.format.write_array_header_1_0(file, header)
            for position in range(len(self)):  # one by one: a memory map may be larger than memory
                file.write(self.pictures[position].tobytes())
        packages = ("numpy", "pillow")
        return {
            "count": len(self),
            "dim": self.vectors_ND.shape[1],
            "distance": "euclidean",
            "source": dataclasses.asdict(self.source),
            "calibration": self.calibration,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "versions": {
                "fashion_lab": __version__,
                "python": platform.python_version(),
                **{name: version(name) for name in packages},
            },
        }

    @classmethod
    def _use(cls, data: Path, manifest: Manifest) -> Self:
        try:
            vectors_ND = load_file(data / VECTORS)["vectors"]
        except SafetensorError as error:
            raise ValueError(f"{VECTORS}: {error}") from error
        lines = (data / ITEMS).read_text(encoding="utf-8").splitlines()
        gallery = cls(
            items=tuple(Item.from_record(json.loads(line)) for line in lines),
            vectors_ND=vectors_ND,
            pictures=np.load(data / PICTURES, mmap_mode="r", allow_pickle=False),
            source=Source(**manifest["source"]),
            calibration=manifest.get("calibration"),
        )
        if vectors_ND.shape != (manifest["count"], manifest["dim"]):
            raise ValueError(f"vectors are {vectors_ND.shape}, not [{manifest['count']}, {manifest['dim']}]")
        return gallery
