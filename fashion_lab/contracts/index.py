"""What every index promises: arrays in, arrays out; it knows no model and no picture."""

from abc import ABC, abstractmethod
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Neighbours(NamedTuple):
    """The nearest rows of the gallery for each of Q queries, nearest first, ties by position.

    Attributes:
        positions: [Q, K] int64 rows of the gallery.
        distances: [Q, K] float32 true Euclidean distances; smaller is closer.
    """

    positions: NDArray[np.int64]
    distances: NDArray[np.float32]


class Index(ABC):
    """Finds the nearest of N vectors."""

    @abstractmethod
    def build(self, vectors_ND: NDArray[np.float32]) -> None:
        """Take the gallery [N, D]. Raises ValueError on anything but finite float32 rows."""

    @abstractmethod
    def search(self, queries_QD: NDArray[np.float32], k: int) -> Neighbours:
        """Find the k nearest rows (all N where k > N). Raises ValueError for k < 1, NaN or another D."""
