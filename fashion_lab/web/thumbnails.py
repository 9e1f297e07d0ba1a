"""Pictures of items for the eye: made anew from the file that was indexed, or what the index stored of it.

A file is shown only while its bytes are the ones that were indexed (sha256): one that was replaced, by a
symbolic link or anything else, never leaves the machine. What is sent is encoded here, without metadata.
"""

import functools
import hashlib
import io
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TypeAlias

from PIL import Image

from fashion_lab.galleries import Item
from fashion_lab.pictures import jpeg, open_picture, reduced
from fashion_lab.web.live import Snapshot

SIZES = (160, 320, 640, 1024)  # longest sides that can be asked for: few, so that a cache can hold them
MAX_FILE = 64 * 2**20  # bytes of a catalog's picture; assumption
KEPT, REMEMBERED = 1024, 65536  # encoded pictures of some 20 kB; files whose hash is known

Signature: TypeAlias = tuple[int, ...]


@dataclass(frozen=True)
class Thumbnail:
    """An encoded picture.

    Attributes:
        data: JPEG.
        tag: differs where the picture does.
        stale: whether the indexed file is no longer there, and this is what the index stored.
    """

    data: bytes
    tag: str
    stale: bool


def thumbnail(snapshot: Snapshot, position: int, size: int) -> Thumbnail:
    """Show an item of a snapshot, `size` pixels on its longer side where its file allows it."""
    item = snapshot.finder.gallery.items[position]
    if item.path is not None and item.sha256 is not None:
        data = _from_file(item.path, item.sha256, signature(item.path), size)
        if data is not None:
            return Thumbnail(data, f"{item.sha256[:20]}-{size}", stale=False)
    stored = Image.fromarray(snapshot.finder.gallery.pictures[position].transpose(1, 2, 0))
    return Thumbnail(jpeg(stored), f"{snapshot.state[:12]}-{position}-stored", stale=item.path is not None)


def is_stale(item: Item) -> bool:
    """Say whether an item's file is no longer the one that was indexed; an item without a file never is."""
    if item.path is None:
        return False
    return item.sha256 is None or not _unchanged(item.path, item.sha256, signature(item.path))


def small(source: Path | BinaryIO, size: int) -> bytes:
    """Encode a picture anew: `size` pixels on its longer side at most. Raises PictureError."""
    with open_picture(source) as image:
        return jpeg(reduced(image, size))


def signature(path: str) -> Signature | None:
    """Tell cheaply whether a file may have changed; None where there is no plain file."""
    try:
        found = Path(path).stat()
    except (OSError, ValueError):
        return None
    if not stat.S_ISREG(found.st_mode):
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


@functools.lru_cache(REMEMBERED)
def _unchanged(path: str, sha256: str, seen: Signature | None) -> bool:
    return seen is not None and _bytes(path, sha256) is not None


@functools.lru_cache(KEPT)
def _from_file(path: str, sha256: str, seen: Signature | None, size: int) -> bytes | None:
    """Encode the file's picture where its bytes are what was indexed."""
    data = None if seen is None else _bytes(path, sha256)
    if data is None:
        return None
    try:
        return small(io.BytesIO(data), size)
    except ValueError:  # it was indexed by another release, which could read it
        return None


def _bytes(path: str, sha256: str) -> bytes | None:
    """Read a file once: what is checked is what is used."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a pipe must not hold us up
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return None
            data = file.read(MAX_FILE + 1)
    except OSError:
        return None
    return data if hashlib.sha256(data).hexdigest() == sha256 else None
