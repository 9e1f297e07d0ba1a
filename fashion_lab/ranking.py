"""From neighbours to hits: query expansion, near-duplicates folded, and never fewer than were asked for.

Q queries, D embedding, M items that may be found.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fashion_lab.contracts.index import Index
from fashion_lab.folding import Folding
from fashion_lab.gallery import Gallery

SPARE = 8  # items looked at beyond k, in case some fold: assumption

Vectors = NDArray[np.float32]


class Ask(NamedTuple):
    """What is wanted of a search.

    Attributes:
        k: hits.
        keys_M: keys of the items that may be found, ascending; None: all.
        own: row of the item that asks, which is not among its own hits; None where a picture asks.
        fold: near-duplicates are one hit.
        expand: nearest items that a query is averaged with before it asks again; 0: none. Average query
            expansion (O. Chum et al. 2007, "Total recall").
    """

    k: int
    keys_M: NDArray[np.int64] | None = None
    own: int | None = None
    fold: bool = True
    expand: int = 0


class Found(NamedTuple):
    """A hit's row, how far it is from the query itself, and the rows of what was folded into it."""

    position: int
    distance: float
    folded: list[int]


class Ranking:
    """Finds the rows of a gallery that answer a query."""

    def __init__(self, gallery: Gallery, index: Index) -> None:
        self._gallery, self._index, self._folding = gallery, index, Folding(gallery)

    def find(self, vectors_QD: Vectors, ask: Ask) -> list[list[Found]]:
        """Find k hits of each query, fewer only where no more may be found. Raises ValueError for k < 1."""
        if ask.k < 1:
            raise ValueError(f"k is {ask.k}: ask for 1 hit or more")
        if ask.expand < 0:
            raise ValueError(f"expand is {ask.expand}: give 0 for none, or the number of hits, such as 5")
        aims_QD = self._expanded(vectors_QD, ask) if ask.expand else vectors_QD
        seen = ask.k + (ask.own is not None) + SPARE * ask.fold
        found = self._index.search(aims_QD, seen, ask.keys_M)
        return [
            self._enough(vector_D, aim_D, ids, ask)
            for vector_D, aim_D, ids in zip(vectors_QD, aims_QD, found.ids, strict=True)
        ]

    def _expanded(self, vectors_QD: Vectors, ask: Ask) -> Vectors:
        """Average each query with its nearest items."""
        found = self._index.search(vectors_QD, ask.expand, ask.keys_M)
        near_QKD = self._gallery.vectors_ND[self._gallery.rows(found.ids)]
        sums_QD = vectors_QD + near_QKD.sum(axis=1, dtype=np.float32)
        return np.asarray(sums_QD / np.float32(1 + near_QKD.shape[1]))

    def _enough(self, vector_D: Vectors, aim_D: Vectors, ids: NDArray[np.int64], ask: Ask) -> list[Found]:
        """Fold one query's neighbours; look farther where that leaves fewer than k."""
        most = len(self._gallery) if ask.keys_M is None else len(ask.keys_M)
        while True:
            rows = [row for row in self._gallery.rows(ids).tolist() if row != ask.own]
            groups = self._folding.groups(rows) if ask.fold else [[row] for row in rows]
            if len(groups) >= ask.k or len(ids) >= most:
                return self._measured(vector_D, groups[: ask.k])
            (ids,), _ = self._index.search(aim_D[None], 2 * len(ids), ask.keys_M)

    def _measured(self, vector_D: Vectors, groups: Iterable[list[int]]) -> list[Found]:
        """Say how far each hit is from the query: the differences squared and summed in float64."""
        kept = list(groups)
        offsets_KD = self._gallery.vectors_ND[[group[0] for group in kept]].astype(np.float64) - vector_D
        distances = np.sqrt(np.square(offsets_KD).sum(axis=1)).astype(np.float32).tolist()
        return [Found(group[0], far, group[1:]) for group, far in zip(kept, distances, strict=True)]
