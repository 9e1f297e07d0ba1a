"""From pictures to shards: read, decoded, embedded and written, one shard at a time."""

import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import Progress

from fashion_lab.contracts.catalog import Catalog
from fashion_lab.contracts.encoder import Encoder
from fashion_lab.data.decoding import threads_for
from fashion_lab.galleries.changes import Wanted
from fashion_lab.galleries.contents import LeftOut
from fashion_lab.galleries.item import PLAIN, Item
from fashion_lab.galleries.shards import Row, finished, new_shard, shard_name
from fashion_lab.galleries.threads import in_threads
from fashion_lab.pictures import PictureError, PixelSpec, open_picture

BATCH = 256  # pictures read and written at once
PLAIN_RANGE = 8  # of 255: a picture that varies less shows one colour; JPEG's noise is below; assumption


class Picture(NamedTuple):
    """A picture that was read, or why it could not be (then `pixels` is None)."""

    pixels: NDArray[np.uint8] | None
    sha256: str | None = None
    why: str = ""


class Model(NamedTuple):
    """What embeds: the run that it is of, and how this process loads it, the first time it is needed."""

    run: str
    load: Callable[[], Encoder]


Parts: TypeAlias = Sequence[Sequence[Wanted]]
Embed: TypeAlias = Callable[[Catalog, Parts, Model, Path], Sequence[str]]
"""Makes a shard of each part, in any order and anywhere; gives their names in the order of the parts."""


def in_this_process(threads: int | None = None) -> Embed:
    """Make one shard after the other, with a progress bar where somebody watches."""

    def embed(catalog: Catalog, parts: Parts, model: Model, folder: Path) -> list[str]:
        encoder = model.load()
        console = Console(stderr=True)
        names = []
        # not `track`: left by an error, its thread is joined when Python 3.13 ends, which then waits for ever
        with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
            bar = progress.add_task("embedding", total=len(parts))
            for part in parts:
                names.append(embed_shard(catalog, part, encoder, folder, threads))
                progress.advance(bar)
        return names

    return embed


def embed_shard(
    catalog: Catalog, rows: Sequence[Wanted], encoder: Encoder, folder: Path, threads: int | None = None
) -> str:
    """Make a shard of some pictures, unless it is there: read, decode, embed and write them.

    Everything it needs can be sent to another process or machine that sees the pictures and the folder.

    Args:
        catalog: of the pictures.
        rows: the pictures, with the keys and times that they will have.
        encoder: embeds.
        folder: of the index.
        threads: that decode; None: as many as suit the catalog.

    Returns:
        The shard's name, which depends on the encoder and the rows alone.

    Raises:
        ValueError: a vector that is not finite, or a catalog that has changed its order.
        OSError: the disk is full, or the machine failed.
    """
    fingerprint, spec = encoder.fingerprint, encoder.pixels
    name = shard_name(fingerprint, (Row(row.item, row.stamp).line() for row in rows))
    if finished(folder, name) is not None:
        return name
    with (
        new_shard(folder, name, fingerprint=fingerprint, size=spec.size) as writer,
        ThreadPoolExecutor(threads or threads_for(catalog), thread_name_prefix="decode") as pool,
    ):
        pictures = in_threads(pool, lambda some: [read_picture(catalog, one, spec) for one in some], rows)
        for start in range(0, len(rows), BATCH):
            batch = rows[start : start + BATCH]
            read = list(islice(pictures, len(batch)))
            writer.left_out += [_left_out(row, one) for row, one in zip(batch, read, strict=True) if one.why]
            pairs = [(row, one) for row, one in zip(batch, read, strict=True) if one.pixels is not None]
            if pairs:
                pixels_NCHW = np.stack([one.pixels for _, one in pairs if one.pixels is not None])
                done = [Row(_seen(row.item, one), row.stamp) for row, one in pairs]
                writer.add(done, encoder.embed(pixels_NCHW), pixels_NCHW)
    return name


def read_picture(catalog: Catalog, wanted: Wanted, spec: PixelSpec) -> Picture:
    """Read a picture once, for its hash and for its pixels."""
    sha256, position = None, wanted.position
    if catalog.item(position) != wanted.item.id:
        raise ValueError(
            f"{wanted.item.id} is now {catalog.item(position)}: the catalog has changed; try again"
        )
    try:
        content = catalog.content(position)
        sha256 = None if content is None else hashlib.sha256(content).hexdigest()
        with catalog.open(position) if content is None else open_picture(BytesIO(content)) as image:
            return Picture(spec.pixels(image), sha256)
    except PictureError as error:
        return Picture(None, sha256, str(error).removeprefix("the picture: "))


def _left_out(wanted: Wanted, picture: Picture) -> LeftOut:
    """Record an unreadable picture; where its bytes were read, they are to blame until they change."""
    stamp = None if picture.sha256 is None else wanted.stamp
    return LeftOut(wanted.item.id, picture.why, stamp, wanted.item.split)


def _seen(item: Item, picture: Picture) -> Item:
    """Add what only the picture itself says."""
    assert picture.pixels is not None, item.id
    ranges = np.ptp(picture.pixels.reshape(3, -1), axis=1)
    plain = {PLAIN: True} if ranges.max() <= PLAIN_RANGE else {}
    return replace(item, sha256=picture.sha256, columns={**item.columns, **plain})
