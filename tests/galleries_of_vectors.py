"""Vectors to search in tests, and what a loop in float64 finds in them."""

import numpy as np


def draw(n, d=16, seed=0, spread=1.0):
    """Independent normal numbers."""
    return (np.random.default_rng(seed).normal(size=(n, d)) * spread).astype(np.float32)


def clustered(n, d=16, seed=0, size=50):
    """Clusters of about `size`, as embeddings are; the same centres for every n and seed."""
    centres = np.random.default_rng(99).normal(size=(200, d))[: max(1, min(200, n // size))]
    rng = np.random.default_rng(seed)
    return (centres[rng.integers(len(centres), size=n)] + 0.1 * rng.normal(size=(n, d))).astype(np.float32)


def some_ids(n, seed=0):
    """Ascending ids with gaps."""
    return np.cumsum(np.random.default_rng(seed).integers(1, 9, size=n))


def loop(queries, gallery, k, ids=None):
    """Ids and distances by a float64 loop, ties by id."""
    ids = np.arange(len(gallery)) if ids is None else ids
    order, distances = [], []
    for query in queries.astype(np.float64):
        row = np.sqrt(((gallery.astype(np.float64) - query) ** 2).sum(axis=1))
        nearest = np.argsort(row, kind="stable")[:k]
        order.append(ids[nearest])
        distances.append(row[nearest])
    shape = (len(queries), min(k, len(gallery)))
    return np.array(order, dtype=np.int64).reshape(shape), np.array(distances).reshape(shape)


def check(index, gallery, queries, k, ids=None, *, where=None, floor=0.99):
    """What every answer must be: k hits, nearest first, ties by id, distances true.

    And complete: exactly what the loop finds where the engine promises that, or was told where to look;
    else a share of it that is at least `floor`, counted by distance.
    """
    ids = np.arange(len(gallery)) if ids is None else ids
    found = index.search(queries, k) if where is None else index.search(queries, k, where)
    inside = slice(None) if where is None else np.isin(ids, where)
    right_ids, right = loop(queries, gallery[inside], k, ids[inside])
    assert (found.ids.dtype, found.distances.dtype) == (np.int64, np.float32)
    assert found.ids.shape == found.distances.shape == right_ids.shape
    assert np.isin(found.ids, ids[inside]).all()
    close = {"rtol": 1e-5, "atol": 1e-6 * float(np.abs(gallery).max(initial=0))}
    rows = gallery[np.searchsorted(ids, found.ids)].astype(np.float64)
    true = np.sqrt(((rows - queries[:, None]) ** 2).sum(axis=2))
    np.testing.assert_allclose(found.distances, true, **close)
    step, tie = np.diff(found.distances, axis=1), np.diff(found.ids, axis=1)
    assert ((step > 0) | ((step == 0) & (tie > 0))).all()
    if index.exact or where is not None:
        np.testing.assert_allclose(found.distances, right, **close)
        rounded = 0 if index.name in ("exact", "faiss") else 0.01  # a Milvus holds centred vectors
        assert (found.ids != right_ids).sum() <= rounded * right_ids.size
    elif right.size:
        limit = right[:, -1:] * (1 + close["rtol"]) + close["atol"]
        assert (found.distances <= limit).mean() >= floor
