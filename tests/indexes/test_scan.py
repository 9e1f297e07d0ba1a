"""Galleries of several blocks and groups, made small: what the exact engine finds stays what a loop finds."""

import numpy as np
import pytest

from fashion_lab.indexes import exact, measure, scan
from fashion_lab.indexes.scan import upper_bounds

DRAW = np.random.default_rng(0)


def draw(*shape):
    return DRAW.normal(size=shape).astype(np.float32)


def loop(queries, gallery, k):
    """Positions by distances in float64, as float32 holds them, ties by position."""
    offsets = gallery.astype(np.float64)[None] - queries[:, None]
    distances = np.sqrt((offsets**2).sum(axis=2)).astype(np.float32)
    order = np.argsort(distances, axis=1, kind="stable")[:, :k]
    return order, np.take_along_axis(distances, order, axis=1)


def check(gallery, queries, k):
    index = exact.ExactIndex()
    index.build(gallery)
    found, (positions, distances) = index.search(queries, k), loop(queries, gallery, k)
    assert found.ids.tolist() == positions.tolist()
    np.testing.assert_allclose(found.distances, distances, rtol=1e-6)


@pytest.fixture(params=[16, 40, 64, 1000])
def block(request, monkeypatch):
    monkeypatch.setattr(scan, "ROWS_OF_BLOCK", request.param)
    return request.param


@pytest.mark.parametrize("size", [15, 16, 17, 79, 80, 81, 600])
@pytest.mark.parametrize("k", [1, 3, 15])
def test_any_size_and_block(block, size, k):
    check(draw(size, 8), draw(9, 8), k)


@pytest.mark.parametrize("k", [17, 75, 90, 599, 600, 5000])
def test_more_hits_than_groups_or_blocks_have(block, k):
    check(draw(600, 8), draw(5, 8), k)


@pytest.mark.parametrize("beyond", [-1, 0, 1, 13])
def test_around_two_blocks_as_they_are(beyond):
    check(draw(2 * scan.ROWS_OF_BLOCK + beyond, 6), draw(4, 6), 10)


def test_copies_across_blocks_rank_by_position(block):
    gallery = np.tile(draw(30, 4), (20, 1))
    for k in (1, 19, 20, 21, 200):
        check(gallery, gallery[:5], k)


def test_all_equal(block):
    gallery = np.full((700, 4), 2.7, dtype=np.float32)
    check(gallery, gallery[:3], 12)


@pytest.mark.parametrize("offset", [1000, -1000])
def test_a_common_offset(block, offset):
    grid = 1 / 1024  # so that float32 holds the sum exactly
    gallery, queries = (np.round(draw(n, 16) / grid) * grid + offset for n in (900, 20))
    check(gallery.astype(np.float32), queries.astype(np.float32), 10)


def test_nearest_rows_side_by_side(block):
    """As where a gallery is sorted by class: all hits in one group, or one block."""
    centres = draw(20, 8) * 10
    check(np.repeat(centres, 45, axis=0) + draw(900, 8), centres, 10)


@pytest.mark.parametrize("name", ["QUERIES_AT_ONCE", "PAIRS_SCANNED", "PAIRS_LISTED"])
@pytest.mark.parametrize("amount", [1, 700, 5000])
def test_chunks_change_nothing(block, monkeypatch, name, amount):
    monkeypatch.setattr(scan, name, amount)
    monkeypatch.setattr(measure, "PAIRS_MEASURED", 3)
    check(draw(600, 8), draw(33, 8), 7)


def test_bounds_hold_and_are_close():
    scores = draw(50, 1003)
    for k, most in ((1, 1), (10, 13), (15, 20), (16, 16), (1003, 1003)):
        within = (scores <= upper_bounds(scores, k)[:, None]).sum(axis=1)
        assert (within >= k).all()
        assert np.median(within) <= most
    assert np.isinf(upper_bounds(scores, 1004)).all()
