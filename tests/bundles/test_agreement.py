import numpy as np
import pytest

from fashion_lab.bundles.agreement import LIMIT, disagreement, relative_error, same_nearest


@pytest.fixture
def vectors():
    return np.random.default_rng(0).normal(size=(16, 8)).astype(np.float32)


def naive_error(expected, given):
    return max(
        np.linalg.norm(b.astype(float) - a) / np.linalg.norm(a.astype(float))
        for a, b in zip(expected, given, strict=True)
    )


def naive_nearest(vectors, row, count=5):
    others = [other for other in range(len(vectors)) if other != row]
    return sorted(others, key=lambda other: float(np.linalg.norm(vectors[other] - vectors[row])))[:count]


def test_the_error_is_that_of_the_worst_row(vectors):
    given = vectors.copy()
    given[3] *= 1 + 5e-5
    given[7] *= 1 + 2e-4
    assert relative_error(vectors, given) == pytest.approx(naive_error(vectors, given), rel=1e-3)
    assert relative_error(vectors, given) == pytest.approx(2e-4, rel=1e-2)
    assert relative_error(vectors, vectors) == 0


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_never_agrees(vectors, bad):
    given = vectors.copy()
    given[2, 1] = bad
    assert relative_error(vectors, given) == float("inf")
    assert relative_error(given, given) == float("inf")
    assert "relative error inf" in disagreement("x", given, given)


def test_another_shape_never_agrees(vectors):
    assert relative_error(vectors, vectors[:, :4]) == float("inf")
    assert relative_error(vectors, vectors[:5]) == float("inf")


def test_a_row_of_zeros_does_not_divide_by_zero(vectors):
    expected = vectors.copy()
    expected[0] = 0
    given = expected.copy()
    assert relative_error(expected, given) == 0
    given[0] = 1e-9
    assert relative_error(expected, given) < LIMIT
    given[0] = 1e-3
    assert relative_error(expected, given) > LIMIT
    nothing = np.zeros_like(vectors)
    assert relative_error(nothing, nothing) == 0
    assert relative_error(nothing, vectors) > LIMIT


def test_neighbours_are_those_of_a_naive_loop(vectors):
    moved = np.random.default_rng(1).permutation(vectors)
    same = all(naive_nearest(vectors, row) == naive_nearest(moved, row) for row in range(len(vectors)))
    assert same_nearest(vectors, moved) is same is False
    assert same_nearest(vectors, (3 * vectors + 7).astype(np.float32))


def test_neighbours_that_tie_may_change_places():
    square = np.array([[0, 0], [1, 0], [0, 1], [-1, 0], [0, -1], [5, 5], [9, 9]], np.float32)
    given = square + np.random.default_rng(0).normal(scale=1e-6, size=square.shape).astype(np.float32)
    assert same_nearest(square, given)
    twice = np.repeat(square, 2, axis=0)
    assert same_nearest(twice, twice + np.float32(1e-7) * np.arange(14, dtype=np.float32)[:, None])


def test_neighbours_differ_where_the_error_is_small_beside_a_common_offset(vectors):
    far = vectors + 1e4
    given = far + np.random.default_rng(1).normal(scale=0.5, size=far.shape).astype(np.float32)
    assert relative_error(far, given) < LIMIT
    assert "other nearest" in disagreement("embedding", far, given)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_few_pictures(vectors, count):
    assert disagreement("x", vectors[:count], vectors[:count]) is None
