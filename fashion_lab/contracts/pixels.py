"""Decoded pictures: an array, or something that reads parts of a larger one when asked."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Pixels(Protocol):
    """N pictures, uint8 [N, 3, S, S]. An array is one; so are rows of a memory map that nobody copied."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Give (N, 3, S, S)."""

    @property
    def dtype(self) -> np.dtype[np.uint8]:
        """Give uint8."""

    def __len__(self) -> int: ...

    def __getitem__(self, places: int | slice, /) -> NDArray[np.uint8]: ...
