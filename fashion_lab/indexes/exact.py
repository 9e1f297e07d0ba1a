"""Exact nearest neighbours by brute force in NumPy: no training, no file, recall 1.

Shape suffixes: Q queries, N gallery, D embedding, K hits, P pairs of a query and a row.
"""

import numpy as np
from numpy.typing import NDArray

from fashion_lab.contracts.index import Index, Neighbours
from fashion_lab.indexes.scan import Scan

PAIRS_MEASURED = 2**11  # at a time: 2 MiB of float64 where D is 128, the cache
LARGEST = 1e15  # squares of larger coordinates come near the end of float32 (3.4e38)


class ExactIndex(Index):
    """Compares every query with every row, in two steps.

    A scan in float32 lists the rows that rounding may have kept from the nearest K: "exact" search by its
    scores alone loses most of its recall where the vectors have a large common offset. Then those rows are
    measured by their differences in float64.
    """

    def __init__(self) -> None:
        self._vectors_ND: NDArray[np.float32] | None = None

    def build(self, vectors_ND: NDArray[np.float32], ids_N: NDArray[np.int64] | None = None) -> None:
        """Take the gallery [N, D]; N may be 0. Raises ValueError on anything but finite float32 rows.

        The array is kept beside the scan's copy of it: it must not change.
        """
        check_vectors(vectors_ND, "gallery")
        self._vectors_ND, self._scan = vectors_ND, Scan(vectors_ND)
        self._ids_N = np.arange(len(vectors_ND)) if ids_N is None else ids_N

    def search(
        self, queries_QD: NDArray[np.float32], k: int, where_M: NDArray[np.int64] | None = None
    ) -> Neighbours:
        """Find the k nearest rows (all N where k > N). Raises ValueError for k < 1, NaN or another D."""
        if where_M is not None and self._vectors_ND is not None:
            part = ExactIndex()
            part.build(self._vectors_ND[np.isin(self._ids_N, where_M)], where_M)
            return part.search(queries_QD, k)
        if self._vectors_ND is None:
            raise ValueError("nothing to search yet: call build(vectors) before search(queries)")
        if k < 1:
            raise ValueError(f"k is {k}: ask for 1 hit or more")
        check_vectors(queries_QD, "query")
        if queries_QD.shape[1] != self._vectors_ND.shape[1]:
            raise ValueError(
                f"queries have {queries_QD.shape[1]} dimensions and the gallery {self._vectors_ND.shape[1]}: "
                "embed both with the same encoder"
            )
        shape = (len(queries_QD), min(k, len(self._vectors_ND)))
        found = Neighbours(np.empty(shape, dtype=np.int64), np.empty(shape, dtype=np.float32))
        if shape[1]:
            for some, pairs_P in self._scan.candidates(queries_QD, shape[1]):
                found.ids[some], found.distances[some] = nearest(
                    queries_QD[some], self._vectors_ND, pairs_P, shape[1]
                )
        return Neighbours(self._ids_N[found.ids], found.distances)


def nearest(
    queries_QD: NDArray[np.float32], vectors_ND: NDArray[np.float32], pairs_P: NDArray[np.int64], k: int
) -> Neighbours:
    """Choose the k nearest among candidates: numbers query * N + row, ascending, k or more of each query."""
    query_P, row_P = np.divmod(pairs_P, len(vectors_ND))
    distance_P = euclidean(queries_QD, query_P, vectors_ND, row_P)
    # one number orders by query and distance: the bits of floats >= 0 ascend as the floats do
    order_P = np.argsort(query_P << 32 | distance_P.view(np.int32), kind="stable")
    first_Q = np.searchsorted(query_P, np.arange(len(queries_QD)))
    best_QK = order_P[first_Q[:, None] + np.arange(k)]
    return Neighbours(row_P[best_QK], distance_P[best_QK])


def euclidean(
    queries_QD: NDArray[np.float32],
    query_P: NDArray[np.int64],
    vectors_ND: NDArray[np.float32],
    row_P: NDArray[np.int64],
) -> NDArray[np.float32]:
    """Measure the distances [P] of pairs: differences squared and summed in float64."""
    distance_P = np.empty(len(row_P), dtype=np.float32)
    for start in range(0, len(row_P), PAIRS_MEASURED):
        some = slice(start, start + PAIRS_MEASURED)
        offsets_PD = vectors_ND.take(row_P[some], axis=0).astype(np.float64)
        offsets_PD -= queries_QD.take(query_P[some], axis=0)
        distance_P[some] = np.sqrt(np.einsum("pd,pd->p", offsets_PD, offsets_PD))
    return distance_P


def check_vectors(vectors_ND: NDArray[np.float32], what: str) -> None:
    """Raise ValueError on anything but finite float32 rows of moderate size."""
    if vectors_ND.ndim != 2 or vectors_ND.dtype != np.float32:
        raise ValueError(
            f"{what} vectors are {vectors_ND.dtype} {vectors_ND.shape}: give float32 [items, dimensions]"
        )
    if vectors_ND.max(initial=0) < LARGEST and vectors_ND.min(initial=0) > -LARGEST:  # neither holds of NaN
        return
    bad_N = ~(np.abs(vectors_ND) < LARGEST).all(axis=1)
    raise ValueError(
        f"{bad_N.sum()} of {bad_N.size} {what} vectors hold NaN, infinity or values over {LARGEST:g}, "
        f"the first in row {bad_N.argmax()}: the encoder has diverged; take another checkpoint"
    )
