"""Runs with outcomes, as training and evaluation leave them."""

import json

import numpy as np
from test_studies import save_run

from fashion_lab.outcomes import Outcomes


def save_outcomes(folder, scores, *, groups=None, split="validation", items=None, metric="accuracy"):
    """Outcomes of N pictures of two classes in a run's folder; the result's metric becomes their mean."""
    scores_N = np.asarray(scores, dtype=float)
    count = len(scores_N)
    names = [f"{number}.jpg" for number in range(count)] if items is None else items
    Outcomes(
        catalog="clothing",
        split=split,
        classes=("dress", "hat"),
        items_N=np.array(names),
        labels_N=np.arange(count) % 2,
        groups_N=None if groups is None else np.asarray(groups),
        scores={metric: scores_N},
    ).save(folder)
    path = folder / "result.json"
    result = json.loads(path.read_text())
    prefix = {"validation": "val", "validation-start": "val_start", "validation-last": "val_last"}.get(
        split, split
    )
    result["metrics"][f"{prefix}/{metric}"] = float(np.nanmean(scores_N))
    path.write_text(json.dumps(result))
    return folder


def recipe_run(root, name, seed, scores, *, fold=None, **outcomes):
    """A run of recipe `name`, with outcomes unless `scores` is a number."""
    config = {"optimizer.lr": name, "data.fold": fold, "data.folds": None if fold is None else 3}
    words = [f"optimizer.lr={name}"]
    folder = root / f"{name}-{fold}-{seed}"
    if isinstance(scores, float):
        return save_run(folder, scores, *words, seed=seed, config=config)
    return save_outcomes(save_run(folder, 0.0, *words, seed=seed, config=config), scores, **outcomes)
