"""Calibration error and temperature: a library's answer, and what was built in is found again."""

import dataclasses

import numpy as np
import pytest
import torch
from evaluations.test_classes import classified
from torchmetrics.classification import MulticlassCalibrationError

from fashion_lab.evaluations.reliability import BINS, heated, reliability, temperature


def honest(n=6000, heat=1.0, seed=0, **options):
    """Labels drawn from the probabilities that are told after dividing the logits by `heat`."""
    rng = np.random.default_rng(seed)
    chances = heated(rng.dirichlet([0.6] * 4, size=n).astype(np.float32), 1.0)
    labels = np.array([rng.choice(4, p=row / row.sum()) for row in chances.astype(float)])
    told = heated(chances, heat)
    outcomes = classified(n, **options)
    right = (told.argmax(1) == labels).astype(float)
    return dataclasses.replace(outcomes, labels_N=labels, probabilities_NC=told, scores={"accuracy": right})


def test_the_error_is_torchmetrics():
    outcomes = classified(500)
    metric = MulticlassCalibrationError(4, n_bins=BINS, norm="l1")
    expected = metric(torch.from_numpy(outcomes.probabilities_NC), torch.from_numpy(outcomes.labels_N))
    assert reliability(outcomes).error.value == pytest.approx(float(expected), abs=1e-6)


def test_bins_hold_every_picture_once():
    outcomes = classified(300)
    bins = reliability(outcomes).bins
    assert sum(one.pictures for one in bins) == 300
    assert sum(one.pictures * one.accuracy for one in bins) == pytest.approx(
        outcomes.scores["accuracy"].sum()
    )
    assert all(one.low - 1e-6 <= one.confidence <= one.high + 1e-6 for one in bins)


@pytest.mark.parametrize("heat", [0.4, 1.0, 2.5])
def test_the_temperature_undoes_what_was_heated(heat):
    outcomes = honest(heat=heat)
    assert temperature(outcomes.probabilities_NC, outcomes.labels_N) == pytest.approx(1 / heat, rel=0.06)
    found = reliability(outcomes)
    assert found.mended.value < 0.025
    if heat != 1.0:
        assert found.error.value > 2 * found.mended.value


def test_a_temperature_changes_no_answer():
    chances = classified().probabilities_NC
    for value in (0.1, 1, 10):
        assert np.array_equal(heated(chances, value).argmax(1), chances.argmax(1))
        assert heated(chances, value).sum(1) == pytest.approx(1, abs=1e-5)
    assert heated(chances, 1.0) == pytest.approx(chances, abs=1e-6)


def test_no_half_learns_on_itself():
    """Labels of one sender are turned round: its half is not mended by what it says itself."""
    outcomes = honest(400, heat=0.4, groups=2)
    flipped = np.where(outcomes.groups_N == 0, 3 - outcomes.labels_N, outcomes.labels_N)
    right = (outcomes.probabilities_NC.argmax(1) == flipped).astype(float)
    odd = dataclasses.replace(outcomes, labels_N=flipped, scores={"accuracy": right})
    by_the_other = temperature(
        outcomes.probabilities_NC[outcomes.groups_N == 1], outcomes.labels_N[outcomes.groups_N == 1]
    )
    by_itself = temperature(
        outcomes.probabilities_NC[outcomes.groups_N == 0], flipped[outcomes.groups_N == 0]
    )
    assert by_itself > 2 * by_the_other
    known = reliability(odd, learnt_on=outcomes)
    assert known.temperature == pytest.approx(temperature(outcomes.probabilities_NC, outcomes.labels_N))
    assert reliability(odd).mended.value != known.mended.value


def test_the_interval_of_a_calibrated_classifier_reaches_0():
    """Percentiles reach it never: resampling adds to a sum of absolute values."""
    errors = [reliability(honest(300, seed=seed)).error for seed in range(20)]
    assert all(error.low < error.value <= error.high for error in errors)
    assert sum(error.low == 0 for error in errors) >= 16
    assert reliability(honest(600, heat=0.3)).error.low > 0.05
