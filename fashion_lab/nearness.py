"""How near queries with known answers come to items: the examples that a calibration is learnt from.

Two pictures of one sender show one home and one light: where senders are known, a query does not see its own.

Shape suffixes: Q queries, N gallery, D embedding, P pairs of a query and a hit, S sizes of galleries.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

HITS = 50  # nearest items whose classes teach the likelihood; assumption: more than anybody looks at
SMALLEST = 64  # items in the smallest gallery that a threshold is learnt for; assumption
AT_ONCE = 2**24  # distances at a time: 64 MiB; assumption

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Examples:
    """Embedded pictures whose classes are known.

    Attributes:
        vectors_ND: float32 [N, D].
        labels_N: their classes.
        groups_N: who took each: a query does not see its own group. None: nobody knows.
    """

    vectors_ND: Floats
    labels_N: Ints
    groups_N: Ints | None = None


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What queries met in galleries of several sizes, each the beginning of the next.

    Attributes:
        sizes: how many items, ascending; the last is all.
        distance_P: of hits among all.
        same_P: whether these are of their query's class.
        nearest_SQ: to the nearest of the first so many items; inf where none of the query's class is there.
        strange_Q: to the nearest of all that is of another class.
    """

    sizes: list[int]
    distance_P: Floats
    same_P: NDArray[np.bool_]
    nearest_SQ: Floats
    strange_Q: Floats

    def known(self, number: int) -> Floats:
        """Give the nearest distances of those that have an answer in one of the galleries."""
        nearest_Q: Floats = self.nearest_SQ[number]
        return nearest_Q[np.isfinite(nearest_Q)]


def _shuffled(gallery: Examples) -> Examples:
    """Put a gallery into a drawn order, so that its beginning is a sample of it."""
    order_N = np.random.default_rng(0).permutation(len(gallery.vectors_ND))
    return Examples(
        vectors_ND=gallery.vectors_ND[order_N],
        labels_N=gallery.labels_N[order_N],
        groups_N=None if gallery.groups_N is None else gallery.groups_N[order_N],
    )


def measure(queries: Examples, gallery: Examples) -> Measured:
    """Measure hits, whether they are of the query's class, and the nearest of all and of other classes.

    The nearest of another class is always among the hits: all others may be right, and then nothing would say
    where right ends. A query without a visible item of its own class is left out: nothing is right for it.
    """
    gallery = _shuffled(gallery)
    mean_D = gallery.vectors_ND.mean(axis=0)
    gallery_ND, squares_N = gallery.vectors_ND - mean_D, np.square(gallery.vectors_ND - mean_D).sum(axis=1)
    count = len(gallery_ND)
    sizes = [count >> halved for halved in reversed(range(count.bit_length())) if count >> halved >= SMALLEST]
    sizes = sizes or [count]
    step, hits = max(1, AT_ONCE // count), min(HITS, count)
    distances, sames, nearests, stranges = [], [], [], []
    for start in range(0, len(queries.vectors_ND), step):
        some = slice(start, start + step)
        query_QD = queries.vectors_ND[some] - mean_D
        square_QN = np.square(query_QD).sum(axis=1)[:, None] + squares_N - 2 * (query_QD @ gallery_ND.T)
        distance_QN = np.sqrt(np.maximum(square_QN, 0))
        if queries.groups_N is not None and gallery.groups_N is not None:
            distance_QN[queries.groups_N[some, None] == gallery.groups_N] = np.inf
        same_QN = queries.labels_N[some, None] == gallery.labels_N
        right_QN = np.where(same_QN, distance_QN, np.inf)
        answered_Q = np.isfinite(right_QN).any(axis=1)
        distance_QN, same_QN, right_QN = distance_QN[answered_Q], same_QN[answered_Q], right_QN[answered_Q]
        other_QN = np.where(same_QN, np.inf, distance_QN)
        nearest_QK = np.argpartition(distance_QN, hits - 1, axis=1)[:, :hits]
        learnt_QN = np.zeros(distance_QN.shape, dtype=bool)
        np.put_along_axis(learnt_QN, nearest_QK, values=True, axis=1)
        np.put_along_axis(learnt_QN, other_QN.argmin(axis=1)[:, None], values=True, axis=1)
        distances.append(distance_QN[learnt_QN])
        sames.append(same_QN[learnt_QN])
        nearests.append([_nearest(distance_QN[:, :size], right_QN[:, :size]) for size in sizes])
        stranges.append(other_QN.min(axis=1))
    distance_P, same_P, strange_Q = map(np.concatenate, (distances, sames, stranges))
    seen_P = np.isfinite(distance_P)
    return Measured(
        sizes=sizes,
        distance_P=distance_P[seen_P],
        same_P=same_P[seen_P],
        nearest_SQ=np.concatenate(nearests, axis=1),
        strange_Q=strange_Q,
    )


def _nearest(distance_QN: Floats, right_QN: Floats) -> Floats:
    """Give the nearest distance of each query; inf where nothing right is there."""
    return np.where(np.isfinite(right_QN.min(axis=1)), distance_QN.min(axis=1), np.inf)
