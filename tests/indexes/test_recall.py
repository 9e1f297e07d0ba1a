"""Recall counts what it says: by distance, without the query itself."""

import numpy as np
import pytest
from galleries_of_vectors import clustered, draw, some_ids

from fashion_lab.contracts.index import Neighbours
from fashion_lab.indexes.exact import ExactIndex
from fashion_lab.indexes.recall import recall


class Odd(ExactIndex):
    """An exact engine whose answers are changed before they are given."""

    def __init__(self, change):
        super().__init__()
        self.change = change

    def search(self, queries_QD, k, where_M=None):
        found = super().search(queries_QD, k, where_M)
        return self.change(Neighbours(found.ids.copy(), found.distances.copy()))


def measured(gallery, change, ids=None, **options):
    ids = np.arange(len(gallery)) if ids is None else ids
    index = Odd(change)
    index.build(gallery, ids)
    return recall(index, gallery, ids, **options)


def test_exact_is_one():
    assert measured(clustered(800), lambda found: found, some_ids(800)) == 1


@pytest.mark.parametrize("wrong", [1, 3, 10])
def test_each_wrong_hit_costs_its_share(wrong):
    gallery = draw(300, 4)

    def change(found):
        found.distances[:, -wrong:] += 100
        return found

    assert measured(gallery, change, k=10, sample=50) == pytest.approx(1 - wrong / 10)


def test_the_query_itself_does_not_count():
    def change(found):
        found.distances[:, 1:] += 100  # nothing right but the query's own hit
        return found

    assert measured(draw(300, 4), change, k=10) == 0


def test_any_of_equal_neighbours_will_do():
    gallery = np.repeat(draw(20, 4), 30, axis=0)

    def change(found):  # other copies, as near
        found.ids[:] = found.ids // 30 * 30 + (found.ids + 7) % 30
        return found

    assert measured(gallery, change, k=10) == 1


def test_a_hit_that_is_no_vector_of_the_gallery_is_none():
    def change(found):
        found.ids[:, 1:] += 1000
        return found

    assert measured(draw(300, 4), change, k=10) == 0


@pytest.mark.parametrize("size", [0, 1, 2, 5])
def test_small_galleries(size):
    assert measured(draw(size, 4), lambda found: found, k=10) == 1


def test_the_sample_is_drawn_from_the_seed():
    asked = []

    def change(found):
        asked.append(found.ids[:, 0].tolist())
        return found

    for seed in (0, 0, 1):
        measured(draw(300, 4), change, sample=20, seed=seed)
    assert asked[0] == asked[1] != asked[2]
    assert len(set(asked[0])) == 20
