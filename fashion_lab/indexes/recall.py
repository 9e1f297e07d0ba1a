"""How much of the truth an engine finds, measured on the gallery itself.

Shape suffixes: N gallery, D embedding, Q queries, K hits.
"""

import numpy as np
from numpy.typing import NDArray

from fashion_lab.contracts.index import Index, Neighbours
from fashion_lab.indexes.measure import nearest_among
from fashion_lab.indexes.rows import Rows

SAME = 1e-5  # relative difference of distances that count as equal: engines may round in float32


def recall(
    engine: Index,
    vectors_ND: NDArray[np.float32],
    ids_N: NDArray[np.int64],
    *,
    k: int = 10,
    sample: int = 500,
    seed: int = 0,
) -> float:
    """Measure recall@k of an engine that holds these vectors, against exact search.

    The queries are vectors of the gallery, drawn without repetition; their own hit does not count. They lie
    as the gallery does, which no noise of our choosing would; a query from elsewhere may find less. A hit
    counts if it is as near as the true k-th, so that any of equal neighbours will do; a hit that is no vector
    of the gallery does not count.

    Args:
        engine: what is measured.
        vectors_ND: what it was built with.
        ids_N: their ids.
        k: hits, or all others where there are fewer.
        sample: queries; 500 with k = 10 tell 0.990 from 0.985.
        seed: of the draw.

    Returns:
        0 .. 1; 1 where nothing can be found.
    """
    rows = Rows.checked(vectors_ND, ids_N)
    k = min(k, len(rows) - 1)
    if k < 1:
        return 1.0
    drawn_Q = np.sort(np.random.default_rng(seed).choice(len(rows), min(sample, len(rows)), replace=False))
    queries_QD, own_Q = rows.vectors_ND[drawn_Q], rows.ids_N[drawn_Q]
    truth = _others(nearest_among(rows, np.arange(len(rows)), queries_QD, k + 1), own_Q)
    found = _others(engine.search(queries_QD, k + 1), own_Q)
    spread = float(np.sqrt(((queries_QD - queries_QD.mean(axis=0)) ** 2).sum(axis=1).mean()))
    limit_Q = truth.distances[:, k - 1] * (1 + SAME) + SAME * spread
    right_QK = (found.distances[:, :k] <= limit_Q[:, None]) & np.isin(found.ids[:, :k], rows.ids_N)
    return float(right_QK.mean())


def _others(found: Neighbours, own_Q: NDArray[np.int64]) -> Neighbours:
    """Put each query's own hit last."""
    order_QK = np.argsort(found.ids == own_Q[:, None], axis=1, kind="stable")
    return Neighbours(
        np.take_along_axis(found.ids, order_QK, axis=1), np.take_along_axis(found.distances, order_QK, axis=1)
    )
