"""From candidates to hits: distances in float64, the nearest K, ties by id.

Shape suffixes: Q queries, N gallery, D embedding, K hits, P pairs of a query and a row.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from fashion_lab.contracts.index import Neighbours
from fashion_lab.indexes.rows import Rows
from fashion_lab.indexes.scan import Scan

ROWS_OF_PART = 2**12  # copied and scanned at a time; 2**14 took twice as long, measured
PAIRS_MEASURED = 2**11  # at a time: 2 MiB of float64 where D is 128, the cache


def nearest_in(
    scan: Scan,
    rows: Rows,
    queries_QD: NDArray[np.float32],
    k: int,
    allowed_N: NDArray[np.bool_] | None = None,
) -> Neighbours:
    """Find the k nearest of the rows that a scan was made of, or of those that are allowed."""
    there = len(rows) if allowed_N is None else int(np.count_nonzero(allowed_N))
    found = nothing(len(queries_QD), min(k, there))
    if found.ids.size:
        for some, pairs_P in scan.candidates(queries_QD, found.ids.shape[1], allowed_N):
            positions, found.distances[some] = nearest(
                queries_QD[some], rows.vectors_ND, pairs_P, found.ids.shape[1]
            )
            found.ids[some] = rows.ids_N[positions]
    return found


def nearest_among(
    rows: Rows, row_M: NDArray[np.int64], queries_QD: NDArray[np.float32], k: int
) -> Neighbours:
    """Find the k nearest of some rows, without reading the others."""
    size = max(ROWS_OF_PART, k)
    parts = (row_M[start : start + size] for start in range(0, len(row_M), size))
    return nearest_in_parts((Rows(rows.vectors_ND[part], rows.ids_N[part]) for part in parts), queries_QD, k)


def nearest_in_parts(parts: Iterable[Rows], queries_QD: NDArray[np.float32], k: int) -> Neighbours:
    """Find the k nearest of rows that come part by part, so that never more than one is copied."""
    best = nothing(len(queries_QD), 0)
    for rows in parts:
        more = nearest_in(Scan(rows.vectors_ND), rows, queries_QD, k)
        best = first(np.hstack([best.ids, more.ids]), np.hstack([best.distances, more.distances]), k)
    return best


def first(ids_QC: NDArray[np.int64], distances_QC: NDArray[np.float32], k: int) -> Neighbours:
    """Choose the k nearest of C candidates, ties by id."""
    order_QK = np.lexsort((ids_QC, distances_QC), axis=1)[:, :k]
    return Neighbours(
        np.take_along_axis(ids_QC, order_QK, axis=1), np.take_along_axis(distances_QC, order_QK, axis=1)
    )


def nothing(queries: int, hits: int) -> Neighbours:
    """Make room for hits."""
    return Neighbours(np.empty((queries, hits), dtype=np.int64), np.empty((queries, hits), dtype=np.float32))


def nearest(
    queries_QD: NDArray[np.float32], vectors_ND: NDArray[np.float32], pairs_P: NDArray[np.int64], k: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Choose the k nearest among candidates: numbers query * N + row, ascending, k or more of each query.

    Returns:
        Rows and distances, both [Q, K].
    """
    query_P, row_P = np.divmod(pairs_P, len(vectors_ND))
    distance_P = euclidean(queries_QD, query_P, vectors_ND, row_P)
    # one number orders by query and distance: the bits of floats >= 0 ascend as the floats do
    order_P = np.argsort(query_P << 32 | distance_P.view(np.int32), kind="stable")
    first_Q = np.searchsorted(query_P, np.arange(len(queries_QD)))
    best_QK = order_P[first_Q[:, None] + np.arange(k)]
    return row_P[best_QK], distance_P[best_QK]


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
