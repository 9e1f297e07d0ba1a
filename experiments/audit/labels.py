"""How many wrong labels the audit finds: `python experiments/audit/labels.py <fold 0> <fold 1> <fold 2>`.

Labels of data=clothing are changed at random, to any other class, and looked for among what the runs say. The
runs learned from the labels as they were, and so were not misled by wrong ones: a little optimistic.
"""

import sys
from pathlib import Path

import numpy as np

from fashion_lab.audits.folds import read_predictions
from fashion_lab.audits.labels import likely_errors
from fashion_lab.config import build, compose

SHARES = (0.0, 0.01, 0.02, 0.05, 0.1)
SEEDS = range(5)


def main(runs) -> None:
    catalog = build(compose("audit", ["data=clothing"]).data)
    found = read_predictions([Path(run) for run in runs], catalog)
    labels, chances = catalog.labels[found.rows_N], found.probabilities_NC
    print("| changed | listed | of the changed, listed | of the first 24, changed |")
    print("| ---: | ---: | ---: | ---: |")
    for share in SHARES:
        rows = []
        for seed in SEEDS if share else [0]:
            rng = np.random.default_rng(seed)
            changed = rng.choice(len(labels), round(share * len(labels)), replace=False)
            wrong = labels.copy()
            wrong[changed] += rng.integers(1, len(catalog.classes), len(changed))
            wrong %= len(catalog.classes)
            listed = likely_errors(wrong, chances)
            caught = np.isin(changed, listed).mean() if len(changed) else np.nan
            rows.append((len(changed), len(listed), caught, np.isin(listed[:24], changed).mean()))
        count, total, caught, first = np.mean(rows, axis=0)
        told = f"{caught:.0%}" if share else ""
        print(f"| {count:.0f} ({share:.0%}) | {total:.0f} | {told} | {first:.0%} |")


if __name__ == "__main__":
    main(sys.argv[1:])
