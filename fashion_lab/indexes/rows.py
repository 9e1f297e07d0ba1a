"""Vectors with ids, in ascending order of the ids: what engines keep, and the checks of what they are given.

Shape suffixes: N vectors, M vectors or ids more, D embedding.
"""

import hashlib
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

LARGEST = 1e15  # squares of larger coordinates come near the end of float32 (3.4e38)


@dataclass(frozen=True)
class Rows:
    """N vectors [N, D] and their ids [N]. Never changed: changes give new ones."""

    vectors_ND: NDArray[np.float32]
    ids_N: NDArray[np.int64]

    @classmethod
    def checked(cls, vectors_ND: NDArray[np.float32], ids_N: NDArray[np.int64] | None) -> Self:
        """Take what `build` was given. Raises ValueError on all but finite float32, ascending ids."""
        check_vectors(vectors_ND, "gallery")
        if ids_N is None:
            ids_N = np.arange(len(vectors_ND))
        check_ids(ids_N, len(vectors_ND))
        return cls(vectors_ND, ids_N)

    def __len__(self) -> int:
        return len(self.ids_N)

    @property
    def dim(self) -> int:
        """How many numbers a vector has."""
        return int(self.vectors_ND.shape[1])

    def with_more(self, vectors_MD: NDArray[np.float32], ids_M: NDArray[np.int64]) -> Self:
        """Give these rows and M more, which replace those with their ids. Raises ValueError on odd ones."""
        check_vectors(vectors_MD, "new")
        check_ids(ids_M, len(vectors_MD))
        check_dimensions(vectors_MD, self.dim, "new vectors")
        ids_N = np.union1d(self.ids_N, ids_M)
        vectors_ND = np.empty((len(ids_N), self.dim), dtype=np.float32)
        vectors_ND[np.searchsorted(ids_N, self.ids_N)] = self.vectors_ND
        vectors_ND[np.searchsorted(ids_N, ids_M)] = vectors_MD
        return type(self)(vectors_ND, ids_N)

    def without(self, ids_M: NDArray[np.int64]) -> Self:
        """Give the rows that are left. Raises ValueError where an id is not there."""
        check_ids(ids_M)
        gone_M = self.positions(ids_M)
        check_known(ids_M, self.ids_N[gone_M])
        kept_N = np.ones(len(self), dtype=bool)
        kept_N[gone_M] = False
        return type(self)(self.vectors_ND[kept_N], self.ids_N[kept_N])

    def positions(self, ids_M: NDArray[np.int64]) -> NDArray[np.int64]:
        """Say in which rows ascending ids are; those that are not there are left out."""
        if not len(self):
            return np.empty(0, dtype=np.int64)
        row_M = np.searchsorted(self.ids_N, ids_M)
        row_M[row_M == len(self)] = 0
        here_M: NDArray[np.int64] = row_M[self.ids_N[row_M] == ids_M]
        return here_M

    def digest(self) -> str:
        """Sha256 over all vectors and ids."""
        sha = hashlib.sha256(f"{self.vectors_ND.shape}\n".encode())
        sha.update(np.ascontiguousarray(self.ids_N).data)
        sha.update(np.ascontiguousarray(self.vectors_ND).data)
        return sha.hexdigest()


def check_vectors(vectors_ND: NDArray[np.float32], what: str) -> None:
    """Raise ValueError on anything but finite float32 rows of moderate size."""
    if vectors_ND.ndim != 2 or vectors_ND.dtype != np.float32:
        raise ValueError(
            f"{what} vectors are {vectors_ND.dtype} {vectors_ND.shape}: give float32 [items, dimensions]"
        )
    if vectors_ND.max(initial=0) < LARGEST and vectors_ND.min(initial=0) > -LARGEST:  # neither holds of NaN
        return
    bad_N = ~(np.abs(vectors_ND) < LARGEST).all(axis=1)
    raise ValueError(
        f"{bad_N.sum()} of {bad_N.size} {what} vectors hold NaN, infinity or values over {LARGEST:g}, "
        f"the first in row {bad_N.argmax()}: the encoder has diverged; take another checkpoint"
    )


def check_ids(ids_M: NDArray[np.int64], count: int | None = None) -> None:
    """Raise ValueError unless these are int64 >= 0, ascending, unique, as many as there are vectors."""
    if ids_M.ndim != 1 or ids_M.dtype != np.int64:
        raise ValueError(f"ids are {ids_M.dtype} {ids_M.shape}: give int64 [items]")
    if count is not None and len(ids_M) != count:
        raise ValueError(f"{count} vectors with {len(ids_M)} ids: give one id for each vector")
    if ids_M.min(initial=0) < 0:
        raise ValueError(f"id {ids_M.min()} is below 0: give ids of 0 or more")
    wrong_M = ids_M[1:] <= ids_M[:-1]
    if wrong_M.any():
        row = wrong_M.argmax()
        raise ValueError(
            f"id {ids_M[row + 1]} follows id {ids_M[row]}: give ids in ascending order, each once"
        )


def check_known(ids_M: NDArray[np.int64], found_M: NDArray[np.int64]) -> None:
    """Raise ValueError where not all ascending ids were found."""
    if len(found_M) < len(ids_M):
        unknown_M = np.setdiff1d(ids_M, found_M, assume_unique=True)
        raise ValueError(
            f"{len(unknown_M)} of {len(ids_M)} ids are not in the index, the first {unknown_M[0]}: nothing "
            "is removed; give ids that are there"
        )


def check_query(queries_QD: NDArray[np.float32], k: int, where_M: NDArray[np.int64] | None, dim: int) -> None:
    """Raise ValueError for what no index can answer."""
    if k < 1:
        raise ValueError(f"k is {k}: ask for 1 hit or more")
    check_vectors(queries_QD, "query")
    check_dimensions(queries_QD, dim, "queries")
    if where_M is not None:
        check_ids(where_M)


def check_dimensions(vectors_MD: NDArray[np.float32], dim: int, what: str) -> None:
    """Raise ValueError for vectors of another encoder."""
    if vectors_MD.shape[1] != dim:
        raise ValueError(
            f"{what} have {vectors_MD.shape[1]} dimensions and the gallery {dim}: embed both with the same "
            "encoder"
        )


def not_built() -> ValueError:
    """Give the error of an index that holds nothing yet."""
    return ValueError("nothing in the index yet: call build(vectors) or load(folder, vectors, ids) first")
