"""The engine that a gallery's size asks for: exact while that is quick, then faiss where it is installed.

Shape suffixes: Q queries, N gallery, M vectors or ids more, D embedding.
"""

import importlib.util
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fashion_lab.contracts.index import Index, Neighbours
from fashion_lab.indexes.exact import ExactIndex
from fashion_lab.indexes.faiss import FaissIndex
from fashion_lab.indexes.rows import Rows

log = logging.getLogger(__name__)


class AutoIndex(Index):
    """The exact engine, or faiss: chosen anew at every change. Its name is that of the one chosen.

    Args:
        most: numbers (vectors times dimensions) up to which the exact engine is chosen.
        faiss: options of the faiss engine.
    """

    name, exact = "auto", False

    def __init__(self, *, most: int, faiss: Mapping[str, Any] | None = None) -> None:
        if most < 0:
            raise ValueError(f"most={most}: give how many numbers are searched exactly, 0 or more")
        self._most, self._faiss = most, dict(faiss or {})
        self._chosen: ExactIndex | FaissIndex = ExactIndex()

    @property
    def rows(self) -> Rows:
        """What is searched."""
        return self._chosen.rows

    def build(self, vectors_ND: NDArray[np.float32], ids_N: NDArray[np.int64] | None = None) -> None:
        """Choose an engine and let it build."""
        rows = Rows.checked(vectors_ND, ids_N)
        chosen = self._fitting(rows)
        chosen.build(rows.vectors_ND, rows.ids_N)
        self._take(chosen)

    def load(self, folder: Path, vectors_ND: NDArray[np.float32], ids_N: NDArray[np.int64]) -> None:
        """Choose an engine and let it load."""
        rows = Rows.checked(vectors_ND, ids_N)
        chosen = self._fitting(rows)
        chosen.load(folder, rows.vectors_ND, rows.ids_N)
        self._take(chosen)

    def save(self, folder: Path) -> None:
        """Write what the chosen engine keeps."""
        self._chosen.save(folder)

    def add(self, vectors_MD: NDArray[np.float32], ids_M: NDArray[np.int64]) -> None:
        """Take M more."""
        self._chosen.add(vectors_MD, ids_M)
        self._choose_again()

    def remove(self, ids_M: NDArray[np.int64]) -> None:
        """Forget M vectors."""
        self._chosen.remove(ids_M)
        self._choose_again()

    def search(
        self, queries_QD: NDArray[np.float32], k: int, where_M: NDArray[np.int64] | None = None
    ) -> Neighbours:
        """Let the chosen engine find the k nearest."""
        return self._chosen.search(queries_QD, k, where_M)

    def __len__(self) -> int:
        return len(self._chosen)

    def _choose_again(self) -> None:
        rows = self._chosen.rows
        chosen = self._fitting(rows)
        if type(chosen) is not type(self._chosen):
            chosen.build(rows.vectors_ND, rows.ids_N)
            self._take(chosen)
        self.exact = self._chosen.exact

    def _fitting(self, rows: Rows) -> ExactIndex | FaissIndex:
        """Give an empty engine of the kind that fits."""
        if len(rows) * rows.dim <= self._most:
            return ExactIndex()
        if importlib.util.find_spec("faiss") is not None:
            return FaissIndex(**self._faiss)
        log.warning(
            "%s vectors with %d numbers each are searched one by one, which takes a while for each query: "
            "pip install 'fashion_lab[faiss]', or take engine=exact to hear no more of it",
            f"{len(rows):,}",
            rows.dim,
        )
        return ExactIndex()

    def _take(self, chosen: ExactIndex | FaissIndex) -> None:
        self._chosen, self.name, self.exact = chosen, chosen.name, chosen.exact
