"""What only the exact engine promises; the rest is in test_contract.py."""

import subprocess
import sys

import numpy as np
import pytest

from fashion_lab.indexes import exact


@pytest.mark.parametrize("pairs_at_once", [1, 700, 5000])
def test_chunks_change_nothing(monkeypatch, pairs_at_once):
    draw = np.random.default_rng(0)
    gallery, queries = (draw.normal(size=(n, 8)).astype(np.float32) for n in (600, 33))
    index = exact.ExactIndex()
    index.build(gallery)
    whole = index.search(queries, 7)
    monkeypatch.setattr(exact, "PAIRS_AT_ONCE", pairs_at_once)
    monkeypatch.setattr(exact, "ROWS_AT_ONCE", 3)
    parts = index.search(queries, 7)
    assert (parts.positions == whole.positions).all()
    assert (parts.distances == whole.distances).all()


def test_needs_no_torch():
    code = "import sys, fashion_lab.indexes.exact; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
