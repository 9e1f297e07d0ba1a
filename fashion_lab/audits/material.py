"""What all checks look at: every picture of a catalog, read once.

N pictures, S the side of the small ones in pixels.
"""

import hashlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console
from rich.progress import Progress

from fashion_lab.contracts.catalog import Catalog, Ints
from fashion_lab.data.decoding import threads_for
from fashion_lab.galleries.threads import in_threads
from fashion_lab.pictures import PictureError, PixelSpec, open_picture

SMALL = PixelSpec(
    32, "squash"
)  # 3 KiB a picture: 70,000 take 205 MiB. Squashed: a border is then the picture's


class Seen(NamedTuple):
    """A picture that was read, or why it could not be (then `small` is None)."""

    size: tuple[int, int]
    sha256: str | None
    small: NDArray[np.uint8] | None
    why: str


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """N pictures of a catalog.

    Attributes:
        catalog: what they are of.
        sizes_N2: width and height as stored; 0 where unreadable.
        sha256_N: of their files, or of their pixels where they are no files; None where neither was read.
        small_N3SS: uint8, squashed; zeros where unreadable.
        broken: position to reason, for the unreadable ones.
    """

    catalog: Catalog
    sizes_N2: Ints
    sha256_N: Sequence[str | None]
    small_N3SS: NDArray[np.uint8]
    broken: Mapping[int, str]

    def __len__(self) -> int:
        return len(self.sizes_N2)

    @cached_property
    def readable_N(self) -> NDArray[np.bool_]:
        """Say which could be read."""
        readable_N = np.ones(len(self), dtype=bool)
        readable_N[list(self.broken)] = False
        return readable_N

    @cached_property
    def splits_N(self) -> Sequence[str]:
        """Name each picture's split; empty where it is in none."""
        names = [""] * len(self)
        for split, rows in self.catalog.splits.items():
            for row in rows.tolist():
                names[row] = split
        return names

    def rows(self, split: str) -> Ints:
        """Give the readable pictures of a split that have a label; none where there is no such split."""
        rows = self.catalog.splits.get(split, np.zeros(0, np.int64))
        return np.asarray(rows[self.readable_N[rows] & (self.catalog.labels[rows] >= 0)])

    def class_of(self, position: int) -> str:
        """Name a picture's class; empty where nobody knows."""
        label = int(self.catalog.labels[position])
        return self.catalog.classes[label] if label >= 0 else ""


def read_pictures(catalog: Catalog) -> Pictures:
    """Read every picture once, in threads, with a progress bar where somebody watches."""
    count = len(catalog)
    small_N3SS = np.zeros((count, 3, SMALL.size, SMALL.size), np.uint8)
    sizes_N2 = np.zeros((count, 2), np.int64)
    sha256_N: list[str | None] = [None] * count
    broken: dict[int, str] = {}
    console = Console(stderr=True)
    with (
        ThreadPoolExecutor(threads_for(catalog), thread_name_prefix="decode") as pool,
        # not `track`: left by an error, its thread is joined when Python 3.13 ends, which then waits for ever
        Progress(console=console, transient=True, disable=not console.is_terminal) as progress,
    ):
        work = in_threads(pool, lambda some: [see(catalog, one) for one in some], range(count))
        bar = progress.add_task(f"reading {catalog.name}", total=count)
        for position, seen in enumerate(work):
            sizes_N2[position], sha256_N[position] = seen.size, seen.sha256
            if seen.small is None:
                broken[position] = seen.why
            else:
                small_N3SS[position] = seen.small
            progress.advance(bar)
    return Pictures(
        catalog=catalog, sizes_N2=sizes_N2, sha256_N=sha256_N, small_N3SS=small_N3SS, broken=broken
    )


def see(catalog: Catalog, position: int) -> Seen:
    """Read one picture: its hash, its size, its pixels."""
    sha256 = None
    try:
        content = catalog.content(position)
        sha256 = None if content is None else hashlib.sha256(content).hexdigest()
        with catalog.open(position) if content is None else open_picture(BytesIO(content)) as image:
            size = image.size
            return Seen(size, sha256 or _sha256_of(image), SMALL.pixels(image), "")
    except PictureError as error:
        return Seen((0, 0), sha256, None, str(error).removeprefix("the picture: "))


def _sha256_of(image: Image.Image) -> str:
    return hashlib.sha256(f"{image.mode} {image.size} ".encode() + image.tobytes()).hexdigest()
