"""An inverted file of faiss: vectors in lists around centres; a query looks into the nearest lists only.

Kept whole ("flat": 4D + 8 bytes a vector) or as a byte for every four numbers ("pq": D / 4 + 8 bytes).
Training takes one thread: its cost has a ceiling, and the same vectors give the same centres everywhere.

Shape suffixes: N vectors, M vectors more, Q queries, D embedding, W as in `clusters`, L lists, C candidates.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fashion_lab.contracts.index import Neighbours
from fashion_lab.indexes.clusters import PIECE, Clusters, padded
from fashion_lab.indexes.measure import euclidean
from fashion_lab.indexes.rows import Rows

AT_ONCE = 2**16  # vectors centred and given to faiss; assumption
POINTS = 256  # vectors a list that training looks at: faiss's own ceiling
PROBED = 10  # vectors to look at for each candidate, on average; assumption


class Lists:
    """Vectors in the lists of trained clusters.

    Args:
        clusters: the centres; which list each row is in is read where it fits the rows, else found out.
        rows: the vectors to hold.
        nprobe: lists that a query looks into.
    """

    def __init__(self, clusters: Clusters, rows: Rows, nprobe: int) -> None:
        import faiss

        self._faiss: Any = faiss
        self.clusters, self.nprobe = clusters, nprobe
        self.kind = "pq" if clusters.codebooks_S.size else "flat"
        nlist, self._width = clusters.centres_LW.shape
        self._index = _empty(self.kind, self._width, nlist)
        self._index.quantizer.add(clusters.centres_LW)
        self._index.is_trained = True
        if self.kind == "pq":
            faiss.copy_array_to_vector(clusters.codebooks_S, self._index.pq.centroids)
            self._index.precompute_table()
        known = clusters.lists_N if len(clusters.lists_N) == len(rows) else None
        self.add(rows.vectors_ND, rows.ids_N, known)

    def add(
        self,
        vectors_MD: NDArray[np.float32],
        ids_M: NDArray[np.int64],
        lists_M: NDArray[np.int32] | None = None,
    ) -> None:
        """Take M vectors whose ids are not there, into these lists or those of their nearest centres."""
        pointer = self._faiss.swig_ptr
        for start in range(0, len(ids_M), AT_ONCE):
            some = slice(start, start + AT_ONCE)
            centred_MW, ids = self.centred(vectors_MD[some]), np.ascontiguousarray(ids_M[some])
            if lists_M is None:
                lists = self._index.quantizer.search(centred_MW, 1)[1].ravel()
            else:
                lists = lists_M[some].astype(np.int64)
            self._index.add_core(len(ids), pointer(centred_MW), pointer(ids), pointer(lists))

    def remove(self, ids_M: NDArray[np.int64]) -> None:
        """Forget M vectors that are there."""
        removed = self._index.remove_ids(np.ascontiguousarray(ids_M))
        assert removed == len(ids_M), (removed, len(ids_M))

    def propose(self, rows: Rows, queries_QD: NDArray[np.float32], count: int) -> Neighbours:
        """Give the best candidates [Q, C] with their true distances, infinite where there are fewer.

        Looks into `nprobe` lists, or more where they hold few vectors for so many candidates.
        """
        nlist = self._index.nlist
        probes = min(nlist, max(self.nprobe, -(-PROBED * count * nlist // len(rows))))
        parameters = self._faiss.SearchParametersIVF(nprobe=probes)
        # once faiss.contrib.torch_utils is imported, `search` takes no params; `search_numpy` is what it was
        search = getattr(self._index, "search_numpy", self._index.search)
        ids_QC = search(self.centred(queries_QD), count, params=parameters)[1]
        distances_QC = np.full(ids_QC.shape, np.inf, dtype=np.float32)
        query_P, place_P = np.nonzero(ids_QC >= 0)
        row_P = np.searchsorted(rows.ids_N, ids_QC[query_P, place_P])
        distances_QC[query_P, place_P] = euclidean(queries_QD, query_P, rows.vectors_ND, row_P)
        return Neighbours(ids_QC, distances_QC)

    def centred(self, vectors_MD: NDArray[np.float32]) -> NDArray[np.float32]:
        """Subtract the mean, and fill up with zeros [M, W]."""
        centred_MW = np.zeros((len(vectors_MD), self._width), dtype=np.float32)
        np.subtract(vectors_MD, self.clusters.mean_D, out=centred_MW[:, : vectors_MD.shape[1]])
        return centred_MW

    def known(self, rows: Rows) -> Clusters:
        """Give the clusters with the list that each row is in."""
        lists_N = np.empty(len(rows), dtype=np.int32)
        inverted = self._index.invlists
        for number in range(self._index.nlist):
            ids = self._faiss.rev_swig_ptr(inverted.get_ids(number), inverted.list_size(number))
            lists_N[np.searchsorted(rows.ids_N, ids)] = number
        return replace(self.clusters, lists_N=lists_N)


def train(rows: Rows, kind: str, nlist: int, seed: int) -> Clusters:
    """Find the centres of `nlist` lists, and for "pq" what its bytes stand for."""
    import faiss

    draw = np.random.default_rng(seed)
    mean_D = rows.vectors_ND.mean(axis=0, dtype=np.float64).astype(np.float32)
    chosen = np.sort(draw.choice(len(rows), min(len(rows), POINTS * nlist), replace=False))
    width = padded(rows.dim) if kind == "pq" else rows.dim
    sample_BW = np.zeros((len(chosen), width), dtype=np.float32)
    sample_BW[:, : rows.dim] = rows.vectors_ND[chosen]
    sample_BW[:, : rows.dim] -= mean_D
    index = _empty(kind, width, nlist)
    index.cp.seed = seed
    index.cp.min_points_per_centroid = 1  # else it complains on standard error; `smallest` is the guard
    if kind == "pq":
        index.pq.cp.seed, index.pq.cp.min_points_per_centroid = seed, 1
    with _one_thread():
        index.train(sample_BW)
    codebooks_S = faiss.vector_to_array(index.pq.centroids) if kind == "pq" else np.empty(0, np.float32)
    centres_LW = np.empty((nlist, width), dtype=np.float32)
    index.quantizer.reconstruct_n(0, nlist, centres_LW)  # without an array torch_utils would give a tensor
    return Clusters(mean_D, centres_LW, codebooks_S, np.empty(0, np.int32), len(rows))


def _empty(kind: str, width: int, nlist: int) -> Any:
    import faiss

    quantizer = faiss.IndexFlatL2(width)
    if kind == "pq":
        return faiss.IndexIVFPQ(quantizer, width, nlist, width // PIECE, 8)
    return faiss.IndexIVFFlat(quantizer, width, nlist)


@contextmanager
def _one_thread() -> Iterator[None]:
    import faiss

    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(threads)
