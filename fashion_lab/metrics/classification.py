"""Classification metrics from one confusion matrix: an epoch accumulates one thing only. C classes."""

from collections.abc import Sequence

import torch
from torch import Tensor


def classification_metrics(confusion_CC: Tensor, classes: Sequence[str]) -> dict[str, float]:
    """Accuracy, macro recall, macro F1 and every class's recall.

    Means over classes leave out classes without a picture in the split, which have no recall.

    Args:
        confusion_CC: [C, C] counts; rows are true classes, columns predicted ones.
        classes: C names.
    """
    counts = confusion_CC.double()
    right, true, predicted = counts.diagonal(), counts.sum(1), counts.sum(0)
    present = true > 0
    recall = right / true
    f1 = 2 * right / (true + predicted)
    metrics = {
        "accuracy": float(right.sum() / counts.sum()),
        "macro_recall": float(recall[present].mean()),
        "macro_f1": float(f1[present].mean()),
    }
    names = [
        (f"recall/{name}", value)
        for name, value, there in zip(classes, recall, present, strict=True)
        if there
    ]
    return metrics | {name: float(value) for name, value in names}


def class_weights(counts_C: Tensor, power: float) -> Tensor:
    """Weights [C] for an imbalanced loss: counts ** -power, scaled so that the mean over pictures is 1.

    Power 1 weighs every class the same in sum (scikit-learn's "balanced", the notebook's way), 0 every
    picture the same. Raises ValueError for a class without a picture.
    """
    if (counts_C == 0).any():
        raise ValueError(
            f"class counts are {counts_C.tolist()}; a class without training pictures has no weight"
        )
    weights = counts_C.double() ** -power
    return (weights * counts_C.sum() / (weights * counts_C).sum()).to(torch.float32)
