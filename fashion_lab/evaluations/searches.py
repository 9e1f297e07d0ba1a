"""How sure an encoder's retrieval metrics are, over all classes and for each."""

from collections.abc import Mapping

import numpy as np

from fashion_lab.metrics.retrieval import KEYS
from fashion_lab.outcomes import Outcomes
from fashion_lab.studies.resampling import Floats, Interval, bootstrap_each, mean_of

BY_CLASS = ("map_at_r", "precision_at_1")


def overall(outcomes: Outcomes) -> dict[str, Interval]:
    """Find the mean of every score, with intervals; all by the same draws."""
    return _intervals(outcomes, outcomes.scores)


def by_class(outcomes: Outcomes) -> dict[str, dict[str, Interval]]:
    """Find each class's MAP@R and Precision@1: of the queries of that class, by class, by metric."""
    found = {}
    for number, name in enumerate(outcomes.classes):
        of_class_N = outcomes.labels_N == number
        if of_class_N.any():
            scores = {key: np.where(of_class_N, outcomes.scores[key], np.nan) for key in BY_CLASS}
            found[name] = _intervals(outcomes, scores)
    return found


def views(metrics: Mapping[str, Interval]) -> dict[str, dict[str, Interval]]:
    """Sort metrics by what was searched and who was hidden: by view, then by one of `KEYS`."""
    titles = {
        "product/": "among each other, for another picture of the same product",
        "": "among each other",
        "other_senders/": "among each other, the query's sender hidden",
        "gallery/": "among the training pictures",
        "gallery/other_senders/": "among the training pictures, the query's sender hidden",
    }
    return {
        title: {key: metrics[view + key] for key in KEYS}
        for view, title in titles.items()
        if view + KEYS[0] in metrics
    }


def _intervals(outcomes: Outcomes, scores: Mapping[str, Floats]) -> dict[str, Interval]:
    means = [mean_of(scores_N) for scores_N in scores.values()]

    def statistics(weights_BN: Floats) -> Floats:
        return np.stack([mean(weights_BN) for mean in means], axis=1)

    found = bootstrap_each(statistics, len(outcomes), outcomes.groups_N)
    return dict(zip(scores, found, strict=True))
