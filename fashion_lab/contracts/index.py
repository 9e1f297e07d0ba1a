"""What every index promises: arrays in, arrays out; it knows no model, no picture, no file of a gallery."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Neighbours(NamedTuple):
    """The nearest vectors of each of Q queries, nearest first, ties by id.

    Attributes:
        ids: [Q, K] int64.
        distances: [Q, K] float32 true Euclidean distances; smaller is closer.
    """

    ids: NDArray[np.int64]
    distances: NDArray[np.float32]


class Index(ABC):
    """Finds the nearest of N vectors. Vectors are finite float32 rows, ids int64 >= 0, ascending, unique.

    Arrays that are handed over may be kept: they must not change afterwards. Several threads may search at
    once, but none while one changes the index. What cannot be done is a ValueError, and changes nothing.

    Attributes:
        name: the engine that answers, as in conf/engine.
        exact: whether recall is 1 by construction.
        remote: whether vectors are kept elsewhere, at an address, where others search them too.
    """

    name: str
    exact: bool
    remote: bool = False

    @abstractmethod
    def build(self, vectors_ND: NDArray[np.float32], ids_N: NDArray[np.int64] | None = None) -> None:
        """Take these vectors instead of what was there; N may be 0. Ids are 0 .. N-1 where None."""

    @abstractmethod
    def add(self, vectors_MD: NDArray[np.float32], ids_M: NDArray[np.int64]) -> None:
        """Take M vectors more; one whose id is there replaces that one."""

    @abstractmethod
    def remove(self, ids_M: NDArray[np.int64]) -> None:
        """Forget M vectors. Raises ValueError, and forgets none, where an id is not there."""

    @abstractmethod
    def search(
        self, queries_QD: NDArray[np.float32], k: int, where_M: NDArray[np.int64] | None = None
    ) -> Neighbours:
        """Find the k nearest vectors, all of them where there are fewer; never fewer than that.

        Args:
            queries_QD: any number of them.
            k: 1 or more.
            where_M: the ids that may be found, ascending; those that are not there are not found. Among them
                every engine searches exactly.

        Raises:
            ValueError: k < 1, NaN, or another D.
        """

    def save(self, folder: Path) -> None:  # noqa: B027, nothing to keep is a promise kept
        """Write what `build` took long to make into a folder that is there, without the vectors."""

    def load(self, folder: Path, vectors_ND: NDArray[np.float32], ids_N: NDArray[np.int64]) -> None:
        """Be what `build(vectors_ND, ids_N)` makes, sooner where `save` left its parts in this folder.

        What was saved for other vectors, by another release, or is damaged is not used.
        """
        self.build(vectors_ND, ids_N)

    def sweep(self, kept: Sequence[tuple[NDArray[np.float32], NDArray[np.int64]]]) -> None:  # noqa: B027
        """Where vectors are kept elsewhere: drop all but its own and these, pairs [N, D] and [N].

        `build` drops nothing: what it replaces may be in force until somebody says that the new one is.
        """

    def close(self) -> None:  # noqa: B027, nothing to close is a promise kept
        """Let go of connections; nothing can be searched afterwards."""

    @abstractmethod
    def __len__(self) -> int:
        """Say how many vectors there are."""
