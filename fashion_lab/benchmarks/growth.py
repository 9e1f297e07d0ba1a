"""What becomes of time and memory as a catalog grows: the same training on noise, from small to large."""

import shutil
import statistics
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from fashion_lab.benchmarks.noise import NoiseCatalog
from fashion_lab.benchmarks.processes import PIXELS, TRAIN, run
from fashion_lab.benchmarks.rows import Part, Row, Unavailable
from fashion_lab.benchmarks.start import clock, until
from fashion_lab.benchmarks.step_clock import read_steps

RECIPE = ("--config-dir", str(Path(__file__).parent / "conf"), "experiment=growth")
PICTURE = 3 * 64**2  # bytes of one in the store: that of the recipe
MB, GB = 10**6, 10**9


class Grown(NamedTuple):
    """What one size costs.

    Attributes:
        rate: training pictures a second, from the end of the first step to that of the last.
        start: seconds to the end of the first step, where the pixel store is there already.
        build: seconds more where it is not.
        own: peak of anonymous memory in MB, of a run that builds the store, trains and evaluates.
        resident: peak of all memory in MB, with what is mapped of the store.
    """

    rate: float
    start: float
    build: float
    own: float
    resident: float


class Growth(Part):
    """One epoch of stage 1 on more and more pictures.

    The pictures are noise and the network is next to nothing: what is left is the way of the data.

    Args:
        sizes: pictures, ascending; the others are compared with the first, measured before and after each.
        limit_gb: gigabytes of memory of its own that a run may ask for; beyond them it fails.
        overrides: of every training.
    """

    def __init__(self, *, sizes: Sequence[int], limit_gb: float, overrides: Sequence[str] = ()) -> None:
        if len(sizes) < 2 or list(sizes) != sorted(sizes):
            raise ValueError(f"growth.sizes={list(sizes)}: give two sizes or more, the smallest first")
        self.sizes, self.limit_gb, self.overrides = list(sizes), limit_gb, list(overrides)

    def rows(self) -> Iterator[Row]:
        """Measure every size in turns with the first, then compare."""
        if not Path("/proc/self/status").exists():
            raise Unavailable("memory is read from /proc, which only Linux has")
        with TemporaryDirectory() as name:
            folder = Path(name)
            needed, free = PICTURE * self.sizes[-1], shutil.disk_usage(folder).free
            if free < needed:
                raise Unavailable(f"{folder} has {free / GB:.1f} GB free, {needed / GB:.1f} are needed")
            smallest, *larger = self.sizes
            self._until_first_step(folder, smallest)  # does not count: compiles to bytecode
            small, large = [self._grow(folder, smallest)], {}
            for size in larger:
                large[size] = self._grow(folder, size)
                small.append(self._grow(folder, smallest))
        first = Grown(*map(statistics.median, zip(*small, strict=True)))
        before, sized = smallest, {smallest: first, **large}
        for size, grown in large.items():
            yield _linear(size, grown, before, sized[before])
            yield from _flat(size, grown, smallest, first)
            before = size
        yield self._limited(size, grown)

    def _grow(self, folder: Path, size: int) -> Grown:
        """Train with nothing in the cache; then again to the first step, with the store."""
        shutil.rmtree(folder / PIXELS)
        stamps = folder / "stamps"
        started = time.time()
        command = [*self._command(folder, size), clock(stamps)]
        memory = run(folder, command, limit=round(self.limit_gb * GB))
        steps = read_steps(stamps)
        stamps.unlink()
        warm = self._until_first_step(folder, size)
        a_step = len(NoiseCatalog(pictures=size).splits["train"]) / len(steps)
        return Grown(
            rate=a_step * (len(steps) - 1) / (steps[-1] - steps[0]),
            start=warm,
            build=steps[0] - started - warm,
            own=memory.own / MB,
            resident=memory.resident / MB,
        )

    def _until_first_step(self, folder: Path, size: int) -> float:
        stamps = folder / "stamps"
        return until(stamps, folder, [*self._command(folder, size), clock(stamps, steps=1)])

    def _command(self, folder: Path, size: int) -> list[str]:
        """Train in a new run folder."""
        shutil.rmtree(folder / "run", ignore_errors=True)
        own = [f"data.pictures={size}", f"hydra.run.dir='{folder / 'run'}'"]
        return [*TRAIN, *RECIPE, *own, *self.overrides]

    def _limited(self, size: int, grown: Grown) -> Row:
        return Row(
            what=f"{size:,} pictures: memory of its own, with the store on disk",
            ours=grown.own,
            unit="MB",
            theirs=self.limit_gb * GB / MB,
            than="a hard limit",
            at_least=1,
        )


def _linear(size: int, grown: Grown, before: int, smaller: Grown) -> Row:
    """Compare with the next smaller size: beside the smallest, what a run pays once would hide a lot."""
    return Row(
        what=f"{size:,} pictures: training",
        ours=grown.rate,
        unit="pictures/s",
        theirs=smaller.rate,
        than=f"{before:,} pictures",
        at_least=0.9,
    )


def _flat(size: int, grown: Grown, smallest: int, first: Grown) -> Iterator[Row]:
    """Compare with the smallest size what must not grow; then what may."""
    what, than = f"{size:,} pictures", f"{smallest:,} pictures"
    yield Row(
        what=f"{what}: start to the first step, store built before",
        ours=grown.start,
        theirs=first.start,
        than=than,
        at_least=0.8,
    )
    own = f"{what}: memory of its own"
    yield Row(what=own, ours=grown.own, unit="MB", theirs=first.own, than=than, at_least=0.8)
    yield Row(what=f"{what}: building the store", ours=grown.build)
    yield Row(what=f"{what}: resident, with what is mapped of the store", ours=grown.resident, unit="MB")
