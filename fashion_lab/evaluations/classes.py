"""How sure a classifier's metrics are, over all classes and for each: statistics of weighted pictures.

Shape suffixes: N pictures, C classes, B draws (see `fashion_lab.studies.resampling`).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fashion_lab.outcomes import CORRECT, Outcomes
from fashion_lab.studies.resampling import Floats, Interval, bootstrap_each, mean_of

TINY = 1e-12  # a probability that float32 gives as 0 has this one's logarithm


@dataclass(frozen=True)
class ClassRow:
    """One class: how many pictures, and how well they are told; None where it has none."""

    name: str
    pictures: int
    recall: Interval | None
    precision: Interval | None
    f1: Interval | None


def loss_of(outcomes: Outcomes) -> Floats:
    """Give each picture's negative log likelihood [N]."""
    assert outcomes.probabilities_NC is not None
    chance_N = outcomes.probabilities_NC[np.arange(len(outcomes)), outcomes.labels_N]
    loss_N: Floats = -np.log(np.maximum(chance_N.astype(np.float64), TINY))
    return loss_N


def confusion(outcomes: Outcomes) -> NDArray[np.int64]:
    """Count pictures by their class (rows) and what they were taken for (columns): [C, C]."""
    count = len(outcomes.classes)
    found = np.bincount(outcomes.labels_N * count + _predicted(outcomes), minlength=count**2)
    return found.reshape(count, count).astype(np.int64)


def overall(outcomes: Outcomes) -> dict[str, Interval]:
    """Find accuracy, macro recall, macro F1 and the loss, with intervals."""
    means = [mean_of(outcomes.scores[CORRECT]), mean_of(loss_of(outcomes))]

    def statistics(weights_BN: Floats) -> Floats:
        recall_BC, _, f1_BC = _measures(outcomes, weights_BN)
        accuracy_B, loss_B = (mean(weights_BN) for mean in means)
        return np.stack(
            [accuracy_B, np.nanmean(recall_BC, axis=1), np.nanmean(f1_BC, axis=1), loss_B], axis=1
        )

    found = bootstrap_each(statistics, len(outcomes), outcomes.groups_N)
    return dict(zip(("accuracy", "macro_recall", "macro_f1", "loss"), found, strict=True))


def by_class(outcomes: Outcomes) -> list[ClassRow]:
    """Find recall, precision and F1 of each class, with intervals."""

    def statistics(weights_BN: Floats) -> Floats:
        return np.concatenate(_measures(outcomes, weights_BN), axis=1)

    found = bootstrap_each(statistics, len(outcomes), outcomes.groups_N)
    known = [one if np.isfinite(one.value) else None for one in found]
    count = len(outcomes.classes)
    pictures_C = np.bincount(outcomes.labels_N, minlength=count).tolist()
    return [
        ClassRow(name, pictures_C[number], *known[number::count])
        for number, name in enumerate(outcomes.classes)
    ]


def _predicted(outcomes: Outcomes) -> NDArray[np.int64]:
    assert outcomes.probabilities_NC is not None
    found: NDArray[np.int64] = outcomes.probabilities_NC.argmax(axis=1)
    return found


def _measures(outcomes: Outcomes, weights_BN: Floats) -> tuple[Floats, Floats, Floats]:
    """Find recall, precision and F1 of each class: three times [B, C]."""
    classes_C = np.arange(len(outcomes.classes))
    true_NC = (outcomes.labels_N[:, None] == classes_C).astype(np.float64)
    told_NC = (_predicted(outcomes)[:, None] == classes_C).astype(np.float64)
    right_BC, true_BC, told_BC = (weights_BN @ one for one in (true_NC * told_NC, true_NC, told_NC))
    f1_BC = _share(2 * right_BC, true_BC + told_BC)
    f1_BC[true_BC == 0] = np.nan
    return _share(right_BC, true_BC), _share(right_BC, told_BC), f1_BC


def _share(part_BC: Floats, of_BC: Floats) -> Floats:
    """Divide; NaN where there is nothing to be a part of."""
    found: Floats = np.divide(part_BC, of_BC, out=np.full(of_BC.shape, np.nan), where=of_BC > 0)
    return found
