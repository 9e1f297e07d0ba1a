"""Near-duplicates among hits: the same product, the same file, or nearly the same picture.

S side of a stored picture, P = 3 x 16 x 16 numbers of its print.
"""

from collections.abc import Iterable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fashion_lab.galleries import Gallery

PRINT_SIDE = 16
PRINTS_KEPT = 20_000  # of the pictures looked at last: 15 MB

NEARLY_THE_SAME = 4.0
"""Mean difference of two prints, of 255, up to which they are one picture.

Measured on the 3,781 photos of clothing-dataset-small at 64 px, squashed: saved again at JPEG quality 60 they
differ by at most 1.0, also at half the size by 1.1, with 1% cut off each side by 3.1 (median) and 4.4 (90th
percentile); the two most alike of all different photos differ by 7.6.
"""


class Folding:
    """Tells which items of a gallery are near-duplicates; remembers the pictures it has looked at."""

    def __init__(self, gallery: Gallery) -> None:
        self._gallery = gallery
        self._print = lru_cache(PRINTS_KEPT)(self._make_print)

    def groups(self, positions: Iterable[int]) -> list[list[int]]:
        """Group positions in order: a later one joins the first group whose leader it repeats."""
        waiting = list(positions)
        prints_GP = np.empty((len(waiting), 3 * PRINT_SIDE**2), dtype=np.int16)  # of the groups' leaders
        groups: list[list[int]] = []
        for position in waiting:
            print_P = self._print(position)
            apart_G = np.abs(prints_GP[: len(groups)] - print_P).sum(axis=1, dtype=np.int32).tolist()
            for group, apart in zip(groups, apart_G, strict=True):
                if apart <= NEARLY_THE_SAME * len(print_P) or self._is_named_alike(group[0], position):
                    group.append(position)
                    break
            else:
                prints_GP[len(groups)] = print_P
                groups.append([position])
        return groups

    def _is_named_alike(self, first: int, second: int) -> bool:
        """Say whether two items are one product or one file."""
        one, other = self._gallery.items[first], self._gallery.items[second]
        if one.product is not None and one.product == other.product:
            return True
        return one.sha256 is not None and one.sha256 == other.sha256

    def _make_print(self, position: int) -> NDArray[np.int16]:
        """Shrink an item's stored picture [3, S, S] to a print [P]."""
        picture = Image.fromarray(self._gallery.pictures[position].transpose(1, 2, 0))
        small = picture.resize((PRINT_SIDE, PRINT_SIDE), Image.Resampling.BOX)
        return np.asarray(small, dtype=np.int16).reshape(-1)
