"""What every index promises: arrays in, arrays out; it knows no model and no picture."""

from abc import ABC, abstractmethod
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Neighbours(NamedTuple):
    """The nearest vectors for each of Q queries, nearest first, ties by id.

    Attributes:
        ids: [Q, K] int64.
        distances: [Q, K] float32 true Euclidean distances; smaller is closer.
    """

    ids: NDArray[np.int64]
    distances: NDArray[np.float32]


class Index(ABC):
    """Finds the nearest of N vectors."""

    @abstractmethod
    def build(self, vectors_ND: NDArray[np.float32], ids_N: NDArray[np.int64] | None = None) -> None:
        """Take the gallery [N, D] with ascending ids (None: 0 .. N - 1).

        Raises ValueError on anything but finite float32 rows.
        """

    @abstractmethod
    def search(
        self, queries_QD: NDArray[np.float32], k: int, where_M: NDArray[np.int64] | None = None
    ) -> Neighbours:
        """Find the k nearest, of those in `where_M` (ascending ids) only; fewer only where there are fewer.

        Raises ValueError for k < 1, NaN or another D.
        """
