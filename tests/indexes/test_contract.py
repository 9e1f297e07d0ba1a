"""What every engine in conf/engine must do. A new engine is in this suite as soon as its YAML is there."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from engine_cases import YAMLS, cases
from galleries_of_vectors import check, clustered, draw, loop, some_ids


def test_every_engine_is_tried():
    assert {"auto", "exact", "faiss", "milvus"} <= set(YAMLS)
    assert {case.values[0][0] for case in cases()} == set(YAMLS)


@pytest.mark.parametrize(("n", "d", "k"), [(1, 1, 1), (7, 3, 7), (500, 16, 10), (3000, 64, 5)])
def test_finds_what_the_loop_finds(index, n, d, k):
    gallery = clustered(n, d)
    index.build(gallery)
    assert len(index) == n
    check(index, gallery, clustered(20, d, seed=1), k)


def test_one_query_is_answered_as_in_a_batch(index):
    gallery, queries = clustered(1000), clustered(5, seed=1)
    index.build(gallery)
    together = index.search(queries, 10)
    for query, row in enumerate(together.ids):
        alone = index.search(queries[query : query + 1], 10)
        assert alone.ids.tolist() == [row.tolist()]


@pytest.mark.parametrize("offset", [100, 1000, -1000])
def test_a_common_offset_changes_nothing(index, offset):
    grid = 1 / 1024  # so that float32 holds the sum exactly
    gallery, queries = (np.round(v / grid) * grid for v in (clustered(2000, 64), clustered(50, 64, seed=1)))
    index.build((gallery + offset).astype(np.float32))
    found = index.search((queries + offset).astype(np.float32), 10)
    ids, distances = loop(queries, gallery, 10)
    np.testing.assert_allclose(found.distances, distances, rtol=1e-4)
    assert (found.ids == ids).mean() > 0.99


def test_ids_are_those_given(index):
    gallery, ids = clustered(800), some_ids(800)
    index.build(gallery, ids)
    check(index, gallery, clustered(20, seed=1), 10, ids)


@pytest.mark.parametrize("k", [1, 49, 51, 300])
def test_ties_go_by_id(index, k):
    gallery = np.repeat(draw(6, 4), 50, axis=0)[np.random.default_rng(0).permutation(300)]
    ids = some_ids(300)
    index.build(gallery, ids)
    found = index.search(gallery[:9], k)
    right = loop(gallery[:9], gallery, k, ids)[0]
    assert found.ids[:, :50].tolist() == right[:, :50].tolist()  # the copies of the query
    check(index, gallery, gallery[:9], k, ids)


def test_more_copies_than_any_list_of_candidates(index):
    gallery = np.concatenate([np.tile(draw(1, 8), (400, 1)), draw(400, 8, seed=1)])
    index.build(gallery)
    assert index.search(gallery[:1], 3).ids.tolist() == [[0, 1, 2]]


def test_all_equal_rank_by_id(index):
    index.build(np.full((500, 8), 3.3, dtype=np.float32))
    found = index.search(np.full((2, 8), 3.3, dtype=np.float32), 4)
    assert found.ids.tolist() == [[0, 1, 2, 3]] * 2
    assert (found.distances == 0).all()


@pytest.mark.parametrize("spread", [1e-6, 1e6])
def test_scale_and_outliers(index, spread):
    gallery = clustered(800, 8) * np.float32(spread)
    gallery[123] *= 1e4
    index.build(gallery)
    queries = clustered(20, 8, seed=2) * np.float32(spread)
    found, (ids, _) = index.search(queries, 5), loop(queries, gallery, 5)
    assert (found.ids == ids).mean() > 0.99


def test_near_duplicates_keep_their_order(index):
    base = draw(40, 32)
    steps = np.arange(20, dtype=np.float32)[None, :, None] * 1e-5
    gallery = (base[:, None] + steps).reshape(-1, 32)
    index.build(gallery)
    found = index.search(base, 20)
    np.testing.assert_allclose(found.distances, loop(base, gallery, 20)[1], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("n", [0, 1, 4, 600])
@pytest.mark.parametrize("k", [1, 5, 599, 10**9])
def test_k_beyond_the_gallery_gives_all_of_it(index, n, k):
    gallery = clustered(n, 3)
    index.build(gallery)
    check(index, gallery, clustered(2, 3, seed=1), k, floor=0)


def test_no_queries(index):
    index.build(draw(5, 3))
    assert index.search(draw(0, 3), 2).ids.shape == (0, 2)


def test_a_second_build_replaces_the_first(index):
    index.build(draw(400, 3))
    index.build(draw(4, 5, seed=1))
    assert index.search(draw(1, 5), 10).ids.shape == (1, 4)
    assert len(index) == 4


def test_several_threads_search_at_once(index):
    gallery, queries = clustered(1000), clustered(64, seed=1)
    index.build(gallery)
    right = index.search(queries, 10).ids
    with ThreadPoolExecutor(4) as threads:
        found = threads.map(lambda some: index.search(some, 10).ids, np.split(queries, 16))
    assert np.concatenate(list(found)).tolist() == right.tolist()


class TestFilters:
    """What may be found is searched exactly, by every engine."""

    @pytest.mark.parametrize("many", [1, 34, 300, 1500])
    def test_an_unrelated_filter_loses_nothing(self, index, many):
        gallery, ids = clustered(1500), some_ids(1500)
        index.build(gallery, ids)
        where = np.sort(np.random.default_rng(5).choice(ids, many, replace=False))
        check(index, gallery, clustered(20, seed=1), 10, ids, where=where)

    def test_another_cluster_than_the_query(self, index):
        gallery = clustered(1000)
        index.build(gallery)
        far = np.argsort(((gallery - gallery[0]) ** 2).sum(axis=1))[-34:]
        check(index, gallery, gallery[:1], 10, where=np.sort(far))

    def test_ids_that_are_not_there_are_not_found(self, index):
        gallery, ids = clustered(600), some_ids(600)
        index.build(gallery, ids)
        where = np.arange(ids[20], ids[60])
        check(index, gallery, gallery[:3], 100, ids, where=where)
        gone = np.array([ids[-1] + 1, ids[-1] + 2])
        assert index.search(gallery[:3], 5, gone).ids.shape == (3, 0)
        assert index.search(gallery[:3], 5, gone[:0]).ids.shape == (3, 0)

    def test_ties_go_by_id(self, index):
        gallery = np.full((400, 4), 1.5, dtype=np.float32)
        index.build(gallery)
        where = np.arange(7, 400, 3)
        assert index.search(gallery[:1], 5, where).ids.tolist() == [[7, 10, 13, 16, 19]]

    @pytest.mark.parametrize("where", [[3, 2], [2, 2], [-1, 2]])
    def test_ids_in_disorder_are_refused(self, index, where):
        index.build(draw(9, 3))
        with pytest.raises(ValueError, match="id"):
            index.search(draw(1, 3), 2, np.array(where))


class TestChanges:
    """After add and remove an index answers as one that was built so."""

    def test_added_vectors_are_found(self, index):
        gallery, ids = clustered(900), some_ids(900)
        index.build(gallery[::2], ids[::2])
        index.add(gallery[1::2], ids[1::2])
        assert len(index) == 900
        check(index, gallery, clustered(20, seed=1), 10, ids)
        assert index.search(gallery[1:2], 1).ids.tolist() == [[ids[1]]]

    def test_removed_vectors_are_not(self, index):
        gallery, ids = clustered(900), some_ids(900)
        index.build(gallery, ids)
        index.remove(ids[::3])
        kept = np.setdiff1d(np.arange(900), np.arange(0, 900, 3))
        assert len(index) == 600
        check(index, gallery[kept], gallery[:30], 10, ids[kept])

    def test_an_added_id_that_is_there_is_replaced(self, index):
        gallery = clustered(700)
        index.build(gallery)
        changed = gallery.copy()
        changed[100:200] = clustered(100, seed=7)
        index.add(changed[100:200], np.arange(100, 200))
        assert len(index) == 700
        check(index, changed, changed[90:210], 5)

    def test_many_changes(self, index):
        rng = np.random.default_rng(0)
        gallery = dict(enumerate(clustered(500)))
        index.build(np.stack(list(gallery.values())))
        for turn in range(4):
            gone = np.sort(rng.choice(sorted(gallery), 60, replace=False))
            index.remove(gone)
            for number in gone.tolist():
                del gallery[number]
            new = np.sort(rng.choice(2000, 80, replace=False))
            vectors = clustered(80, seed=10 + turn)
            index.add(vectors, new)
            gallery |= dict(zip(new.tolist(), vectors, strict=True))
        ids = np.array(sorted(gallery))
        check(index, np.stack([gallery[number] for number in ids.tolist()]), clustered(20, seed=1), 10, ids)
        where = ids[::7]
        check(
            index, np.stack([gallery[n] for n in ids.tolist()]), clustered(20, seed=1), 10, ids, where=where
        )

    def test_from_nothing_and_back(self, index):
        index.build(draw(0, 4))
        assert index.search(draw(2, 4), 3).ids.shape == (2, 0)
        index.add(draw(5, 4), np.arange(5))
        check(index, draw(5, 4), draw(2, 4, seed=1), 3)
        index.remove(np.arange(5))
        assert index.search(draw(2, 4), 3).ids.shape == (2, 0)
        index.add(draw(2, 4, seed=3), np.array([0, 9]))
        assert index.search(draw(1, 4), 3).ids.shape == (1, 2)

    def test_growing_many_times_over(self, index):
        gallery = clustered(1600, 8)
        index.build(gallery[:200])
        for start in range(200, 1600, 200):
            index.add(gallery[start : start + 200], np.arange(start, start + 200))
        check(index, gallery, clustered(20, 8, seed=1), 10)

    def test_none_at_all(self, index):
        index.build(draw(5, 3))
        index.add(draw(0, 3), np.arange(0))
        index.remove(np.arange(0))
        assert len(index) == 5

    def test_an_unknown_id_is_not_removed_and_nothing_else_is(self, index):
        gallery = clustered(300, 4)
        index.build(gallery)
        with pytest.raises(ValueError, match=r"2 of 4 ids are not in the index, the first 300"):
            index.remove(np.array([0, 1, 300, 305]))
        check(index, gallery, gallery[:3], 5)

    @pytest.mark.parametrize("why", ["NaN", "dimensions", "ids in disorder", "an id too few", "below 0"])
    def test_odd_vectors_are_not_added_and_nothing_changes(self, index, why):
        gallery = clustered(300, 4)
        index.build(gallery)
        vectors, ids = draw(3, 5 if why == "dimensions" else 4), np.array([1, 2, 500])
        if why == "NaN":
            vectors[1, 2] = np.nan
        elif why == "below 0":
            ids[0] = -1
        elif why != "dimensions":
            ids = ids[:2] if why == "an id too few" else ids[::-1]
        with pytest.raises(ValueError, match=r"NaN|dimensions|order|one id|below 0"):
            index.add(vectors, ids)
        check(index, gallery, gallery[:3], 5)


class TestRefusals:
    """What cannot be answered is an error that says so."""

    @pytest.mark.parametrize("k", [0, -1])
    def test_k_below_one(self, index, k):
        index.build(draw(5, 3))
        with pytest.raises(ValueError, match="k is"):
            index.search(draw(1, 3), k)

    @pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
    def test_what_has_no_distance(self, index, value):
        vectors = draw(9, 3)
        vectors[4, 1] = value
        with pytest.raises(ValueError, match="row 4"):
            index.build(vectors)
        index.build(draw(9, 3))
        with pytest.raises(ValueError, match="row 4"):
            index.search(vectors, 2)

    def test_other_shapes(self, index):
        with pytest.raises(ValueError, match="float32"):
            index.build(draw(5, 3).astype(np.float64))
        for early in (
            lambda: index.search(draw(1, 3), 1),
            lambda: index.add(draw(1, 3), np.arange(1)),
            lambda: index.remove(np.arange(1)),
            lambda: len(index),
        ):
            with pytest.raises(ValueError, match="build"):
                early()
        index.build(draw(5, 3))
        with pytest.raises(ValueError, match="4 dimensions"):
            index.search(draw(1, 4), 1)
        with pytest.raises(ValueError, match="float32"):
            index.search(draw(1, 3)[0], 1)

    @pytest.mark.parametrize("ids", [[0, 2, 1], [0, 0, 1], [0, 1], [-2, 0, 1], [0.0, 1.0, 2.0]])
    def test_odd_ids(self, index, ids):
        with pytest.raises(ValueError, match="id"):
            index.build(draw(3, 3), np.array(ids))
