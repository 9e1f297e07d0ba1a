"""The pixel store: each picture of a catalog decoded and resized once, in one memory-mapped array.

N pictures, S the side in pixels. A store is a folder `pixels/<key>/` in the cache, with `pixels.npy` (uint8
[N, 3, S, S]) and `meta.json` (what could not be read). The key hashes the catalog's fingerprint, size, fit
and the version of the decode; labels, splits and folds are not in it, so recipes share stores.
"""

import hashlib
import json
import logging
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fashion_lab.contracts.catalog import Catalog, Ints
from fashion_lab.data.decoding import decoded, threads_for
from fashion_lab.folders import cache_folder, flush, locked, whole
from fashion_lab.pictures import DECODE_VERSION, PixelSpec

log = logging.getLogger(__name__)

ARRAY, META = "pixels.npy", "meta.json"
NAMED = 5  # unreadable pictures that a message names; the rest are counted
MOST_BROKEN = 0.5  # assumption: beyond this the folder is wrong, not the pictures


class PixelStore:
    """Every picture of a catalog as pixels.

    Attributes:
        pixels: read-only memory map, uint8 [N, 3, S, S]; an unreadable picture is all zeros.
        broken: position to reason, for the pictures that could not be read.
        readable: bool [N].
        folder: where it lives; delete it to have it built again.
    """

    def __init__(self, pixels: NDArray[np.uint8], broken: Mapping[int, str], folder: Path) -> None:
        self.pixels, self.broken, self.folder = pixels, dict(broken), folder
        self.readable: NDArray[np.bool_] = np.ones(len(pixels), dtype=bool)
        self.readable[list(self.broken)] = False

    def keep_readable(self, rows: Ints) -> Ints:
        """Leave out the rows of pictures that could not be read."""
        return np.asarray(rows[self.readable[rows]])

    def at(self, rows: Ints) -> "StoredRows":
        """Give the pictures at these rows without copying them."""
        return StoredRows(self.pixels, rows)

    @classmethod
    def open(
        cls, catalog: Catalog, spec: PixelSpec, *, cache: Path | None = None, workers: int | None = None
    ) -> "PixelStore":
        """Open the catalog's store; build it first where there is none, or none that is whole.

        Args:
            catalog: gives the pictures.
            spec: their size and fit.
            cache: root of the cache, by default `folders.cache_folder()`.
            workers: threads that decode, by default `decoding.threads_for`; the bytes do not depend on it.

        Raises:
            ValueError: no pictures; unreadable ones in a strict catalog; more than half of them unreadable.
            OSError: disk full or not writable. Stores that exist stay as they are.
        """
        if len(catalog) == 0:
            raise ValueError(f"catalog {catalog.name!r} has no pictures: nothing to store")
        if workers is not None and workers < 1:
            raise ValueError(f"workers={workers}: give 1 or more threads, or null: one a core for files")
        shape = (len(catalog), 3, spec.size, spec.size)
        folder = (cache or cache_folder()) / "pixels" / store_key(catalog, spec)
        store = _read(folder, shape)
        if store is None:
            with locked(folder):
                store = _read(folder, shape) or _build(folder, catalog, spec, workers or threads_for(catalog))
        _complain(store, catalog)
        return store


@dataclass(frozen=True)
class StoredRows:
    """Pictures of a store by their rows: what is asked for is copied out of the memory map, never all."""

    pixels: NDArray[np.uint8]
    rows: Ints

    @property
    def shape(self) -> tuple[int, ...]:
        """Give (N, 3, S, S)."""
        return (len(self), *self.pixels.shape[1:])

    @property
    def dtype(self) -> np.dtype[np.uint8]:
        """Give uint8."""
        return self.pixels.dtype

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, places: int | slice, /) -> NDArray[np.uint8]:
        return np.asarray(self.pixels[self.rows[places]])


def store_key(catalog: Catalog, spec: PixelSpec) -> str:
    """Name the store of these pictures at this size and fit: 32 hex digits."""
    parts = [catalog.fingerprint(), spec.size, spec.fit, DECODE_VERSION]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def _read(folder: Path, shape: tuple[int, ...]) -> PixelStore | None:
    """Open a store without decoding anything; None where it is missing, cut off or of another shape."""
    try:
        meta = json.loads((folder / META).read_text(encoding="utf-8"))
        pixels = np.load(folder / ARRAY, mmap_mode="r", allow_pickle=False)
        broken = {int(position): str(reason) for position, reason in meta["broken"].items()}
        size = (folder / ARRAY).stat().st_size
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, AttributeError, TypeError, EOFError) as error:
        log.warning("pixel store %s is damaged (%s): building it again", folder, error)
        return None
    if pixels.shape != shape or pixels.dtype != np.uint8 or size != pixels.offset + pixels.nbytes:
        log.warning("pixel store %s has %s bytes and shape %s: building it again", folder, size, pixels.shape)
        return None
    if not all(0 <= position < len(pixels) for position in broken):
        log.warning("pixel store %s lists pictures that it does not have: building it again", folder)
        return None
    return PixelStore(pixels, broken, folder)


def _build(folder: Path, catalog: Catalog, spec: PixelSpec, workers: int) -> PixelStore:
    """Decode everything into a temporary folder and put it in place; an error leaves nothing.

    Plain writes, no writable memory map: on a full disk a map kills the process where a write raises.
    """
    broken: dict[int, str] = {}
    shape = (len(catalog), 3, spec.size, spec.size)
    log.info("decoding %d pictures of %s to %d px (%s)", len(catalog), catalog.name, spec.size, spec.fit)
    with whole(folder) as temporary:
        with (temporary / ARRAY).open("wb") as file:
            header = {"descr": "|u1", "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(file, header)
            with closing(decoded(catalog, spec, workers)) as chunks:
                for chunk in chunks:
                    file.write(chunk.pixels.data)
                    broken |= chunk.broken
        _refuse(broken, catalog)
        (temporary / META).write_text(json.dumps({"broken": broken}, indent=1), encoding="utf-8")
        flush(temporary / ARRAY)
        flush(temporary / META)
    store = _read(folder, shape)
    assert store is not None, f"the store just built at {folder} cannot be read"
    return store


def _listed(broken: Mapping[int, str], catalog: Catalog) -> str:
    lines = [f"  {catalog.item(position)}: {broken[position]}" for position in sorted(broken)[:NAMED]]
    more = [f"  and {len(broken) - NAMED} more"] if len(broken) > NAMED else []
    return "\n".join(lines + more)


def _refuse(broken: Mapping[int, str], catalog: Catalog) -> None:
    """Raise where the catalog is strict, or where so much is unreadable that the folder must be wrong."""
    count = f"{len(broken)} of {len(catalog)} pictures of {catalog.name!r} cannot be read"
    if broken and catalog.strict:
        raise ValueError(f"{count}, and data.strict=true: mend or remove them:\n{_listed(broken, catalog)}")
    if len(broken) > MOST_BROKEN * len(catalog):
        raise ValueError(f"{count}, more than half: is this the right folder?\n{_listed(broken, catalog)}")


def _complain(store: PixelStore, catalog: Catalog) -> None:
    _refuse(store.broken, catalog)
    if store.broken:
        text = "%d of %d pictures of %s cannot be read and are left out (delete %s to try them again):\n%s"
        log.warning(
            text, len(store.broken), len(catalog), catalog.name, store.folder, _listed(store.broken, catalog)
        )
