"""What a benchmark finds: rows that compare the speed of two ways to do the same work."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass


class Unavailable(Exception):
    """A part that cannot be measured here: what is missing and how to get it."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """Ours against theirs.

    Attributes:
        what: the work.
        ours: how long it takes ("s", "ms", "MB": less is better) or how fast it goes ("pictures/s": more is).
        unit: of `ours` and `theirs`.
        theirs: the same of what it is compared with; None for a value that stands alone.
        than: what it is compared with.
        at_least: the target of `ratio`; None where there is none.
    """

    what: str
    ours: float
    unit: str = "s"
    theirs: float | None = None
    than: str = ""
    at_least: float | None = None

    @property
    def ratio(self) -> float | None:
        """How many times as good as theirs: 2 is twice as fast, or half of the memory."""
        if self.theirs is None:
            return None
        is_rate = self.unit.endswith("/s")
        return self.ours / self.theirs if is_rate else self.theirs / self.ours

    @property
    def is_met(self) -> bool | None:
        """Whether the target is reached; None where there is none."""
        return None if self.at_least is None or self.ratio is None else self.ratio >= self.at_least


class Part(ABC):
    """One group of rows. Its constructor takes what `conf/bench.yaml` says of it, and starts nothing."""

    @abstractmethod
    def rows(self) -> Iterator[Row]:
        """Measure, and give each row as soon as it is known.

        Raises:
            Unavailable: something that is needed is not here.
        """
