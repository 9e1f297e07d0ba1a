"""Ids and vectors stay together."""

import numpy as np
import pytest
from galleries_of_vectors import draw

from fashion_lab.indexes.rows import Rows, check_ids


def test_more_and_fewer_against_a_dictionary():
    rng = np.random.default_rng(0)
    rows, known = Rows.checked(draw(0, 3), None), {}
    for turn in range(30):
        ids = np.sort(rng.choice(100, 20, replace=False))
        vectors = draw(20, 3, seed=turn)
        rows, known = rows.with_more(vectors, ids), known | dict(zip(ids.tolist(), vectors, strict=True))
        gone = np.sort(rng.choice(rows.ids_N, 8, replace=False))
        rows = rows.without(gone)
        for number in gone.tolist():
            del known[number]
        assert rows.ids_N.tolist() == sorted(known)
        assert (rows.vectors_ND == np.stack([known[number] for number in sorted(known)])).all()


def test_changes_leave_the_old_rows_alone():
    vectors, ids = draw(5, 3), np.arange(5)
    rows = Rows.checked(vectors, ids)
    rows.with_more(draw(2, 3, seed=1), np.array([0, 7]))
    rows.without(np.array([3]))
    assert (rows.vectors_ND == draw(5, 3)).all()
    assert rows.ids_N.tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(("asked", "rows"), [([], []), ([0, 5], []), ([4, 9, 30], [1, 2]), ([31], [])])
def test_positions(asked, rows):
    held = Rows.checked(draw(3, 2), np.array([2, 4, 9]))
    assert held.positions(np.array(asked, dtype=np.int64)).tolist() == [row - 0 for row in rows]


def test_the_digest_sees_every_change():
    base = Rows(draw(4, 3), np.arange(4))
    other = draw(4, 3)
    other[3, 2] += 1e-6
    digests = {
        base.digest(),
        Rows(other, np.arange(4)).digest(),
        Rows(draw(4, 3), np.array([0, 1, 2, 4])).digest(),
        Rows(draw(4, 3).reshape(3, 4), np.arange(3)).digest(),
    }
    assert len(digests) == 4
    assert base.digest() == Rows(np.asfortranarray(draw(4, 3)), np.arange(4)).digest()


@pytest.mark.parametrize(
    ("ids", "why"),
    [([1, 1], "id 1 follows id 1"), ([3, 2], "id 2 follows id 3"), ([-4, 2], "id -4 is below 0")],
)
def test_odd_ids_are_named(ids, why):
    with pytest.raises(ValueError, match=why):
        check_ids(np.array(ids))
