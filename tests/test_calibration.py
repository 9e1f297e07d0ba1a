"""What distances mean, learnt from queries whose answers are known."""

from itertools import pairwise

import numpy as np
import pytest
from scipy.optimize import minimize

from fashion_lab.calibration import ALARMS, Calibration, calibrate
from fashion_lab.nearness import Examples
from fashion_lab.odds import fit_odds

CLASSES = 5


def draw(count, seed, spread=1.0, groups=None, offset=0.0):
    """Clusters around the corners of a simplex; the further their spread, the more they overlap."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(CLASSES, size=count)
    vectors = 4 * np.eye(CLASSES)[labels] + rng.normal(size=(count, CLASSES)) * spread + offset
    return Examples(
        vectors_ND=vectors.astype(np.float32),
        labels_N=labels,
        groups_N=None if groups is None else rng.integers(groups, size=count),
    )


def test_the_odds_are_those_of_a_general_minimiser():
    rng = np.random.default_rng(0)
    distance = rng.uniform(0, 5, size=4000).astype(np.float32)
    same = rng.random(4000) < 1 / (1 + np.exp(1.7 * (distance - 2.2)))
    slope, middle = fit_odds(distance, same)
    right, wrong = same.sum(), (~same).sum()
    target = np.where(same, (right + 1) / (right + 2), 1 / (wrong + 2))

    def loss(two):
        odds = two[0] * (two[1] - distance.astype(np.float64))
        return (np.logaddexp(0, odds) - target * odds).sum()

    found = minimize(loss, [1.0, 1.0])
    assert (slope, middle) == pytest.approx(tuple(found.x), rel=1e-3)
    assert (slope, middle) == pytest.approx((1.7, 2.2), abs=0.15)


def test_a_similarity_is_a_probability():
    calibration = calibrate(draw(400, 1, 1.5), draw(4000, 2, 1.5), made_from="drawn")
    assert calibration is not None
    fresh, gallery = draw(400, 3, 1.5), draw(4000, 2, 1.5)
    distances = np.linalg.norm(fresh.vectors_ND[:, None] - gallery.vectors_ND, axis=2)
    nearest = np.argsort(distances, axis=1)[:, :50]
    same = fresh.labels_N[:, None] == gallery.labels_N[nearest]
    said = np.vectorize(calibration.similarity)(np.take_along_axis(distances, nearest, axis=1))
    edges = np.quantile(said, [0, 0.2, 0.4, 0.6, 0.8, 1])
    assert edges[-1] - edges[0] > 0.1
    for low, high in pairwise(edges):
        inside = (said >= low) & (said <= high)
        assert same[inside].mean() == pytest.approx(said[inside].mean(), abs=0.07)


def test_the_threshold_tells_known_from_strange():
    calibration = calibrate(draw(600, 1, 0.5), draw(2000, 2, 0.5), made_from="drawn")
    assert calibration is not None
    assert calibration.alarms == pytest.approx(ALARMS, abs=0.01)
    assert calibration.caught > 0.9
    assert calibration.queries == 600
    assert not calibration.is_strange(calibration.threshold(2000), 2000)
    assert calibration.is_strange(calibration.threshold(2000) * 1.01, 2000)


def test_the_threshold_follows_the_size_of_the_gallery():
    """One for a tenth of the gallery calls as many strange there as the one for all does among all."""
    gallery, fresh = draw(4000, 2), draw(2000, 3)
    calibration = calibrate(draw(2000, 1), gallery, made_from="drawn")
    assert calibration is not None
    distances = np.linalg.norm(fresh.vectors_ND[:, None] - gallery.vectors_ND, axis=2)
    for items in (100, 400, 1500, 4000):
        nearest = distances[:, :items].min(axis=1)
        alarms = np.mean([calibration.is_strange(one, items) for one in nearest])
        assert alarms == pytest.approx(ALARMS, abs=0.03), items
    assert [items for items, _ in calibration.thresholds] == [125, 250, 500, 1000, 2000, 4000]
    assert calibration.threshold(1) == calibration.threshold(125) > calibration.threshold(4000)
    assert calibration.threshold(10**9) == calibration.threshold(4000)
    assert calibration.threshold(125) > calibration.threshold(180) > calibration.threshold(250)


def test_similarity_falls_from_one_to_zero_and_never_overflows():
    calibration = calibrate(draw(100, 1, 0.01), draw(500, 2, 0.01), made_from="drawn")
    assert calibration is not None
    said = [calibration.similarity(distance) for distance in (0, 0.01, 1, 3, 1e3, 1e9)]
    assert said == sorted(said, reverse=True)
    assert 0.9 < said[0] <= 1
    assert said[-1] == 0


def test_a_common_offset_changes_nothing():
    one = calibrate(draw(200, 1), draw(900, 2), made_from="drawn")
    other = calibrate(draw(200, 1, offset=500), draw(900, 2, offset=500), made_from="drawn")
    assert one is not None
    assert other is not None
    assert other.threshold(900) == pytest.approx(one.threshold(900), rel=1e-3)
    assert other.middle == pytest.approx(one.middle, rel=1e-3)


def test_a_query_does_not_see_its_own_group():
    gallery = draw(900, 2, groups=30)
    copies = Examples(
        vectors_ND=gallery.vectors_ND[:200], labels_N=gallery.labels_N[:200], groups_N=gallery.groups_N[:200]
    )
    hidden = calibrate(copies, gallery, made_from="drawn")
    seen = calibrate(
        Examples(vectors_ND=copies.vectors_ND, labels_N=copies.labels_N), gallery, made_from="drawn"
    )
    assert hidden is not None
    assert seen is not None
    assert seen.threshold(900) == pytest.approx(0, abs=0.01)  # each finds itself
    assert hidden.threshold(900) > 0.5


def test_a_query_without_an_answer_is_left_out():
    gallery, queries = draw(900, 2), draw(100, 1)
    odd = Examples(
        vectors_ND=queries.vectors_ND, labels_N=np.where(np.arange(100) < 30, 99, queries.labels_N)
    )
    calibration = calibrate(odd, gallery, made_from="drawn")
    assert calibration is not None
    assert calibration.queries == 70


@pytest.mark.parametrize(
    ("queries", "gallery"),
    [
        (draw(19, 1), draw(500, 2)),  # too few
        (draw(50, 1), Examples(vectors_ND=np.zeros((9, CLASSES), np.float32), labels_N=np.full(9, 77))),
        (
            Examples(vectors_ND=np.ones((50, 3), np.float32), labels_N=np.zeros(50, int)),
            Examples(vectors_ND=np.ones((50, 3), np.float32), labels_N=np.zeros(50, int)),
        ),  # one class
    ],
)
def test_nothing_is_learnt_from_nothing(queries, gallery):
    assert calibrate(queries, gallery, made_from="drawn") is None


def test_distances_without_meaning_teach_nothing():
    rng = np.random.default_rng(0)
    gallery = Examples(vectors_ND=np.zeros((300, 4), np.float32), labels_N=rng.integers(3, size=300))
    assert calibrate(gallery, gallery, made_from="collapsed") is None


def test_a_record_comes_back():
    calibration = calibrate(draw(100, 1), draw(500, 2), made_from="drawn")
    assert calibration is not None
    assert Calibration.from_record(calibration.record()) == calibration
    with pytest.raises(ValueError, match="no calibration"):
        Calibration.from_record({"middle": 1})
    with pytest.raises(ValueError, match="finite"):
        Calibration.from_record({**calibration.record(), "slope": float("nan")})
    with pytest.raises(ValueError, match="finite"):
        Calibration.from_record({**calibration.record(), "slope": None})
    for thresholds in ([], [[5, 1.0], [5, 2.0]], [[0, 1.0]], [[5, float("inf")]], [5, 1.0], [[5]], None):
        with pytest.raises(ValueError, match=r"no calibration|finite|not ascending"):
            Calibration.from_record({**calibration.record(), "thresholds": thresholds})
