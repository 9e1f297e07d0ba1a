"""Intervals over pictures and senders, against textbook formulas and a naive loop."""

import math

import numpy as np
import pytest
from scipy.stats import binomtest

from fashion_lab.studies.resampling import bootstrap, mcnemar, mean_of


def test_pictures_alone_give_the_normal_interval():
    right = (np.random.default_rng(0).random(400) < 0.8).astype(float)
    found = bootstrap(mean_of(right), 400)
    assert (found.value, found.units) == (right.mean(), 400)
    assert found.half == pytest.approx(1.96 * right.std() / 20, rel=0.05)
    assert found.low < found.value < found.high


def test_alike_pictures_of_a_sender_count_once():
    by_sender = (np.random.default_rng(0).random(40) < 0.8).astype(float)
    groups = np.repeat(np.arange(40) * 7 + 3, 10)
    values = np.repeat(by_sender, 10)
    apart, together = bootstrap(mean_of(values), 400), bootstrap(mean_of(values), 400, groups)
    assert together.half / apart.half == pytest.approx(math.sqrt(10), rel=0.06)
    assert together.units == 40


def test_a_draw_is_whole_senders():
    """Against a loop that draws senders and puts their pictures together."""
    rng = np.random.default_rng(1)
    values, groups = rng.random(30), rng.integers(6, size=30)
    found = bootstrap(mean_of(values), 30, groups, draws=20_000)
    names, means = np.unique(groups), []
    for _ in range(20_000):
        drawn = rng.choice(names, size=len(names))
        means.append(np.concatenate([values[groups == one] for one in drawn]).mean())
    assert [found.low, found.high] == pytest.approx(np.quantile(means, [0.025, 0.975]).tolist(), abs=0.004)


def test_queries_without_an_answer_do_not_count():
    values = np.array([1.0, 0.0, np.nan, 1.0, np.nan, 0.0, 1.0, 1.0])
    assert bootstrap(mean_of(values), 8).value == pytest.approx(4 / 6)
    nothing = bootstrap(mean_of(np.full(5, np.nan)), 5)
    assert math.isnan(nothing.value)
    assert math.isnan(nothing.low)


def test_any_statistic():
    values = np.arange(50.0)

    def spread(weights_BN):
        mean = weights_BN @ values / 50
        return np.sqrt(weights_BN @ values**2 / 50 - mean**2)

    found = bootstrap(spread, 50)
    assert found.value == pytest.approx(values.std())
    assert found.low < values.std() < found.high


def test_the_same_draws_each_time_and_in_any_portions(monkeypatch):
    values = np.random.default_rng(0).random(100)
    first = bootstrap(mean_of(values), 100, draws=500)
    assert bootstrap(mean_of(values), 100, draws=500) == first
    monkeypatch.setattr("fashion_lab.studies.resampling.WEIGHTS_AT_ONCE", 1700)
    assert bootstrap(mean_of(values), 100, draws=500) == first
    assert bootstrap(mean_of(values), 100, draws=500, seed=1) != first


def test_one_sender_says_nothing_about_others():
    found = bootstrap(mean_of(np.array([1.0, 0.0, 1.0])), 3, np.array([9, 9, 9]))
    assert (found.low, found.high, found.units) == (found.value, found.value, 1)


@pytest.mark.parametrize(("only_ours", "only_theirs"), [(12, 3), (3, 12), (5, 5), (1, 0), (0, 0), (60, 40)])
def test_mcnemar_is_the_binomial_test(only_ours, only_theirs):
    ours = np.array([True] * only_ours + [False] * only_theirs + [True, False] * 20)
    theirs = np.array([False] * only_ours + [True] * only_theirs + [True, False] * 20)
    both = only_ours + only_theirs
    expected = binomtest(only_ours, both, 0.5).pvalue if both else 1.0
    assert mcnemar(ours, theirs) == pytest.approx(expected)
