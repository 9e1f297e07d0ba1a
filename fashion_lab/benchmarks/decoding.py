"""The pictures of a first epoch, decoded and resized once, and of the second, which are there already.

Where the time goes, in microseconds of one core for a photo of clothing (400 x 533, 28 kB) to 64 px: open and
read the header 25; Pillow's decode at half the size, 200 x 267, 420 or 570; its resize 185; all else of ours
(checks, EXIF, the copy to [3, S, S]) 45. libjpeg-turbo alone needs 400 for reading and decoding at 3/8, so
0.7 would be 570 in all. Two parts of it are Pillow's and change only with the pixels:

- its resize is plain C. Less to resize is faster: `draft` at 1.5 times the target 0.78, but 1.56 of 255 away
  from the full decode and up to 104, where twice the target is 0.50 away and up to 29; after
  `reducing_gap=1.5` 0.66, and 0.86 away.
- libjpeg-turbo writes a row past the caches where its address divides by 32, and Pillow then copies the row
  from there: 590 for the decode, 442 elsewhere, the toss of a coin for each thread (Pillow 13.0, AVX2).
"""

import time
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from fashion_lab.benchmarks.jpegs import Jpegs, jpegs
from fashion_lab.benchmarks.recipes import recipe
from fashion_lab.benchmarks.rows import Part, Row, Unavailable
from fashion_lab.benchmarks.timing import in_turns, seconds
from fashion_lab.data.pixels import PixelStore
from fashion_lab.folders import cache_folder
from fashion_lab.pictures import PixelSpec

FIT = "squash"  # the default of a training; the smallest decode that is allowed is the same for every picture


class Decoding(Part):
    """Decoding a catalog once: its pixel store built, and opened again.

    Only files that are JPEGs count, on both sides. Ours reads, decodes and resizes them and writes the store;
    libjpeg-turbo, by simplejpeg, reads them and decodes each at the smallest scale that gives at least twice
    the target's width and height, as ours does, and keeps nothing. A file that it refuses costs it no time.

    Args:
        rounds: how often each way runs; the median counts.
        data: words of a training's command line that choose the catalog.
    """

    def __init__(self, *, rounds: int, data: list[str]) -> None:
        self.rounds, self.data = rounds, data

    def rows(self) -> Iterator[Row]:
        """Measure, and give each row as soon as it is known.

        Raises:
            Unavailable: simplejpeg or the catalog is not here.
        """
        if find_spec("simplejpeg") is None:
            raise Unavailable("simplejpeg is not installed: pip install 'fashion_lab[bench]'")
        cfg = recipe(self.data)
        catalog, spec = jpegs(cfg), PixelSpec(size=cfg.pixels.size, fit=FIT)
        yield from self._first_epoch(catalog, spec)
        yield from self._second_run(catalog, spec)

    def _first_epoch(self, catalog: Jpegs, spec: PixelSpec) -> Iterator[Row]:
        alone = {
            "ours": lambda: build(catalog, spec, workers=1),
            "theirs": lambda: scaled_decode(catalog, spec),
        }
        cpu = in_turns(alone, rounds=self.rounds, clock=time.process_time)
        count = len(catalog)
        yield Row(
            what=f"first epoch: decode and resize {count:,} JPEGs to {spec.size} px, a second of one core",
            ours=count / cpu["ours"],
            unit="pictures/s",
            theirs=count / cpu["theirs"],
            than="libjpeg-turbo's scaled decode alone",
            at_least=0.7,
        )
        threads = {f"{number}": partial(build, catalog, spec, workers=number) for number in (1, 2)}
        wall = in_turns(threads, rounds=self.rounds)
        yield Row(
            what="first epoch: the same with two threads, on the wall",
            ours=count / wall["2"],
            unit="pictures/s",
            theirs=count / wall["1"],
            than="one thread",
        )

    def _second_run(self, catalog: Jpegs, spec: PixelSpec) -> Iterator[Row]:
        with empty_cache() as name:
            cache, before = Path(name), catalog.opened
            building = seconds(lambda: PixelStore.open(catalog, spec, cache=cache, workers=1))
            built = catalog.opened
            assert built - before == len(catalog), f"{built - before} decodes of {len(catalog)} pictures"
            ways = {"opening": lambda: PixelStore.open(catalog, spec, cache=cache)}
            opening = in_turns(ways, rounds=self.rounds)["opening"]
        yield Row(
            what="second run: open the finished store",
            ours=opening,
            theirs=building,
            than="building it, one thread",
        )
        decoded = catalog.opened - built
        yield Row(what="second run: pictures decoded", ours=decoded, unit="pictures")


def build(catalog: Jpegs, spec: PixelSpec, *, workers: int) -> None:
    """Build the pixel store in an empty cache that is gone afterwards."""
    with empty_cache() as cache:
        PixelStore.open(catalog, spec, cache=Path(cache), workers=workers)


def empty_cache() -> TemporaryDirectory[str]:
    """Make an empty cache on the disk that the real one is on."""
    cache_folder().mkdir(parents=True, exist_ok=True)
    return TemporaryDirectory(dir=cache_folder(), prefix="bench-")


def scaled_decode(catalog: Jpegs, spec: PixelSpec) -> None:
    """Read every file and decode it with simplejpeg at the smallest scale of at least twice the target."""
    from simplejpeg import decode_jpeg

    side = 2 * spec.size
    for position in range(len(catalog)):
        with suppress(ValueError):
            decode_jpeg(
                catalog.path(position).read_bytes(),
                min_height=side,
                min_width=side,
                min_factor=1,
                strict=False,
            )
