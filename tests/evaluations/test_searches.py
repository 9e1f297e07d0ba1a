"""Intervals of retrieval metrics."""

import dataclasses

import numpy as np
import pytest
from evaluations.test_classes import classified

from fashion_lab.evaluations import searches
from fashion_lab.metrics.retrieval import KEYS
from fashion_lab.studies.resampling import bootstrap, mean_of


def searched(**options):
    outcomes, rng = classified(120, **options), np.random.default_rng(3)
    scores = {view + key: rng.random(120) for view in ("", "gallery/") for key in KEYS}
    scores["map_at_r"][:5] = np.nan
    return dataclasses.replace(outcomes, scores=scores, probabilities_NC=None)


def test_each_is_the_bootstrap_of_its_mean():
    outcomes = searched()
    found = searches.overall(outcomes)
    assert list(found) == list(outcomes.scores)
    for name, scores in outcomes.scores.items():
        assert found[name] == bootstrap(mean_of(scores), 120, outcomes.groups_N)


def test_a_class_is_its_queries():
    outcomes = searched()
    found = searches.by_class(outcomes)
    assert list(found) == ["a", "b", "c"]
    of_b = outcomes.scores["map_at_r"][outcomes.labels_N == 1]
    assert found["b"]["map_at_r"].value == pytest.approx(np.nanmean(of_b))


def test_views_that_were_not_measured_are_not_shown():
    views = searches.views(searches.overall(searched()))
    assert list(views) == ["among each other", "among the training pictures"]
    assert list(views["among the training pictures"]) == list(KEYS)
