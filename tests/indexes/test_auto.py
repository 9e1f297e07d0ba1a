"""Which engine `auto` takes, and when it changes its mind."""

import importlib.util
import logging

import numpy as np
import pytest
from galleries_of_vectors import check, clustered

from fashion_lab.indexes.auto import AutoIndex

FEW = {"smallest": 256}


def test_small_is_exact_and_large_is_faiss():
    pytest.importorskip("faiss", reason="engine=faiss needs the extra faiss")
    index = AutoIndex(most=500 * 8, faiss=FEW)
    assert index.name == "auto"
    index.build(clustered(500, 8))
    assert (index.name, index.exact) == ("exact", True)
    index.build(clustered(501, 8))
    assert (index.name, index.exact) == ("faiss", False)
    index.build(clustered(500, 9))
    assert index.name == "faiss"


def test_it_changes_as_the_gallery_does():
    pytest.importorskip("faiss", reason="engine=faiss needs the extra faiss")
    gallery = clustered(600, 8)
    index = AutoIndex(most=500 * 8, faiss=FEW)
    index.build(gallery[:500])
    index.add(gallery[500:], np.arange(500, 600))
    assert (index.name, index.exact) == ("faiss", False)
    check(index, gallery, gallery[:9], 5)
    index.remove(np.arange(300, 600))
    assert (index.name, index.exact) == ("exact", True)
    check(index, gallery[:300], gallery[:9], 5)


def test_without_faiss_it_is_exact_and_says_so(monkeypatch, caplog):
    found = importlib.util.find_spec
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name, *rest: None if name == "faiss" else found(name, *rest)
    )
    index = AutoIndex(most=0)
    with caplog.at_level(logging.WARNING):
        index.build(clustered(500, 8))
    assert index.name == "exact"
    assert "pip install 'fashion_lab[faiss]'" in caplog.text


def test_a_negative_size():
    with pytest.raises(ValueError, match="most=-1"):
        AutoIndex(most=-1)
