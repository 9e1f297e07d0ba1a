"""The chance of one of two outcomes, as it falls with a number: a logistic curve."""

import math

import numpy as np
from numpy.typing import NDArray

NEWTON_STEPS, ENOUGH, RIDGE = 100, 1e-9, 1e-9  # of a well-behaved curve in two unknowns: some ten steps do
LARGEST_ODDS = 700  # beyond it exp overflows


def fit_odds(distance_P: NDArray[np.float32], same_P: NDArray[np.bool_]) -> tuple[float, float]:
    """Fit P(same) = 1 / (1 + exp(slope * (distance - middle))): slope and middle.

    Newton's method, damped, on Platt's smoothed targets (J. Platt 1999, "Probabilistic outputs for support
    vector machines", section 2.2), which keep the slope finite where the two sides do not overlap.
    """
    mean, spread = float(distance_P.mean()), float(distance_P.std()) or 1.0
    inputs_P2 = np.stack([(distance_P.astype(np.float64) - mean) / spread, np.ones(len(distance_P))], axis=1)
    right, wrong = int(same_P.sum()), int((~same_P).sum())
    target_P = np.where(same_P, (right + 1) / (right + 2), 1 / (wrong + 2))
    weights_2 = np.array([0.0, math.log((right + 1) / (wrong + 1))])

    def loss(weights_2: NDArray[np.float64]) -> float:
        odds_P = inputs_P2 @ weights_2
        return float((np.logaddexp(0, odds_P) - target_P * odds_P).sum())

    for _ in range(NEWTON_STEPS):
        chance_P = 1 / (1 + np.exp(-np.clip(inputs_P2 @ weights_2, -LARGEST_ODDS, LARGEST_ODDS)))
        slope_2 = inputs_P2.T @ (chance_P - target_P)
        curve_22 = (inputs_P2 * (chance_P * (1 - chance_P))[:, None]).T @ inputs_P2 + RIDGE * np.eye(2)
        step_2 = np.linalg.solve(curve_22, slope_2)
        while loss(weights_2 - step_2) > loss(weights_2) and np.abs(step_2).max() >= ENOUGH:
            step_2 /= 2  # where the curve is flat, a whole step leads far beyond the minimum
        weights_2 -= step_2
        if np.abs(step_2).max() < ENOUGH:
            break
    slope = -weights_2[0] / spread
    return float(slope), float(mean + weights_2[1] / slope) if slope else mean
