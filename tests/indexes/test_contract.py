"""What every engine in conf/engine must do. A new engine is in this suite as soon as its YAML is there."""

import importlib
from pathlib import Path

import numpy as np
import pytest
from omegaconf import OmegaConf

from fashion_lab.contracts.index import Index

ENGINES = sorted((Path(__file__).parents[2] / "conf" / "engine").glob("*.yaml"))


@pytest.fixture(params=ENGINES, ids=lambda path: path.stem)
def index(request) -> Index:
    options = OmegaConf.to_container(OmegaConf.load(request.param))
    module, name = options.pop("_target_").rsplit(".", 1)
    return getattr(importlib.import_module(module), name)(**options)


def draw(n, d=16, seed=0, spread=1.0):
    return (np.random.default_rng(seed).normal(size=(n, d)) * spread).astype(np.float32)


def loop(queries, gallery, k):
    """Positions and distances by a float64 loop, ties by position."""
    order, distances = [], []
    for query in queries.astype(np.float64):
        row = np.sqrt(((gallery.astype(np.float64) - query) ** 2).sum(axis=1))
        order.append(np.argsort(row, kind="stable")[:k])
        distances.append(row[order[-1]])
    return np.array(order), np.array(distances)


def test_engines_are_found():
    assert ENGINES


@pytest.mark.parametrize(("n", "d", "k"), [(1, 1, 1), (7, 3, 7), (500, 16, 10), (3000, 64, 5)])
def test_finds_what_the_loop_finds(index, n, d, k):
    gallery, queries = draw(n, d), draw(20, d, seed=1)
    index.build(gallery)
    found = index.search(queries, k)
    positions, distances = loop(queries, gallery, k)
    assert found.ids.tolist() == positions.tolist()
    np.testing.assert_allclose(found.distances, distances, rtol=1e-6)
    assert (found.ids.dtype, found.distances.dtype) == (np.int64, np.float32)


@pytest.mark.parametrize("offset", [100, 1000, -1000])
def test_a_common_offset_changes_nothing(index, offset):
    grid = 1 / 1024  # so that float32 holds the sum exactly
    gallery, queries = np.round(draw(2000, 64) / grid) * grid, np.round(draw(50, 64, seed=1) / grid) * grid
    index.build((gallery + offset).astype(np.float32))
    found = index.search((queries + offset).astype(np.float32), 10)
    positions, distances = loop(queries, gallery, 10)
    assert found.ids.tolist() == positions.tolist()
    np.testing.assert_allclose(found.distances, distances, rtol=1e-6)


def test_ties_go_by_position(index):
    gallery = np.repeat(draw(6, 4), 50, axis=0)[np.random.default_rng(0).permutation(300)]
    index.build(gallery)
    for k in (1, 49, 51, 300):
        assert index.search(gallery[:9], k).ids.tolist() == loop(gallery[:9], gallery, k)[0].tolist()


def test_all_equal_rank_by_position(index):
    index.build(np.full((500, 8), 3.3, dtype=np.float32))
    found = index.search(np.full((2, 8), 3.3, dtype=np.float32), 4)
    assert found.ids.tolist() == [[0, 1, 2, 3]] * 2
    assert (found.distances == 0).all()


@pytest.mark.parametrize("spread", [1e-6, 1e6])
def test_scale_and_outliers(index, spread):
    gallery = draw(800, 8, spread=spread)
    gallery[123] *= 1e4
    index.build(gallery)
    queries = draw(20, 8, seed=2, spread=spread)
    assert index.search(queries, 5).ids.tolist() == loop(queries, gallery, 5)[0].tolist()


def test_near_duplicates_keep_their_order(index):
    base = draw(40, 32)
    steps = np.arange(20, dtype=np.float32)[None, :, None] * 1e-5
    gallery = (base[:, None] + steps).reshape(-1, 32)
    index.build(gallery)
    found = index.search(base, 20)
    np.testing.assert_allclose(found.distances, loop(base, gallery, 20)[1], rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("n", [0, 1, 4])
@pytest.mark.parametrize("k", [1, 5, 10**9])
def test_k_beyond_the_gallery_gives_all_of_it(index, n, k):
    index.build(draw(n, 3))
    found = index.search(draw(2, 3, seed=1), k)
    assert found.ids.shape == found.distances.shape == (2, min(n, k))


def test_no_queries(index):
    index.build(draw(5, 3))
    assert index.search(draw(0, 3), 2).ids.shape == (0, 2)


def test_a_second_build_replaces_the_first(index):
    index.build(draw(50, 3))
    index.build(draw(4, 5, seed=1))
    assert index.search(draw(1, 5), 10).ids.shape == (1, 4)


@pytest.mark.parametrize("k", [0, -1])
def test_k_below_one_is_refused(index, k):
    index.build(draw(5, 3))
    with pytest.raises(ValueError, match="k is"):
        index.search(draw(1, 3), k)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_has_no_distance_is_refused(index, value):
    vectors = draw(9, 3)
    vectors[4, 1] = value
    with pytest.raises(ValueError, match="row 4"):
        index.build(vectors)
    index.build(draw(9, 3))
    with pytest.raises(ValueError, match="row 4"):
        index.search(vectors, 2)


def test_other_shapes_are_refused(index):
    with pytest.raises(ValueError, match="float32"):
        index.build(draw(5, 3).astype(np.float64))
    with pytest.raises(ValueError, match="build"):
        index.search(draw(1, 3), 1)
    index.build(draw(5, 3))
    with pytest.raises(ValueError, match="4 dimensions"):
        index.search(draw(1, 4), 1)
    with pytest.raises(ValueError, match="float32"):
        index.search(draw(1, 3)[0], 1)
