"""The index in force: one snapshot at a time, replaced whole when its folder changes."""

import asyncio
import logging
import math
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from fashion_lab.filters import Filters, Where
from fashion_lab.visual_search import VisualSearch
from fashion_lab.web.pool import Pool

log = logging.getLogger(__name__)

GOLDEN = (5**0.5 - 1) / 2  # steps of this share of a list visit it evenly; Weyl's equidistribution
PAUSE = 30.0  # seconds before an index that could not be read is tried again; assumption


@dataclass(frozen=True, eq=False)
class Snapshot:
    """What one request sees: a gallery, an encoder and an engine that never change."""

    finder: VisualSearch

    @property
    def state(self) -> str:
        """Name the state of the index: another one, another index."""
        return self.finder.gallery.state

    def __len__(self) -> int:
        return len(self.finder.gallery)

    @cached_property
    def filters(self) -> Filters:
        """Columns that clients may ask by: where an item's file lies is not told."""
        return self.finder.filters.without("path")

    @cached_property
    def classes(self) -> Mapping[str, int]:
        """Count the items of each class, the largest class first."""
        counts = self.filters.values("class")
        return dict(sorted(counts.items(), key=lambda one: (-one[1], one[0])))

    def sample(self, count: int, page: int = 0, where: Where | None = None) -> Sequence[int]:
        """Choose positions spread over the catalog: others on each page, none twice on one.

        Raises ValueError for a condition that no item can meet.
        """
        among = self.filters.rows(where) if where else None
        total = len(self) if among is None else len(among)
        stride, first = _coprime(round(total * GOLDEN), total), page * count
        picks = [(first + step) * stride % total for step in range(min(count, total))]
        return picks if among is None else [int(among[pick]) for pick in picks]


class Live:
    """Holds the snapshot in force and looks for a newer one.

    Args:
        load: opens the index; is given the search in force, whose encoder may still do, or None.
        state: tells cheaply what the index folder holds now.
        every: seconds between two looks.

    Attributes:
        current: the snapshot in force; take it once for each request.
        reloads: snapshots taken since the start.
        failures: attempts that failed; the old snapshot stays.
    """

    def __init__(
        self, load: Callable[[VisualSearch | None], VisualSearch], state: Callable[[], str], every: float
    ) -> None:
        self._load, self._state, self._every = load, state, every
        self._thread = Pool("reload", threads=1, waiting=0)
        self.reloads = self.failures = 0
        self._again = 0.0
        self.current = self._open(None)

    async def watch(self) -> None:
        """Look for ever; cancel it to stop."""
        try:
            while True:
                await asyncio.sleep(self._every)
                try:
                    await self._look()
                except Exception as error:
                    self.failures += 1
                    self._again = time.monotonic() + PAUSE
                    log.warning("the index is not read anew, the old one stays: %s", error)
        finally:
            self._thread.close()

    async def _look(self) -> None:
        """Take a new snapshot where there is one; after a failure, not too soon."""
        if time.monotonic() < self._again or await self._thread.run(self._state) == self.current.state:
            return
        self.current = await self._thread.run(self._open, self.current.finder)
        self.reloads += 1
        log.warning("the index has changed: %s items now", f"{len(self.current):,}")

    def _open(self, before: VisualSearch | None) -> Snapshot:
        snapshot = Snapshot(self._load(before))
        _ = snapshot.classes  # counted here, not when somebody waits
        weakref.finalize(
            snapshot, snapshot.finder.index.close
        )  # when the last request that sees it is answered
        return snapshot


def _coprime(stride: int, count: int) -> int:
    """Find the nearest stride that visits all of them before it comes back."""
    stride = max(1, stride)
    while math.gcd(stride, count) > 1:
        stride += 1
    return stride
