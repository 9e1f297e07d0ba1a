"""Hits from an engine that proposes candidates: measured again, more of them where the last hit is in doubt.

Shape suffixes: Q queries, D embedding, C candidates, K hits.
"""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from fashion_lab.contracts.index import Neighbours
from fashion_lab.indexes.measure import first, nothing
from fashion_lab.indexes.scan import HALF_ULP

Propose: TypeAlias = Callable[[NDArray[np.int64], int], Neighbours]

MORE = 4  # times as many candidates at the next try; assumption


def settle(
    propose: Propose, centred_QD: NDArray[np.float32], k: int, *, count: int, most: int
) -> tuple[Neighbours, NDArray[np.int64]]:
    """Choose the k nearest of what an engine proposes; ask again where the candidates may have missed some.

    An engine scores in float32 and cuts off at `count`. What it left out can belong to the nearest k only if
    the worst candidate is as near as the k-th: equal distances, as of copies, go by id, and rounding by
    (3D + 24)u(|x|^2 + |y|^2), u = HALF_ULP, can exchange two (see `Scan.scores`; |y|^2 <= 2|x|^2 + 2d^2).

    Args:
        propose: gives, for some of the queries, the `count` best [Q, C] with their measured distances; these
            are infinite where there are fewer.
        centred_QD: the queries as the engine sees them.
        k: hits.
        count: candidates at the first try, more than k.
        most: candidates that an engine can be asked for.

    Returns:
        The neighbours, and for which queries [..] they are not certain, or fewer than k.
    """
    squares_Q = np.einsum("qd,qd->q", centred_QD, centred_QD, dtype=np.float64)
    rounding = 2 * (3 * centred_QD.shape[1] + 24) * HALF_ULP
    found, doubtful = nothing(len(centred_QD), k), [np.empty(0, dtype=np.int64)]
    open_Q = np.arange(len(centred_QD))
    while len(open_Q) and count <= most:
        ids_QC, distances_QC = propose(open_Q, count)
        found.ids[open_Q], found.distances[open_Q] = first(ids_QC, distances_QC, k)
        last_Q = found.distances[open_Q, -1].astype(np.float64) ** 2
        worst_Q = distances_QC.max(axis=1).astype(np.float64) ** 2  # infinite where these are all
        certain_Q = worst_Q > last_Q + rounding * (3 * squares_Q[open_Q] + 2 * last_Q)
        few_Q = np.isinf(last_Q)
        doubtful.append(open_Q[few_Q])
        open_Q = open_Q[~certain_Q & ~few_Q]
        count *= MORE
    return found, np.concatenate([*doubtful, open_Q])
