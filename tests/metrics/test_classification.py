import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, f1_score, recall_score
from sklearn.utils.class_weight import compute_class_weight
from torchmetrics.functional.classification import (
    multiclass_accuracy,
    multiclass_confusion_matrix,
    multiclass_f1_score,
)

from fashion_lab.metrics.classification import class_weights, classification_metrics

CLASSES = ["dress", "hat", "pants", "shoes"]


def confusion(true, predicted):
    return multiclass_confusion_matrix(predicted, true, num_classes=len(CLASSES))


def guesses(seed, classes=4, count=200):
    generator = torch.Generator().manual_seed(seed)
    true = torch.randint(classes, (count,), generator=generator)
    wrong = torch.randint(classes, (count,), generator=generator)
    return true, torch.where(torch.rand(count, generator=generator) < 0.6, true, wrong)


@pytest.mark.parametrize("seed", range(4))
def test_equal_to_scikit_learn_and_torchmetrics(seed):
    true, predicted = guesses(seed)
    metrics = classification_metrics(confusion(true, predicted), CLASSES)
    assert metrics["accuracy"] == pytest.approx(accuracy_score(true, predicted))
    assert metrics["macro_recall"] == pytest.approx(recall_score(true, predicted, average="macro"))
    assert metrics["macro_f1"] == pytest.approx(f1_score(true, predicted, average="macro"))
    macro = {"num_classes": 4, "average": "macro"}
    assert metrics["macro_recall"] == pytest.approx(
        float(multiclass_accuracy(predicted, true, **macro)), abs=1e-6
    )
    assert metrics["macro_f1"] == pytest.approx(
        float(multiclass_f1_score(predicted, true, **macro)), abs=1e-6
    )
    per_class = recall_score(true, predicted, average=None)
    assert [metrics[f"recall/{name}"] for name in CLASSES] == pytest.approx(per_class)


def test_an_absent_class_has_no_say():
    true, predicted = guesses(0, classes=3)
    predicted[:20] = 3  # predicted, but never right
    metrics = classification_metrics(confusion(true, predicted), CLASSES)
    assert "recall/shoes" not in metrics
    present = {"labels": [0, 1, 2], "average": "macro"}
    assert metrics["macro_recall"] == pytest.approx(recall_score(true, predicted, **present))
    assert metrics["macro_f1"] == pytest.approx(f1_score(true, predicted, **present))


def test_a_class_never_predicted_counts_as_zero():
    metrics = classification_metrics(torch.tensor([[5, 0], [3, 0]]), ["a", "b"])
    assert metrics == pytest.approx(
        {"accuracy": 5 / 8, "macro_recall": 0.5, "macro_f1": 5 / 13, "recall/a": 1.0, "recall/b": 0.0}
    )


def test_rows_are_the_truth():
    metrics = classification_metrics(torch.tensor([[1, 3], [0, 4]]), ["a", "b"])
    assert metrics["recall/a"] == 0.25
    assert metrics["recall/b"] == 1.0


def test_class_names_must_fit():
    with pytest.raises(ValueError, match="zip"):
        classification_metrics(torch.eye(3), ["a", "b"])


COUNTS = torch.tensor([100, 10, 40, 250])


def test_power_one_is_scikit_learns_balanced():
    labels = np.repeat(np.arange(4), COUNTS)
    expected = compute_class_weight("balanced", classes=np.arange(4), y=labels)
    assert class_weights(COUNTS, 1.0).tolist() == pytest.approx(expected)


def test_power_zero_is_no_weight():
    assert class_weights(COUNTS, 0.0).tolist() == [1.0] * 4


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0])
def test_a_picture_weighs_one_on_average(power):
    weights = class_weights(COUNTS, power)
    assert weights.dtype == torch.float32
    assert float((weights * COUNTS).sum() / COUNTS.sum()) == pytest.approx(1)
    ratio = float(weights[1] / weights[0])
    assert ratio == pytest.approx(10**power)


def test_a_class_without_pictures_has_no_weight():
    with pytest.raises(ValueError, match=r"\[3, 0\]; a class without training pictures"):
        class_weights(torch.tensor([3, 0]), 0.5)
