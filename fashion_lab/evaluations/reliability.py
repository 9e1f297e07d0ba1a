"""May a classifier's probabilities be believed? Their error, its diagram, and a temperature that mends it.

C. Guo et al. 2017, "On Calibration of Modern Neural Networks": sections 2 (expected calibration error,
reliability diagrams) and 4.2 (temperature scaling).

Shape suffixes: N pictures, C classes, K bins, B draws.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fashion_lab.outcomes import CORRECT, Outcomes
from fashion_lab.studies.resampling import LEVEL, Floats, Interval, bootstrap

BINS = 15  # as in the paper
CALIBRATED = 1_000  # draws of a calibrated classifier: the quantile then moves by some 2% from seed to seed
COLDEST, HOTTEST = 0.05, 20.0  # temperatures that are tried; assumption
TINY = 1e-12


@dataclass(frozen=True)
class Bin:
    """Pictures of about one confidence: its bounds, how many, their mean confidence and accuracy."""

    low: float
    high: float
    pictures: int
    confidence: float
    accuracy: float


@dataclass(frozen=True)
class Reliability:
    """How far confidence and accuracy are apart.

    Attributes:
        bins: those with pictures.
        error: expected calibration error, with its interval.
        temperature: by which logits are divided so that the loss is least, learnt on validation.
        mended: the error after that, on pictures that the temperature was not learnt on.
    """

    bins: list[Bin]
    error: Interval
    temperature: float
    mended: Interval


def reliability(outcomes: Outcomes, learnt_on: Outcomes | None = None) -> Reliability:
    """Measure it.

    Args:
        outcomes: a classifier's.
        learnt_on: validation, to learn the temperature on. None where the outcomes are validation: then one
            half of the senders (of the pictures, without senders) learns for the other, each way.
    """
    assert outcomes.probabilities_NC is not None
    chances_NC = outcomes.probabilities_NC
    source = outcomes if learnt_on is None else learnt_on
    assert source.probabilities_NC is not None
    value = temperature(source.probabilities_NC, source.labels_N)
    mended_NC = _crosswise(outcomes) if learnt_on is None else heated(chances_NC, value)
    return Reliability(
        _bins(chances_NC, outcomes), _error(chances_NC, outcomes), value, _error(mended_NC, outcomes)
    )


def heated(probabilities_NC: NDArray[np.float32], value: float) -> NDArray[np.float32]:
    """Divide the logits behind probabilities by a temperature: above 1 less sure, below 1 surer."""
    logits_NC = np.log(np.maximum(probabilities_NC.astype(np.float64), TINY)) / value
    powers_NC = np.exp(logits_NC - logits_NC.max(axis=1, keepdims=True))
    shares_NC: NDArray[np.float32] = (powers_NC / powers_NC.sum(axis=1, keepdims=True)).astype(np.float32)
    return shares_NC


def temperature(probabilities_NC: NDArray[np.float32], labels_N: NDArray[np.int64]) -> float:
    """Find the temperature of least loss, which has one minimum in it: a bounded line search will do."""
    from scipy.optimize import minimize_scalar

    rows_N = np.arange(len(labels_N))

    def loss(log_value: float) -> float:
        chance_N = heated(probabilities_NC, float(np.exp(log_value)))[rows_N, labels_N]
        return float(-np.log(np.maximum(chance_N, TINY)).mean())

    found = minimize_scalar(loss, bounds=(np.log(COLDEST), np.log(HOTTEST)), method="bounded")
    return float(np.exp(found.x))


def _crosswise(outcomes: Outcomes) -> NDArray[np.float32]:
    """Heat each half by the temperature that the other half learnt."""
    assert outcomes.probabilities_NC is not None
    units_N = np.arange(len(outcomes)) if outcomes.groups_N is None else outcomes.groups_N
    names = np.unique(units_N)
    first = np.random.default_rng(0).permutation(names)[: len(names) // 2]
    half_N = np.isin(units_N, first)
    mended_NC = outcomes.probabilities_NC.copy()
    for here_N in (half_N, ~half_N):
        if here_N.any() and not here_N.all():
            value = temperature(outcomes.probabilities_NC[~here_N], outcomes.labels_N[~here_N])
            mended_NC[here_N] = heated(outcomes.probabilities_NC[here_N], value)
    return mended_NC


def _bin_of(confidence_N: Floats) -> NDArray[np.int64]:
    """Number the bins (k / K, (k + 1) / K]."""
    return np.clip(np.ceil(confidence_N * BINS).astype(np.int64) - 1, 0, BINS - 1)


def _bins(chances_NC: NDArray[np.float32], outcomes: Outcomes) -> list[Bin]:
    confidence_N, right_N = chances_NC.max(axis=1).astype(np.float64), outcomes.scores[CORRECT]
    bins, bin_N = [], _bin_of(confidence_N)
    for number in np.unique(bin_N).tolist():
        here_N = bin_N == number
        confidence, accuracy = float(confidence_N[here_N].mean()), float(right_N[here_N].mean())
        bins.append(Bin(number / BINS, (number + 1) / BINS, int(here_N.sum()), confidence, accuracy))
    return bins


def _error(chances_NC: NDArray[np.float32], outcomes: Outcomes) -> Interval:
    """Find the expected calibration error: the mean over pictures of |accuracy - confidence| of their bin.

    A sum of absolute values is above 0 by chance alone, and resampling adds to it once more. So its interval
    is the basic one (Davison and Hinkley 1997, 5.2.1: percentiles turned about the value), and reaches 0
    where a calibrated classifier of the same confidences would show as much (J. Bröcker and L. A. Smith
    2007, "Increasing the Reliability of Reliability Diagrams", section 3).
    """
    confidence_N, right_N = chances_NC.max(axis=1).astype(np.float64), outcomes.scores[CORRECT]
    bins_NK = np.eye(BINS)[_bin_of(confidence_N)]
    apart_NK = (right_N - confidence_N)[:, None] * bins_NK

    def error(weights_BN: Floats) -> Floats:
        found: Floats = np.abs(weights_BN @ apart_NK).sum(axis=1) / weights_BN.sum(axis=1)
        return found

    found = bootstrap(error, len(outcomes), outcomes.groups_N)
    by_chance = _most_by_chance(confidence_N, bins_NK)
    low = 0.0 if found.value <= by_chance else max(0.0, 2 * found.value - found.high)
    return replace(found, low=low, high=max(found.value, 2 * found.value - found.low))


def _most_by_chance(confidence_N: Floats, bins_NK: Floats) -> float:
    """Find the error that pictures which are right as often as their confidence says stay below, 97.5%."""
    drawn_BN = np.random.default_rng(0).random((CALIBRATED, len(confidence_N))) < confidence_N
    errors_B = np.abs((drawn_BN - confidence_N) @ bins_NK).sum(axis=1) / len(confidence_N)
    return float(np.quantile(errors_B, (1 + LEVEL) / 2))
