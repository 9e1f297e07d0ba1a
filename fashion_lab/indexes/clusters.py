"""What training an inverted file found out, as plain arrays, and the file that keeps it.

The file is a cache of our own: a digest ties it to the vectors, ids and options that it was made for, and
another one to its own bytes. It holds numbers, no code and no format of faiss: a `.faiss` file, ours or a
stranger's, is neither written nor read.

Shape suffixes: N vectors, D embedding, L lists, W = D filled up to whole pieces, S numbers of the codebooks.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from fashion_lab.folders import flush

FORMAT = "fashion_lab.clusters.1"
PIECE, CODES = 4, 256  # numbers that share a byte, and the values of a byte
HEADER = 2**16  # bytes, with room: five names, their shapes, the facts

Facts: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True)
class Clusters:
    """Centres of lists, and in which list each vector is.

    Attributes:
        mean_D: what vectors and queries are centred by.
        centres_LW: float32 centres of the lists, of centred vectors.
        codebooks_S: float32, CODES * PIECE values for each byte; empty where vectors are kept whole.
        lists_N: int32 the list of each vector, in the order of the ids.
        trained_on: how many vectors there were.
    """

    mean_D: NDArray[np.float32]
    centres_LW: NDArray[np.float32]
    codebooks_S: NDArray[np.float32]
    lists_N: NDArray[np.int32]
    trained_on: int

    def save(self, path: Path, facts: Facts) -> None:
        """Write the file; `facts` say what it is for."""
        arrays = self._arrays()
        told = json.dumps({"format": FORMAT, **facts}, sort_keys=True)
        save_file(arrays, path, metadata={"for": told, "seal": _seal(told, arrays)})
        flush(path)

    @classmethod
    def load(cls, path: Path, facts: Facts, shape: tuple[int, int]) -> "Clusters":
        """Read what `save` wrote for the same facts and vectors of this shape [N, D].

        Raises:
            OSError: no such file.
            ValueError: it was made for something else, or it is damaged.
        """
        if path.stat().st_size > _most_bytes(*shape):
            raise ValueError("it is larger than it can be")
        told = json.dumps({"format": FORMAT, **facts}, sort_keys=True)
        try:
            with safe_open(path, framework="numpy") as file:
                metadata = file.metadata() or {}
                if metadata.get("for") != told:
                    raise ValueError("it was made for other vectors or options")
                arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, not a dict
        except SafetensorError as error:
            raise ValueError(str(error)) from error
        if metadata.get("seal") != _seal(told, arrays):
            raise ValueError("it has changed since it was written")
        return cls._checked(arrays, shape)

    def _arrays(self) -> dict[str, NDArray[Any]]:
        return {
            "mean": self.mean_D,
            "centres": self.centres_LW,
            "codebooks": self.codebooks_S,
            "lists": self.lists_N,
            "trained_on": np.array([self.trained_on], dtype=np.int64),
        }

    @classmethod
    def _checked(cls, arrays: Mapping[str, NDArray[Any]], shape: tuple[int, int]) -> "Clusters":
        """Take arrays whose seal holds, unless faiss would read past their ends."""
        try:
            mean_D, centres_LW, codebooks_S = arrays["mean"], arrays["centres"], arrays["codebooks"]
            lists_N, trained_on = arrays["lists"], int(arrays["trained_on"][0])
        except (KeyError, IndexError, ValueError) as error:
            raise ValueError(f"it lacks {error}") from error
        width = padded(shape[1]) if codebooks_S.size else shape[1]
        fits = (
            mean_D.shape == (shape[1],)
            and centres_LW.ndim == 2
            and centres_LW.shape[1] == width
            and codebooks_S.size in (0, width * CODES)
            and lists_N.shape == (shape[0],)
            and lists_N.dtype == np.int32
            and 0 <= lists_N.min(initial=0) <= lists_N.max(initial=0) < len(centres_LW)
        )
        floats = (mean_D, centres_LW, codebooks_S)
        if not fits or any(array.dtype != np.float32 or not np.isfinite(array).all() for array in floats):
            raise ValueError("its arrays do not fit the vectors")
        return cls(mean_D, centres_LW, codebooks_S, lists_N, trained_on)


def padded(dim: int) -> int:
    """Fill dimensions up to whole pieces."""
    return dim + -dim % PIECE


def _most_bytes(count: int, dim: int) -> int:
    """Say how large a file can be: as many lists as vectors, and codebooks."""
    return 4 * (count * (1 + padded(dim)) + dim + padded(dim) * CODES) + HEADER


def _seal(told: str, arrays: Mapping[str, NDArray[Any]]) -> str:
    sha = hashlib.sha256(told.encode())
    for name in sorted(arrays):
        sha.update(f"{name} {arrays[name].dtype} {arrays[name].shape}\n".encode())
        sha.update(np.ascontiguousarray(arrays[name]).data)
    return sha.hexdigest()
