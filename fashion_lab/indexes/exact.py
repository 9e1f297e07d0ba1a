"""Exact nearest neighbours by brute force in NumPy: no training, no file, recall 1.

Shape suffixes: Q queries, N gallery, M ids that may be found, D embedding, K hits.
"""

import numpy as np
from numpy.typing import NDArray

from fashion_lab.contracts.index import Index, Neighbours
from fashion_lab.indexes.alone import nearest_alone
from fashion_lab.indexes.measure import nearest_among, nearest_in
from fashion_lab.indexes.rows import Rows, check_query, not_built
from fashion_lab.indexes.scan import Scan

COPYING = 16  # a row copied to be scanned alone costs as much as scanning this many: measured


class ExactIndex(Index):
    """Compares every query with every row, in two steps.

    A scan in float32 lists the rows that rounding may have kept from the nearest K: "exact" search by its
    scores alone loses most of its recall where the vectors have a large common offset. Then those rows are
    measured by their differences in float64.
    """

    name, exact = "exact", True

    def __init__(self) -> None:
        self._state: tuple[Rows, Scan] | None = None

    @property
    def rows(self) -> Rows:
        """What is searched: the arrays that were given, kept beside the scan's copy of them."""
        if self._state is None:
            raise not_built()
        return self._state[0]

    def build(self, vectors_ND: NDArray[np.float32], ids_N: NDArray[np.int64] | None = None) -> None:
        """Take these vectors. Raises ValueError on anything but finite float32 rows with ascending ids."""
        self._take(Rows.checked(vectors_ND, ids_N))

    def add(self, vectors_MD: NDArray[np.float32], ids_M: NDArray[np.int64]) -> None:
        """Take M more; copies all, which at a million x 64 takes half a second."""
        self._take(self.rows.with_more(vectors_MD, ids_M))

    def remove(self, ids_M: NDArray[np.int64]) -> None:
        """Forget M vectors; copies the rest."""
        self._take(self.rows.without(ids_M))

    def search(
        self, queries_QD: NDArray[np.float32], k: int, where_M: NDArray[np.int64] | None = None
    ) -> Neighbours:
        """Find the k nearest (all where there are fewer). Raises ValueError for k < 1, NaN or another D."""
        if self._state is None:
            raise not_built()
        rows, scan = self._state
        check_query(queries_QD, k, where_M, rows.dim)
        if where_M is None:
            if len(queries_QD) == 1 and len(scan.blocks) == 1:
                return nearest_alone(scan, rows, queries_QD[0], k)
            return nearest_in(scan, rows, queries_QD, k)
        row_M = rows.positions(where_M)
        count = len(queries_QD)
        if len(row_M) * (COPYING + count) < len(rows) * count:
            return nearest_among(rows, row_M, queries_QD, k)
        allowed_N = np.zeros(len(rows), dtype=bool)
        allowed_N[row_M] = True
        return nearest_in(scan, rows, queries_QD, k, allowed_N)

    def __len__(self) -> int:
        return len(self.rows)

    def _take(self, rows: Rows) -> None:
        self._state = rows, Scan(rows.vectors_ND)
