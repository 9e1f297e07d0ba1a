"""A collection on a Milvus that knows what it holds, and whether it is whole.

Each row is marked by a hash of its id and its vector as they were given; the marks add up to a digest of all
rows that follows every change. While a change is under way the collection is not whole, and stays so where
its process is killed.

Shape suffixes: N vectors, M vectors or ids more, Q queries, D embedding, W their width there, C candidates.
"""

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import blake2b
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from fashion_lab.contracts.index import Neighbours
from fashion_lab.indexes.measure import euclidean
from fashion_lab.indexes.milvus_server import MilvusServer
from fashion_lab.indexes.rows import Rows, check_dimensions, check_known

FORMAT = 1
NARROWEST = 2  # dimensions that a Milvus accepts
MODULUS = 2**64


@dataclass(frozen=True)
class Facts:
    """What a collection holds.

    Attributes:
        whole: no change is under way, or was when its process was killed.
        count: how many vectors.
        digest: sum of their marks, modulo 2^64.
        dim: numbers that a vector has.
        mean: base64 of the float32 mean that the vectors there are centred by.
        index: type and parameters of the server's index.
    """

    whole: bool
    count: int
    digest: int
    dim: int
    mean: str
    index: Mapping[str, Any]
    format: int = FORMAT

    @classmethod
    def read(cls, note: str) -> Self | None:
        """Undo `note`; None where that is not ours, or of another format."""
        try:
            facts = cls(**json.loads(note))
        except (TypeError, ValueError):
            return None
        return facts if facts.format == FORMAT else None

    def note(self) -> str:
        """Give all as JSON."""
        return json.dumps(asdict(self))

    @property
    def contents(self) -> tuple[int, int, int] | None:
        """What tells its rows from others; None while it is not whole."""
        return (self.count, self.digest, self.dim) if self.whole else None

    @property
    def mean_D(self) -> NDArray[np.float32]:
        """The mean as numbers."""
        return np.frombuffer(base64.b64decode(self.mean), dtype=np.float32)


class Collection:
    """One collection, named `<name>_<12 hex>` on the server; rows travel `batch` at a time."""

    def __init__(self, server: MilvusServer, own: str, facts: Facts, batch: int) -> None:
        self.server, self.own, self.facts, self.batch = server, own, facts, batch

    @classmethod
    def create(
        cls, server: MilvusServer, name: str, rows: Rows, index: Mapping[str, Any], batch: int
    ) -> Self:
        """Write rows into a new collection."""
        mean_D = rows.vectors_ND.mean(axis=0, dtype=np.float64) if len(rows) else np.zeros(rows.dim)
        mean = base64.b64encode(mean_D.astype(np.float32).tobytes()).decode()
        facts = Facts(whole=False, count=0, digest=0, dim=rows.dim, mean=mean, index=index)
        own = server.create(name, max(rows.dim, NARROWEST), index, facts.note())
        collection = cls(server, own, facts, batch)
        collection._write(rows)
        return collection

    @classmethod
    def find(
        cls, server: MilvusServer, name: str, rows: Rows, index: Mapping[str, Any], batch: int
    ) -> Self | None:
        """Look for a whole collection of this name, with this index, that holds exactly these rows."""
        wanted = contents(rows)
        for own in server.collections(name):
            facts = Facts.read(server.read_note(own))
            if facts is None or facts.contents != wanted or facts.index != index:
                continue
            if server.count(own) == len(rows):
                server.open(own)
                return cls(server, own, facts, batch)
        return None

    def add(self, rows: Rows) -> None:
        """Write rows, which replace those with their ids."""
        check_dimensions(rows.vectors_ND, self.facts.dim, "new vectors")
        self._write(rows)

    def remove(self, ids_M: NDArray[np.int64]) -> None:
        """Delete rows. Raises ValueError where an id is not there."""
        old = self._marks_of(ids_M)
        check_known(ids_M, np.array(sorted(old), dtype=np.int64))
        self._tell(whole=False)
        for start in range(0, len(ids_M), self.batch):
            self.server.delete(self.own, ids_M[start : start + self.batch].tolist())
        self._done(-len(old), -sum(old.values()))

    def drop_others(self, name: str, kept: Sequence[Rows]) -> None:
        """Drop the other collections of this name, but for those that hold exactly such rows."""
        needed = [contents(rows) for rows in kept]
        for other in self.server.collections(name):
            facts = Facts.read(self.server.read_note(other))
            if other != self.own and (facts is None or facts.contents not in needed):
                self.server.drop(other)

    def rows_of(self, ids_M: NDArray[np.int64]) -> Iterator[Rows]:
        """Fetch centred rows by their ids; those that are not there are left out."""
        for start in range(0, len(ids_M), self.batch):
            yield self.server.rows(self.own, ids_M[start : start + self.batch].tolist())

    def all_rows(self) -> Iterator[Rows]:
        """Fetch all centred rows."""
        return self.server.all_rows(self.own, self.batch)

    def propose(
        self, queries_QW: NDArray[np.float32], count: int, parameters: Mapping[str, Any]
    ) -> Neighbours:
        """Give the server's best [Q, C], measured in float64; infinite where it gives fewer."""
        ids_QC = np.full((len(queries_QW), count), -1, dtype=np.int64)
        distances_QC = np.full(ids_QC.shape, np.inf, dtype=np.float32)
        for query, rows in enumerate(self.server.search(self.own, queries_QW, count, parameters)):
            some = np.arange(len(rows))
            own_P = np.full(len(rows), query)
            ids_QC[query, some] = rows.ids_N
            distances_QC[query, some] = euclidean(queries_QW, own_P, rows.vectors_ND, some)
        return Neighbours(ids_QC, distances_QC)

    def centred(self, vectors_MD: NDArray[np.float32]) -> NDArray[np.float32]:
        """Give vectors as they are there [M, W]."""
        centred_MW = np.zeros((len(vectors_MD), max(self.facts.dim, NARROWEST)), dtype=np.float32)
        np.subtract(vectors_MD, self.facts.mean_D, out=centred_MW[:, : self.facts.dim])
        return centred_MW

    def _write(self, rows: Rows) -> None:
        old = self._marks_of(rows.ids_N) if self.facts.count else {}
        self._tell(whole=False)
        total = 0
        for start in range(0, len(rows), self.batch):
            some = slice(start, start + self.batch)
            part = Rows(rows.vectors_ND[some], rows.ids_N[some])
            new = marks(part)
            centred = Rows(self.centred(part.vectors_ND), part.ids_N)
            self.server.write(self.own, centred, new, replacing=bool(old))
            total += sum(new)
        self._done(len(rows) - len(old), total - sum(old.values()))

    def _marks_of(self, ids_M: NDArray[np.int64]) -> dict[int, int]:
        found: dict[int, int] = {}
        for start in range(0, len(ids_M), self.batch):
            found |= self.server.marks(self.own, ids_M[start : start + self.batch].tolist())
        return found

    def _done(self, more: int, digest: int) -> None:
        self.server.flush(self.own)
        self._tell(whole=True, count=self.facts.count + more, digest=(self.facts.digest + digest) % MODULUS)

    def _tell(self, **changes: Any) -> None:
        facts = replace(self.facts, **changes)
        self.server.write_note(self.own, facts.note())
        self.facts = facts


def contents(rows: Rows) -> tuple[int, int, int]:
    """Give what tells these rows from others, as the facts of a collection say it."""
    return len(rows), sum(marks(rows)) % MODULUS, rows.dim


def marks(rows: Rows) -> list[int]:
    """Hash each id with its vector into an int64."""
    return [
        int.from_bytes(blake2b(key + vector, digest_size=8).digest(), "little", signed=True)
        for key, vector in zip(map(bytes, rows.ids_N[:, None]), map(bytes, rows.vectors_ND), strict=True)
    ]
