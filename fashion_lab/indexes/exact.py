"""Exact nearest neighbours by brute force in NumPy: no training, no file, recall 1.

Shape suffixes: Q queries, N gallery, D embedding, K hits, C candidates.
"""

import numpy as np
from numpy.typing import NDArray

from fashion_lab.contracts.index import Index, Neighbours

PAIRS_AT_ONCE = 2**23  # float32 scores held at a time, 32 MiB; assumption
ROWS_AT_ONCE = 2**14  # candidates measured exactly at a time; assumption
LARGEST = 1e15  # squares of larger coordinates come near the end of float32 (3.4e38)
HALF_ULP = 2.0**-24  # of float32: the relative error of one rounding


class ExactIndex(Index):
    """Compares every query with every row, in two steps.

    One matrix product scores the rows by ||y||^2 - 2xy, on vectors centred by the gallery's mean: with a
    large common offset the squares would drown the differences, and "exact" float32 search loses most of its
    recall. Then all rows that rounding may have kept from the nearest K are measured by their differences.
    """

    def __init__(self) -> None:
        self._vectors_ND: NDArray[np.float32] | None = None

    def build(self, vectors_ND: NDArray[np.float32]) -> None:
        """Take the gallery [N, D]; N may be 0. Raises ValueError on anything but finite float32 rows."""
        check_vectors(vectors_ND, "gallery")
        self._vectors_ND = vectors_ND
        mean_D = (
            vectors_ND.mean(axis=0, dtype=np.float64) if len(vectors_ND) else np.zeros(vectors_ND.shape[1])
        )
        self._mean_D = mean_D.astype(np.float32)
        self._centred_ND = vectors_ND - self._mean_D
        self._squares_N = np.einsum("nd,nd->n", self._centred_ND, self._centred_ND)
        self._largest_norm = float(np.sqrt(self._squares_N.max(initial=0.0)))

    def search(self, queries_QD: NDArray[np.float32], k: int) -> Neighbours:
        """Find the k nearest rows (all N where k > N). Raises ValueError for k < 1, NaN or another D."""
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
        k = min(k, len(self._vectors_ND))
        found = Neighbours(
            np.empty((len(queries_QD), k), dtype=np.int64), np.empty((len(queries_QD), k), dtype=np.float32)
        )
        step = max(1, PAIRS_AT_ONCE // max(1, len(self._vectors_ND)))
        for start in range(0, len(queries_QD) if k else 0, step):
            for row, candidates_C in enumerate(self._shortlists(queries_QD[start : start + step], k), start):
                distances_C = euclidean(queries_QD[row], self._vectors_ND, candidates_C)
                nearest_K = np.argsort(distances_C, kind="stable")[:k]
                found.positions[row], found.distances[row] = candidates_C[nearest_K], distances_C[nearest_K]
        return found

    def _shortlists(self, queries_QD: NDArray[np.float32], k: int) -> list[NDArray[np.int64]]:
        """List for each query, in order of position, every row that can be among its k nearest.

        A score differs from the true ||x - y||^2 - ||x||^2 by under (D + 8) roundings of (||x|| + ||y||)^2
        (N. Higham, Accuracy and Stability of Numerical Algorithms, section 3.1, for the product; the rest for
        centring, squares, sum and root): a row may be worse than the k-th by twice that and still belong.
        """
        centred_QD = queries_QD - self._mean_D
        scores_QN = centred_QD @ self._centred_ND.T
        scores_QN *= -2
        scores_QN += self._squares_N
        reach_Q = np.linalg.norm(centred_QD.astype(np.float64), axis=1) + self._largest_norm
        slack_Q = 2 * (queries_QD.shape[1] + 8) * HALF_ULP * reach_Q**2
        limits_Q = np.partition(scores_QN, k - 1, axis=1)[:, k - 1] + slack_Q
        return [
            np.flatnonzero(scores_N <= limit) for scores_N, limit in zip(scores_QN, limits_Q, strict=True)
        ]


def euclidean(
    query_D: NDArray[np.float32], vectors_ND: NDArray[np.float32], rows_C: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Measure the distances [C] from one query to some rows: differences squared and summed in float64."""
    parts = []
    for start in range(0, len(rows_C), ROWS_AT_ONCE):
        offsets_CD = vectors_ND[rows_C[start : start + ROWS_AT_ONCE]].astype(np.float64) - query_D
        parts.append(np.sqrt(np.einsum("cd,cd->c", offsets_CD, offsets_CD)).astype(np.float32))
    return np.concatenate(parts)


def check_vectors(vectors_ND: NDArray[np.float32], what: str) -> None:
    """Raise ValueError on anything but finite float32 rows of moderate size."""
    if vectors_ND.ndim != 2 or vectors_ND.dtype != np.float32:
        raise ValueError(
            f"{what} vectors are {vectors_ND.dtype} {vectors_ND.shape}: give float32 [items, dimensions]"
        )
    bad_N = ~(np.abs(vectors_ND) < LARGEST).all(axis=1)
    if bad_N.any():
        raise ValueError(
            f"{bad_N.sum()} of {bad_N.size} {what} vectors hold NaN, infinity or values over {LARGEST:g}, "
            f"the first in row {bad_N.argmax()}: the encoder has diverged; take another checkpoint"
        )
