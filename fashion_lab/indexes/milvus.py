"""The road past one machine: vectors in a Milvus, from a file to a cluster (extra `milvus`).

No vector stays here: candidates come with theirs and are measured again in float64. What is searched among
given ids, or beyond what a server gives for one query, is fetched and measured.

Shape suffixes: Q queries, N gallery, M vectors or ids more, D embedding.
"""

import importlib.util
import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fashion_lab.contracts.index import Index, Neighbours
from fashion_lab.indexes.candidates import settle
from fashion_lab.indexes.measure import nearest_in_parts, nothing
from fashion_lab.indexes.milvus_collection import Collection
from fashion_lab.indexes.milvus_server import MilvusServer
from fashion_lab.indexes.rows import Rows, check_ids, check_query, not_built

log = logging.getLogger(__name__)
MOST = 2**14  # candidates that a Milvus gives for one query: its quotaAndLimits.limits.maxQueryResultWindow
STREAMED = 2**20  # rows up to which all are fetched where candidates leave a doubt; assumption


class MilvusIndex(Index):
    """Keeps vectors, centred by the mean of those it was built with, in a collection of a Milvus.

    `build` writes a new collection beside those under its name, which others may search; `sweep` drops what
    is not needed any more: who still searches that gets an error, never a mixture. `add` and `remove` change
    the collection that others search.

    Args:
        uri: a file that ends in .db, a server (http://127.0.0.1:19530), or a cluster.
        collection: how the collections' names begin. One for each index: `sweep` drops the others.
        token_from: the environment variable that holds a cluster's token.
        index_type: FLAT compares with all vectors; HNSW, IVF_FLAT or what the server has, past a million.
        index_params: of its making, e.g. {M: 16, efConstruction: 100}.
        search_params: of a search, e.g. {ef: 64} or {nprobe: 32}.
        batch: rows in one request.
        timeout: seconds for one request.
    """

    name, remote = "milvus", True

    def __init__(
        self,
        *,
        uri: str | None,
        collection: str = "fashion_lab",
        token_from: str | None = None,
        index_type: str = "FLAT",
        index_params: Mapping[str, Any] | None = None,
        search_params: Mapping[str, Any] | None = None,
        batch: int = 1000,
        timeout: float = 60.0,
    ) -> None:
        if importlib.util.find_spec("pymilvus") is None:
            raise ValueError("engine=milvus needs the extra milvus: pip install 'fashion_lab[milvus]'")
        if not collection.isidentifier() or not collection.isascii():
            raise ValueError(f"collection={collection}: give letters, digits and _, no digit first")
        if batch < 1 or timeout <= 0:
            raise ValueError(f"batch={batch}, timeout={timeout}: both must be above 0")
        if token_from is not None and token_from not in os.environ:
            raise ValueError(f"token_from={token_from}: no such environment variable; set it first")
        self.exact = index_type == "FLAT"
        self._uri, self._name, self._batch, self._timeout = uri, collection, batch, timeout
        self._token = "" if token_from is None else os.environ[token_from]
        self._kind = {"type": index_type, "params": dict(index_params or {})}
        self._search_params = dict(search_params or {})
        self._server: MilvusServer | None = None
        self._collection: Collection | None = None

    def build(self, vectors_ND: NDArray[np.float32], ids_N: NDArray[np.int64] | None = None) -> None:
        """Write these vectors into a new collection."""
        rows = Rows.checked(vectors_ND, ids_N)
        self._collection = Collection.create(self._connected(), self._name, rows, self._kind, self._batch)

    def sweep(self, kept: Sequence[tuple[NDArray[np.float32], NDArray[np.int64]]]) -> None:
        """Drop the collections of this name that are neither this one nor hold exactly such vectors."""
        self._opened().drop_others(self._name, [Rows.checked(*pair) for pair in kept])

    def load(self, folder: Path, vectors_ND: NDArray[np.float32], ids_N: NDArray[np.int64]) -> None:
        """Take the collection that holds exactly these vectors; else write one, and drop none.

        The others of this name may be what another process searches, or writes.
        """
        rows, server = Rows.checked(vectors_ND, ids_N), self._connected()
        found = Collection.find(server, self._name, rows, self._kind, self._batch)
        if found is None:
            log.info("%s holds no such collection: %d vectors are written", server.place, len(rows))
            found = Collection.create(server, self._name, rows, self._kind, self._batch)
        self._collection = found

    def add(self, vectors_MD: NDArray[np.float32], ids_M: NDArray[np.int64]) -> None:
        """Write M more."""
        collection = self._opened()
        collection.add(Rows.checked(vectors_MD, ids_M))

    def remove(self, ids_M: NDArray[np.int64]) -> None:
        """Delete M vectors. Raises ValueError, and deletes none, where an id is not there."""
        check_ids(ids_M)
        self._opened().remove(ids_M)

    def search(
        self, queries_QD: NDArray[np.float32], k: int, where_M: NDArray[np.int64] | None = None
    ) -> Neighbours:
        """Find the k nearest that the server gives (all where there are fewer)."""
        collection = self._opened()
        check_query(queries_QD, k, where_M, collection.facts.dim)
        queries_QW = collection.centred(queries_QD)
        if not len(queries_QW):
            return nothing(0, min(k, collection.facts.count))
        if where_M is not None:
            return nearest_in_parts(collection.rows_of(where_M), queries_QW, k)
        count = 2 * k + 16
        if count > min(MOST, collection.facts.count):
            return nearest_in_parts(collection.all_rows(), queries_QW, k)
        return self._near(collection, queries_QW, k, count)

    def close(self) -> None:
        """Let go of the connection. A file stays with this process until it ends."""
        if self._server is not None:
            self._server.close()
        self._server = self._collection = None

    def __len__(self) -> int:
        return self._opened().facts.count

    def _near(
        self, collection: Collection, queries_QW: NDArray[np.float32], k: int, count: int
    ) -> Neighbours:
        """Take the server's candidates; where these leave a doubt, all rows, unless they are too many."""

        def propose(some_Q: NDArray[np.int64], most: int) -> Neighbours:
            return collection.propose(queries_QW[some_Q], most, self._parameters(most))

        found, doubtful = settle(propose, queries_QW, k, count=count, most=MOST)
        if not len(doubtful):
            return found
        if collection.facts.count <= STREAMED:
            found.ids[doubtful], found.distances[doubtful] = nearest_in_parts(
                collection.all_rows(), queries_QW[doubtful], k
            )
        elif np.isinf(found.distances).any():
            raise ValueError(
                f"the index {self._kind['type']} gives fewer than k={k} of {collection.facts.count:,} "
                "vectors: let it look further with engine.search_params, e.g. {ef: 1024}"
            )
        return found

    def _parameters(self, count: int) -> dict[str, Any]:
        """Give the search's parameters; HNSW wants `ef` no smaller than the number of candidates."""
        if str(self._kind["type"]).startswith("HNSW"):
            return {**self._search_params, "ef": max(count, self._search_params.get("ef", 64))}
        return self._search_params

    def _connected(self) -> MilvusServer:
        if self._server is None:
            if self._uri is None:
                raise ValueError("engine.uri= is missing: give a file (milvus.db) or http://host:port")
            self._server = MilvusServer(self._uri, self._token, self._timeout)
        return self._server

    def _opened(self) -> Collection:
        if self._collection is None:
            raise not_built()
        return self._collection
