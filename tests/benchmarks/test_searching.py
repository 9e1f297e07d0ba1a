"""The part `search` of the benchmarks, tiny."""

import sys

import numpy as np
import pytest

from fashion_lab.benchmarks import searching
from fashion_lab.benchmarks.searching import ExactSearch, check_same, clustered, exact, flat_faiss
from fashion_lab.config import build, compose

TINY = {"rounds": 1, "sizes": [30, 200], "dims": [4], "k": 3, "queries": 7, "seed": 0}


def test_against_faiss():
    pytest.importorskip("faiss")
    rows = list(ExactSearch(**TINY).rows())
    assert [row.what for row in rows] == [
        "30 x 4, one query",
        "30 x 4, 7 queries at once",
        "200 x 4, one query",
        "200 x 4, 7 queries at once",
    ]
    assert all(row.ratio > 0 and row.is_met is not None and "IndexFlatL2" in row.than for row in rows)


def test_without_faiss(monkeypatch):
    monkeypatch.setitem(sys.modules, "faiss", None)
    rows = list(ExactSearch(**TINY).rows())
    assert len(rows) == 4
    assert all(row.ours > 0 and row.theirs is None and row.is_met is None for row in rows)
    assert "not installed" in rows[0].than


def test_other_hits_stop_the_benchmark(monkeypatch):
    wrong = lambda gallery, k: ("wrong", lambda queries: np.zeros((len(queries), k), dtype=np.int64))  # noqa: E731
    monkeypatch.setattr(searching, "flat_faiss", wrong)
    with pytest.raises(RuntimeError, match="hits differ"):
        list(ExactSearch(**TINY).rows())


def test_equally_near_hits_are_the_same():
    gallery = np.array([[0, 0], [3, 4], [4, 3], [9, 9]], dtype=np.float32)
    query = np.zeros((1, 2), dtype=np.float32)
    check_same(query, gallery, np.array([[0, 1, 2]]), np.array([[0, 2, 1]]))
    with pytest.raises(RuntimeError, match="query 0, hit 2: we found row 2 at 5, they found 3 at 12"):
        check_same(query, gallery, np.array([[0, 1, 2]]), np.array([[0, 1, 3]]))


def test_both_find_the_same_in_clusters():
    pytest.importorskip("faiss")
    gallery, queries = clustered(17000, 16, 40, seed=1)  # two blocks
    assert (gallery.shape, queries.shape, gallery.dtype) == ((17000, 16), (40, 16), np.float32)
    check_same(queries, gallery, exact(gallery, 10)(queries), flat_faiss(gallery, 10)[1](queries))


def test_its_config_builds():
    assert isinstance(build(compose("bench").search), ExactSearch)
