"""Approximate search past a million vectors on one machine: an inverted file of faiss (extra `faiss`).

Measured, 1 million x 64 in clusters: see conf/engine/faiss.yaml. Without clusters recall drops (0.36 on
independent normal numbers): `indexes.recall` measures it at every build.

Shape suffixes: Q queries, N gallery, M vectors or ids more, D embedding.
"""

import importlib.util
import logging
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fashion_lab.contracts.index import Index, Neighbours
from fashion_lab.indexes.candidates import settle
from fashion_lab.indexes.clusters import CODES, Clusters
from fashion_lab.indexes.exact import ExactIndex
from fashion_lab.indexes.lists import Lists, train
from fashion_lab.indexes.measure import nearest_among
from fashion_lab.indexes.rows import Rows, check_query, not_built

log = logging.getLogger(__name__)
FILE = "clusters.safetensors"
KINDS = ("auto", "flat", "pq")
MOST = 2**12  # candidates that faiss is asked for; beyond them everything is measured; assumption
GROWN = 2  # times what it was trained on, from which it is trained anew


class FaissIndex(Index):
    """Looks into the lists nearest to a query; what it finds there is measured as the exact engine does.

    Filters, and more hits than lists can give, are searched exactly in our own vectors. Few vectors need no
    lists: there it is the exact engine.

    Args:
        kind: "flat" keeps vectors whole; "pq" a byte for every four numbers, and reads the best candidates
            from the vectors that were given, which may be memory-mapped; "auto" is flat where it fits.
        memory: bytes that the lists may take, for "auto"; None: half of the machine's.
        nlist: lists; None: min(4 sqrt N, 2048).
        nprobe: lists that a query looks into.
        refine: candidates for each hit that "pq" measures.
        smallest: from how many vectors on there are lists; faiss wants 39 a list to learn from.
        seed: of the training.
    """

    name, exact = "faiss", False

    def __init__(
        self,
        *,
        kind: str = "auto",
        memory: int | None = None,
        nlist: int | None = None,
        nprobe: int = 32,
        refine: int = 10,
        smallest: int = 25_000,
        seed: int = 0,
    ) -> None:
        if importlib.util.find_spec("faiss") is None:
            raise ValueError("engine=faiss needs the extra faiss: pip install 'fashion_lab[faiss]'")
        if kind not in KINDS:
            raise ValueError(f"kind={kind}: choose one of {', '.join(KINDS)}")
        numbers = {"memory": memory, "nlist": nlist, "nprobe": nprobe, "refine": refine}
        for key, value in numbers.items():
            if value is not None and value < 1:
                raise ValueError(f"{key}={value}: give a whole number, 1 or more")
        if smallest < CODES:
            raise ValueError(f"smallest={smallest}: training needs {CODES} vectors or more")
        self._kind, self._nlist, self._nprobe, self._refine = kind, nlist, nprobe, refine
        self._memory = _half_of_memory() if memory is None else memory
        self._smallest, self._seed = smallest, seed
        self._few: ExactIndex | None = None
        self._state: tuple[Rows, Lists] | None = None

    @property
    def rows(self) -> Rows:
        """What is searched."""
        if self._state is not None:
            return self._state[0]
        if self._few is None:
            raise not_built()
        return self._few.rows

    def build(self, vectors_ND: NDArray[np.float32], ids_N: NDArray[np.int64] | None = None) -> None:
        """Take these vectors and train lists for them. Raises ValueError as `Rows.checked` does."""
        self._take(Rows.checked(vectors_ND, ids_N))

    def add(self, vectors_MD: NDArray[np.float32], ids_M: NDArray[np.int64]) -> None:
        """Take M more into the lists; trains anew where there are twice as many as at the last training."""
        before, rows = self.rows, self.rows.with_more(vectors_MD, ids_M)
        if self._state is None or len(rows) > GROWN * self._state[1].clusters.trained_on:
            return self._take(rows)
        lists = self._state[1]
        lists.remove(before.ids_N[before.positions(ids_M)])
        lists.add(vectors_MD, ids_M)
        self._state = rows, lists

    def remove(self, ids_M: NDArray[np.int64]) -> None:
        """Forget M vectors."""
        rows = self.rows.without(ids_M)
        if self._state is None or len(rows) < self._smallest:
            return self._take(rows)
        self._state[1].remove(ids_M)
        self._state = rows, self._state[1]

    def search(
        self, queries_QD: NDArray[np.float32], k: int, where_M: NDArray[np.int64] | None = None
    ) -> Neighbours:
        """Find k near vectors (all where there are fewer). Raises ValueError for k < 1, NaN or another D."""
        if self._state is None:
            if self._few is None:
                raise not_built()
            return self._few.search(queries_QD, k, where_M)
        rows, lists = self._state
        check_query(queries_QD, k, where_M, rows.dim)
        count = 2 * k + 16 if lists.kind == "flat" else max(self._refine * k, 64)
        if where_M is None and count <= min(MOST, len(rows)):
            return self._near(rows, lists, queries_QD, k, count)
        row_M = np.arange(len(rows)) if where_M is None else rows.positions(where_M)
        return nearest_among(rows, row_M, queries_QD, k)

    def save(self, folder: Path) -> None:
        """Write the centres and which list each vector is in: 4 bytes a vector."""
        if self._state is not None:
            rows, lists = self._state
            lists.known(rows).save(folder / FILE, self._facts(rows))

    def load(self, folder: Path, vectors_ND: NDArray[np.float32], ids_N: NDArray[np.int64]) -> None:
        """Fill the lists without training where `save` was given the same vectors; else build."""
        rows = Rows.checked(vectors_ND, ids_N)
        if len(rows) < self._smallest:
            return self._take(rows)
        try:
            clusters = Clusters.load(folder / FILE, self._facts(rows), rows.vectors_ND.shape)
        except FileNotFoundError:
            log.info("no %s in %s: the lists are trained, which takes a while", FILE, folder)
            return self._take(rows)
        except (OSError, ValueError) as error:
            log.warning("%s is not used, %s: the lists are trained anew", folder / FILE, error)
            return self._take(rows)
        self._fill(clusters, rows)

    def __len__(self) -> int:
        return len(self.rows)

    def _take(self, rows: Rows) -> None:
        if len(rows) < self._smallest:
            few = ExactIndex()
            few.build(rows.vectors_ND, rows.ids_N)
            self._few, self._state, self.exact = few, None, True
            return
        nlist = min(len(rows), self._nlist or min(round(4 * len(rows) ** 0.5), 2048))
        self._fill(train(rows, self._chosen(rows), nlist, self._seed), rows)

    def _fill(self, clusters: Clusters, rows: Rows) -> None:
        self._state = rows, Lists(clusters, rows, self._nprobe)
        self._few, self.exact = None, False

    def _near(
        self, rows: Rows, lists: Lists, queries_QD: NDArray[np.float32], k: int, count: int
    ) -> Neighbours:
        """Take the candidates of the nearest lists; where these do not do, measure all rows."""
        found, doubtful = settle(
            lambda some_Q, most: lists.propose(rows, queries_QD[some_Q], most),
            lists.centred(queries_QD),
            k,
            count=count,
            most=MOST,
        )
        if len(doubtful):
            found.ids[doubtful], found.distances[doubtful] = nearest_among(
                rows, np.arange(len(rows)), queries_QD[doubtful], k
            )
        return found

    def _chosen(self, rows: Rows) -> str:
        """Say how vectors are kept."""
        if self._kind != "auto":
            return self._kind
        return "flat" if len(rows) * (4 * rows.dim + 8) <= self._memory else "pq"

    def _facts(self, rows: Rows) -> dict[str, Any]:
        """Say what a file must have been made for."""
        return {"rows": rows.digest(), "kind": self._chosen(rows), "nlist": self._nlist, "seed": self._seed}


def _half_of_memory() -> int:
    """Say half of what the machine has, or of what a container may take of it."""
    limit = Path("/sys/fs/cgroup/memory.max")  # "max" where there is none
    whole = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    told = limit.read_text().strip() if limit.exists() else ""
    return min(whole, int(told) if told.isdecimal() else whole) // 2
