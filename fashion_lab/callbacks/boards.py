"""Names and arrangement of what TensorBoard shows: tags, and which scalars share a chart."""

import re
from typing import Any

RATE = "train/learning_rate"
AUGMENTED = "pictures/augmented"
CONFUSION = "pictures/confusion"
BEST_CONFUSION = "pictures/confusion_best"
BEST_PREDICTIONS = "pictures/predictions_best"
WORST_QUERIES = "pictures/queries_worst_best"
RANDOM_QUERIES = "pictures/queries_random_best"
BEST = "with_best_checkpoint"  # prefix of the final metrics; sorts last, since each is a single point


def charts(is_classifier: bool) -> dict[str, dict[str, list[Any]]]:
    """Say which scalars share a chart, for the tab "custom scalars"."""
    both = {"loss": _lines("train/loss", "val/loss"), "learning rate": ["Multiline", [f"^{re.escape(RATE)}"]]}
    if is_classifier:
        overall = _lines("val/accuracy", "val/macro_recall", "val/macro_f1")
        mine = {
            "accuracy, macro recall, macro F1 (validation)": overall,
            "recall of each class (validation)": ["Multiline", ["^val/recall/"]],
        }
        return {"both stages": both, "stage 1: classifier": mine}
    sides = ("val", "val/other_senders", "val/product")
    mine = {
        "MAP@R (validation)": _lines(*(f"{side}/map_at_r" for side in sides)),
        "Precision@1 (validation)": _lines(*(f"{side}/precision_at_1" for side in sides)),
        "mean distances (train)": _lines("train/positive_distance", "train/negative_distance"),
        "active triplets, spread (train)": _lines("train/active_triplets", "train/spread"),
    }
    return {"both stages": both, "stage 2: embedding": mine}


def _lines(*tags: str) -> list[Any]:
    return ["Multiline", [f"^{re.escape(tag)}$" for tag in tags]]
