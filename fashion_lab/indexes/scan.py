"""Which rows of a gallery can be among the k nearest of a query: float32 scores, and how far to trust them.

Shape suffixes: Q queries, N gallery, D embedding, E = D + 1, B rows of a block, M groups of rows, G rows of a
group, P pairs of a query and a row.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

ROWS_OF_BLOCK = 2**14  # scored at a time: few products, scores in the cache; 2**13 was slower, measured
ROWS_OF_GROUP = 8  # keep one score: at 16 twice as many rows are measured, at 4 twice as many scores are kept
QUERIES_AT_ONCE = 256  # more make a matrix product no faster, measured
PAIRS_SCANNED = 2**27  # at a time, of which the groups' scores stay: 64 MiB; assumption
PAIRS_LISTED = 2**22  # at a time, where every row is a candidate: 32 MiB; assumption
HALF_ULP = 2.0**-24  # of float32: the relative error of one rounding


class Scan:
    """Scores every row by ||y||^2 - 2xy in matrix products, on vectors centred by the gallery's mean.

    With a large common offset the squares would drown the differences. Each group of rows keeps its lowest
    score, so little is written and sorted; a gallery of one block keeps all.

    Args:
        vectors_ND: finite float32 rows, which are copied.
    """

    def __init__(self, vectors_ND: NDArray[np.float32]) -> None:
        self.size, dimensions = vectors_ND.shape
        mean_D = vectors_ND.mean(axis=0, dtype=np.float64) if self.size else np.zeros(dimensions)
        self.mean_D = mean_D.astype(np.float32)
        self.group = 1 if self.size <= ROWS_OF_BLOCK else ROWS_OF_GROUP
        starts = range(0, self.size, ROWS_OF_BLOCK)
        self.blocks = [
            columns(vectors_ND[start : start + ROWS_OF_BLOCK] - self.mean_D, self.group) for start in starts
        ]
        squares = [block[-1, : self.size - start] for start, block in zip(starts, self.blocks, strict=True)]
        self.largest_square = max((square_B.max() for square_B in squares), default=np.float32(0))
        self.slack = np.float32((6 * dimensions + 48) * HALF_ULP)
        rows = [
            start + np.arange(block.shape[1]).reshape(self.group, -1).T
            for start, block in zip(starts, self.blocks, strict=True)
        ]
        self.rows_MG = np.concatenate([np.empty((0, self.group), dtype=np.int64), *rows])

    def candidates(
        self, queries_QD: NDArray[np.float32], k: int, allowed_N: NDArray[np.bool_] | None = None
    ) -> Iterator[tuple[slice, NDArray[np.int64]]]:
        """List every row that can be among the k <= N nearest, for some queries at a time.

        Args:
            queries_QD: finite.
            k: no more than there are rows, or rows that are allowed.
            allowed_N: the rows to find among; all where None.

        Yields:
            Which queries, and the pairs [P] as numbers query * N + row, ascending, the first query being 0.
        """
        many = max(1, min(QUERIES_AT_ONCE, PAIRS_SCANNED // self.size))
        few = max(1, PAIRS_LISTED // self.size)
        barred_N = None if allowed_N is None else np.where(allowed_N, np.float32(0), np.float32(np.inf))
        for start in range(0, len(queries_QD), many):
            some_QD = queries_QD[start : start + many]
            scores_QM, limits_Q = self.scores(some_QD, k, barred_N)
            for first in range(0, len(some_QD), few):
                here = slice(first, min(first + few, len(some_QD)))
                pairs_P = self._pairs(scores_QM[here], limits_Q[here])
                if allowed_N is not None:
                    pairs_P = pairs_P[allowed_N[pairs_P % self.size]]
                yield slice(start + here.start, start + here.stop), pairs_P

    def scores(
        self, queries_QD: NDArray[np.float32], k: int, barred_N: NDArray[np.float32] | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Score the groups [Q, M], and say up to which score [Q] one can hold a row of the k nearest.

        `barred_N` is infinite for rows that must not be found, else 0.

        With u = HALF_ULP, a row's score is off its true ||x - y||^2 - ||x||^2 by under (3D + 8)u(||x||^2 +
        ||y||^2): (D + 1)u for the product and Du for the squares (N. Higham, Accuracy and Stability of
        Numerical Algorithms, section 3.1), the rest for centring. A row may be worse than the k-th by twice
        that and still belong; 32u more cover this sum, and distances that are equal only in float32.
        """
        centred_QD = queries_QD - self.mean_D
        factors_QE = np.ones((len(queries_QD), len(self.mean_D) + 1), dtype=np.float32)
        np.multiply(centred_QD, -2, out=factors_QE[:, :-1])
        scores_QM = self._lowest(factors_QE, barred_N)
        squares_Q = np.einsum("qd,qd->q", centred_QD, centred_QD)
        return scores_QM, upper_bounds(scores_QM, k) + self.slack * (squares_Q + self.largest_square)

    def _lowest(
        self, factors_QE: NDArray[np.float32], barred_N: NDArray[np.float32] | None
    ) -> NDArray[np.float32]:
        """Give the lowest score of each group [Q, M]."""
        if self.group == 1:
            only_QM = factors_QE @ self.blocks[0]
            return only_QM if barred_N is None else only_QM + barred_N
        count = len(factors_QE)
        scores_QM = np.empty((count, len(self.rows_MG)), dtype=np.float32)
        buffer = np.empty(count * ROWS_OF_BLOCK, dtype=np.float32)
        stop = 0
        for number, block_EB in enumerate(self.blocks):
            start, stop = stop, stop + block_EB.shape[1] // self.group
            scores_QB = buffer[: count * block_EB.shape[1]].reshape(count, -1)
            np.matmul(factors_QE, block_EB, out=scores_QB)
            if barred_N is not None:
                barred_B = barred_N[number * ROWS_OF_BLOCK :][: block_EB.shape[1]]
                scores_QB[:, : len(barred_B)] += barred_B
            scores_QB.reshape(count, self.group, -1).min(axis=1, out=scores_QM[:, start:stop])
        return scores_QM

    def _pairs(self, scores_QM: NDArray[np.float32], limits_Q: NDArray[np.float32]) -> NDArray[np.int64]:
        """List the rows of the groups within the limits."""
        pairs_P: NDArray[np.int64] = np.flatnonzero(scores_QM <= limits_Q[:, None])
        if self.group == 1:
            return pairs_P
        query_P, group_P = np.divmod(pairs_P, len(self.rows_MG))
        rows_PG = self.rows_MG[group_P]
        pairs_P = (rows_PG + (query_P * self.size)[:, None])[rows_PG < self.size]
        pairs_P.sort()
        return pairs_P


def columns(centred_BD: NDArray[np.float32], group: int) -> NDArray[np.float32]:
    """Turn rows into columns [E, B] with their squares below, B filled up to whole groups.

    (-2x, 1) times them are the scores; those of the filling are infinite.
    """
    size, dimensions = centred_BD.shape
    columns_EB = np.zeros((dimensions + 1, -(-size // group) * group), dtype=np.float32)
    columns_EB[:-1, :size] = centred_BD.T
    columns_EB[-1] = np.inf
    np.einsum("bd,bd->b", centred_BD, centred_BD, out=columns_EB[-1, :size])
    return columns_EB


def upper_bounds(scores_QM: NDArray[np.float32], k: int) -> NDArray[np.float32]:
    """Give at least the k-th lowest score of each query [Q]: the k-th of every 8th score's lowest.

    That sorts an eighth. Few enough of the lowest k share an eighth that the bound is close.
    """
    count, groups = scores_QM.shape
    if groups < k:
        return np.full(count, np.inf, dtype=np.float32)
    if groups >= 64 * k:
        scores_QM = scores_QM[:, : groups // 8 * 8].reshape(count, 8, -1).min(axis=1)
    lowest_Q: NDArray[np.float32] = np.partition(scores_QM, k - 1, axis=1)[:, k - 1]
    return lowest_Q
