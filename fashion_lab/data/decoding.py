"""Decode a catalog in parallel, in order."""

import os
import sys
from collections import deque
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from fashion_lab.contracts.catalog import Catalog
from fashion_lab.pictures import PictureError, PixelSpec

CHUNK_BYTES = 1 << 20  # of one task: large enough that handing it over costs nothing


class Chunk(NamedTuple):
    """Neighbouring pictures: pixels [n, 3, S, S], and reasons by position in the catalog."""

    pixels: NDArray[np.uint8]
    broken: dict[int, str]


def _decode(catalog: Catalog, spec: PixelSpec, positions: range) -> Chunk:
    chunk = Chunk(np.zeros((len(positions), 3, spec.size, spec.size), np.uint8), {})
    for row, position in enumerate(positions):
        try:
            with catalog.open(position) as image:
                chunk.pixels[row] = spec.pixels(image)
        except PictureError as error:
            chunk.broken[position] = str(error)
    return chunk


def decoded(catalog: Catalog, spec: PixelSpec, workers: int) -> Generator[Chunk, None, None]:
    """Decode in threads, in order, a few chunks ahead; `catalog.open` is called from several threads.

    Measured on two cores, pictures a second at 64 px, letterbox: clothing's photos 1,431 with one thread,
    2,590 with two, 1,753 with two fresh processes; a catalog drawn in Python 645, 589 and 1,070. Threads win
    where pictures are files, since Pillow works outside the interpreter's lock. Processes would import the
    whole program anew, and forking one that runs torch's threads may hang.
    """
    step = max(1, CHUNK_BYTES // (3 * spec.size**2))
    parts = (range(at, min(at + step, len(catalog))) for at in range(0, len(catalog), step))
    pending: deque[Future[Chunk]] = deque()
    with _bar() as bar, ThreadPoolExecutor(workers, thread_name_prefix="decode") as pool:
        task = bar.add_task(f"decoding {catalog.name}", total=len(catalog))
        try:
            while True:
                for part in islice(parts, 2 * workers + 1 - len(pending)):
                    pending.append(pool.submit(_decode, catalog, spec, part))
                if not pending:
                    return
                chunk = pending.popleft().result()
                yield chunk
                bar.advance(task, len(chunk.pixels))
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _bar() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty())


def threads_for(catalog: Catalog) -> int:
    """Choose how many threads decode: one a core for files, one alone for pictures that Python draws.

    Measured on two cores: the synthetic catalog gives 517 pictures a second with one thread, 402 with two.
    """
    if catalog.path(0) is None:
        return 1
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
