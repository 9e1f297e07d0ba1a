"""How fast exact search is, and whether another library finds the same.

Both sides use as many threads as the machine has cores, or as OMP_NUM_THREADS says: the default of NumPy's
BLAS and of faiss alike. Shape suffixes: Q queries, N gallery, D embedding, K hits, P places (query, hit).
"""

import importlib
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from fashion_lab.benchmarks.rows import Part, Row
from fashion_lab.benchmarks.timing import in_turns
from fashion_lab.indexes.exact import ExactIndex

Vectors: TypeAlias = NDArray[np.float32]
Find: TypeAlias = Callable[[Vectors], NDArray[np.int64]]

AT_LEAST = 1 / 1.3  # our time over theirs at most 1.3: what people would use instead, and a third more
LONG = 5e8  # pairs of a batch, from which it is timed once: seconds
SCANNED = 2e7  # rows read by the single queries of one timing: tens of milliseconds
RELATIVE = 1e-5  # of |x|^2 + |y|^2: what float32 may do to a squared distance; 3e-7 was seen


class ExactSearch(Part):
    """Exact search in NumPy, against faiss's IndexFlatL2; both find the same.

    Args:
        rounds: timings of each row; a batch that takes seconds is timed once.
        sizes: numbers of vectors, clustered, drawn from `seed`.
        dims: numbers a vector has.
        k: hits.
        queries: of a batch.
    """

    def __init__(
        self, rounds: int, sizes: Sequence[int], dims: Sequence[int], k: int, queries: int, seed: int
    ) -> None:
        self.rounds, self.sizes, self.dims = rounds, sizes, dims
        self.k, self.queries, self.seed = k, queries, seed

    def rows(self) -> Iterator[Row]:
        """Give two rows for each size and dimension: a query alone, and a batch."""
        for size in self.sizes:
            for dim in self.dims:
                yield from self._compare(*clustered(size, dim, self.queries, self.seed))

    def _compare(self, gallery_ND: Vectors, queries_QD: Vectors) -> Iterator[Row]:
        size, dim = gallery_ND.shape
        name, theirs = flat_faiss(gallery_ND, self.k)
        ways = {"ours": exact(gallery_ND, self.k)} | ({} if theirs is None else {"theirs": theirs})
        singles = int(np.clip(SCANNED // size, 1, len(queries_QD)))
        what = f"{size:,} x {dim}"
        times = self._time(ways, np.split(queries_QD[:singles], singles), gallery_ND, self.rounds)
        yield _row(f"{what}, one query", times, name, singles)
        rounds = 1 if size * len(queries_QD) >= LONG else self.rounds
        times = self._time(ways, [queries_QD], gallery_ND, rounds)
        yield _row(f"{what}, {len(queries_QD):,} queries at once", times, name, 1)

    def _time(
        self, ways: Mapping[str, Find], batches: Sequence[Vectors], gallery_ND: Vectors, rounds: int
    ) -> dict[str, float]:
        found: dict[str, NDArray[np.int64]] = {}

        def search(name: str) -> None:
            found[name] = np.concatenate([ways[name](batch_QD) for batch_QD in batches])

        times = in_turns({name: lambda name=name: search(name) for name in ways}, rounds=rounds)  # type: ignore[misc]
        if "theirs" in found:
            check_same(np.concatenate(batches), gallery_ND, found["ours"], found["theirs"])
        return times


def _row(what: str, times: Mapping[str, float], than: str, searches: int) -> Row:
    ours, theirs = (1000 * times[name] / searches if name in times else None for name in ("ours", "theirs"))
    assert ours is not None
    aim = None if theirs is None else AT_LEAST
    return Row(what=what, ours=ours, theirs=theirs, unit="ms", than=than, at_least=aim)


def clustered(size: int, dim: int, queries: int, seed: int) -> tuple[Vectors, Vectors]:
    """Draw a gallery [size, dim] in clusters of about 100, and queries from the same clusters."""
    draw = np.random.default_rng(seed)
    centres = draw.standard_normal((max(1, size // 100), dim), dtype=np.float32)

    def around(count: int) -> Vectors:
        vectors_ND = draw.standard_normal((count, dim), dtype=np.float32)
        vectors_ND *= np.float32(0.3)
        for part_BD in np.array_split(vectors_ND, -(-count // 2**16)):
            part_BD += centres[draw.integers(len(centres), size=len(part_BD))]
        return vectors_ND

    return around(size), around(queries)


def exact(gallery_ND: Vectors, k: int) -> Find:
    """Our search."""
    index = ExactIndex()
    index.build(gallery_ND)
    return lambda queries_QD: index.search(queries_QD, k).ids


def flat_faiss(gallery_ND: Vectors, k: int) -> tuple[str, Find | None]:
    """Give faiss's name and search; None where it is not installed, and why."""
    logging.getLogger("faiss").setLevel(logging.WARNING)  # else it tells each build of it that is not there
    try:
        faiss = importlib.import_module("faiss")
    except ImportError:
        return "faiss is not installed: the extra `faiss` brings it", None
    index = faiss.IndexFlatL2(gallery_ND.shape[1])
    index.add(gallery_ND)
    return f"faiss {faiss.__version__} IndexFlatL2", lambda queries_QD: index.search(queries_QD, k)[1]


def check_same(
    queries_QD: Vectors, gallery_ND: Vectors, ours_QK: NDArray[np.int64], theirs_QK: NDArray[np.int64]
) -> None:
    """Raise RuntimeError unless both found the same rows, or rows as near as rounding can tell, in order."""
    query_P, hit_P = np.nonzero(ours_QK != theirs_QK)
    x_PD = queries_QD[query_P].astype(np.float64)
    squares = []
    for found_QK in (ours_QK, theirs_QK):
        y_PD = gallery_ND[found_QK[query_P, hit_P]]
        squares.append(((x_PD - y_PD) ** 2).sum(axis=1))
    reach_P = (x_PD**2).sum(axis=1) + (y_PD.astype(np.float64) ** 2).sum(axis=1)
    apart_P = np.abs(squares[0] - squares[1]) > RELATIVE * reach_P
    if apart_P.any():
        worst = apart_P.argmax()
        query, hit = query_P[worst], hit_P[worst]
        raise RuntimeError(
            f"{apart_P.sum()} of {ours_QK.size} hits differ; query {query}, hit {hit}: we found row "
            f"{ours_QK[query, hit]} at {squares[0][worst] ** 0.5:.7g}, they found {theirs_QK[query, hit]} at "
            f"{squares[1][worst] ** 0.5:.7g}"
        )
