"""The quick bootstrap of means against the plain one: the same draws, the same ends."""

import math

import numpy as np
import pytest

from fashion_lab.studies import draws
from fashion_lab.studies.draws import mean_interval, paired_difference
from fashion_lab.studies.resampling import bootstrap, mean_of


def as_tuple(interval):
    return interval.value, interval.low, interval.high, interval.units


@pytest.mark.parametrize("senders", [None, 1, 2, 40, 300])
@pytest.mark.parametrize("without", [0, 30])
def test_it_is_the_bootstrap(senders, without):
    rng = np.random.default_rng(3)
    values = rng.normal(size=400) - 5
    values[:without] = np.nan
    groups = None if senders is None else rng.integers(senders, size=400) * 11 - 5
    found, plain = mean_interval(values, groups), bootstrap(mean_of(values), 400, groups)
    assert as_tuple(found) == pytest.approx(as_tuple(plain), rel=1e-6)


def test_what_two_recipes_share_cancels():
    hard = np.random.default_rng(0).random(500)
    found = paired_difference(hard + 0.01, hard)
    assert found.half < 1e-9
    assert found.value == pytest.approx(0.01)
    with pytest.raises(AssertionError, match="same pictures"):
        paired_difference(hard, hard[:-1])


def test_a_draw_without_any_value_does_not_count():
    values = np.array([1.0, np.nan, np.nan, np.nan])
    found = mean_interval(values)
    assert as_tuple(found) == pytest.approx(as_tuple(bootstrap(mean_of(values), 4)))
    assert (found.low, found.high) == (1.0, 1.0)


def test_nothing_known_is_nan():
    found = mean_interval(np.full(4, np.nan))
    assert all(map(math.isnan, (found.value, found.low, found.high)))


def test_very_many_pictures_are_drawn_without_keeping(monkeypatch):
    values = np.random.default_rng(0).random(100)
    kept = mean_interval(values)
    monkeypatch.setattr(draws, "MOST_UNITS", 99)
    assert as_tuple(mean_interval(values)) == pytest.approx(as_tuple(kept), rel=1e-6)
