"""Metrics of weighted pictures: as the training computes them, and as a naive loop does."""

import numpy as np
import pytest
import torch

from fashion_lab.evaluations import classes
from fashion_lab.metrics.classification import classification_metrics
from fashion_lab.outcomes import Outcomes


def classified(n=200, names=("a", "b", "c", "never"), groups=30, seed=0):
    """Outcomes of a classifier that is right more often than not; nothing shows the last class."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(len(names) - 1, size=n)
    logits = rng.normal(size=(n, len(names))) + 1.2 * np.eye(len(names))[labels]
    chances = (np.exp(logits) / np.exp(logits).sum(1, keepdims=True)).astype(np.float32)
    return Outcomes(
        catalog="drawn",
        split="validation",
        classes=names,
        items_N=np.array([f"{number}.png" for number in range(n)]),
        labels_N=labels,
        groups_N=rng.integers(groups, size=n) if groups else None,
        scores={"accuracy": (chances.argmax(1) == labels).astype(float)},
        probabilities_NC=chances,
    )


def test_as_the_training_computes_them():
    outcomes = classified()
    expected = classification_metrics(torch.from_numpy(classes.confusion(outcomes)), outcomes.classes)
    found = classes.overall(outcomes)
    for name in ("accuracy", "macro_recall", "macro_f1"):
        assert found[name].value == pytest.approx(expected[name])
        assert found[name].low < found[name].value < found[name].high
    chances = torch.from_numpy(outcomes.probabilities_NC).double()
    loss = torch.nn.functional.nll_loss(chances.log(), torch.from_numpy(outcomes.labels_N))
    assert found["loss"].value == pytest.approx(float(loss), rel=1e-5)
    for row in classes.by_class(outcomes):
        if row.pictures:
            assert row.recall.value == pytest.approx(expected[f"recall/{row.name}"])


def test_the_confusion_is_counted():
    outcomes = classified(40)
    counts = np.zeros((4, 4), int)
    for label, chances in zip(outcomes.labels_N, outcomes.probabilities_NC, strict=True):
        counts[label, chances.argmax()] += 1
    assert np.array_equal(classes.confusion(outcomes), counts)


def test_a_class_without_pictures_has_no_recall():
    *_, never = classes.by_class(classified())
    assert (never.pictures, never.recall, never.f1) == (0, None, None)
    assert never.precision.value == 0  # something was taken for it


def test_an_interval_is_that_of_drawn_senders():
    outcomes = classified(60, groups=8)
    rng, names = np.random.default_rng(1), np.unique(outcomes.groups_N)
    places = {name: np.flatnonzero(outcomes.groups_N == name) for name in names}
    told, recalls = outcomes.probabilities_NC.argmax(1), []
    for _ in range(4000):
        drawn = np.concatenate([places[name] for name in rng.choice(names, len(names))])
        labels = outcomes.labels_N[drawn]
        recalls.append(np.mean([(told[drawn] == one)[labels == one].mean() for one in set(labels.tolist())]))
    found = classes.overall(outcomes)["macro_recall"]
    assert [found.low, found.high] == pytest.approx(np.quantile(recalls, [0.025, 0.975]).tolist(), abs=0.02)
    assert found.units == 8
