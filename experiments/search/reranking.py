"""Does re-ranking pay? Hits of one encoder, ordered again by their neighbours, on folds with senders apart.

python experiments/search/reranking.py outputs/folds/s0 outputs/folds/s1 outputs/folds/s2

Takes runs trained with `data.folds=3 data.fold=0,1,2`; each validation picture searches the training
pictures, those of its own sender hidden. Writes reranking.md beside this file.
Q queries, G gallery, N = Q + G, D embedding.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from fashion_lab.checkpoint import RECORD, find, read
from fashion_lab.config import build
from fashion_lab.data.pixels import PixelStore
from fashion_lab.encoders import load
from fashion_lab.studies.intervals import estimate

HERE = Path(__file__).parent
METRICS = ("map_at_r", "precision_at_1", "precision_at_5")


def squared(left_ND, right_MD):
    """Squared Euclidean distances [N, M], centred."""
    mean_D = right_MD.mean(axis=0)
    left, right = left_ND - mean_D, right_MD - mean_D
    square = (left**2).sum(1)[:, None] + (right**2).sum(1) - 2 * left @ right.T
    return np.maximum(square, 0)


def plain(queries, gallery, hidden):
    return np.where(hidden, np.inf, squared(queries, gallery))


def expanded(count: int, weighted: bool) -> Callable:
    """Average query expansion (O. Chum et al. 2007, "Total recall"); weights fall with the rank."""

    def rank(queries, gallery, hidden):
        order = np.argsort(plain(queries, gallery, hidden), axis=1)[:, :count]
        weights = np.linspace(1, 1 / count, count) if weighted else np.ones(count)
        sums = queries + np.einsum("qkd,k->qd", gallery[order], weights)
        return plain(sums / (1 + weights.sum()), gallery, hidden)

    return rank


def augmented(count: int) -> Callable:
    """Database augmentation (R. Arandjelovic, A. Zisserman 2012): items become means of their neighbours."""

    def rank(queries, gallery, hidden):
        order = np.argsort(squared(gallery, gallery), axis=1)[:, : count + 1]
        return plain(queries, gallery[order].mean(axis=1), hidden)

    return rank


def reciprocal(k1: int, k2: int, share: float) -> Callable:
    """k-reciprocal encoding (Z. Zhong et al. 2017, "Re-ranking person re-identification", eq. 3 to 12)."""

    def rank(queries, gallery, hidden):
        everything = np.concatenate([queries, gallery])
        distance = squared(everything, everything)
        distance /= distance.max(axis=1, keepdims=True)
        distance[: len(queries), len(queries) :][hidden] = np.inf
        distance[len(queries) :, : len(queries)][hidden.T] = np.inf
        order = np.argsort(distance, axis=1)[:, : k1 + 1]
        near = np.zeros(distance.shape, dtype=bool)
        np.put_along_axis(near, order, True, axis=1)
        half = np.zeros_like(near)
        np.put_along_axis(half, order[:, : round(k1 / 2) + 1], True, axis=1)
        mutual, half = near & near.T, half & half.T
        encoding = np.zeros_like(distance)
        for row in range(len(everything)):
            members = mutual[row].copy()
            for candidate in np.flatnonzero(mutual[row]):
                if (half[candidate] & mutual[row]).sum() > 2 / 3 * half[candidate].sum():
                    members |= half[candidate]
            weights = np.exp(-distance[row, members])
            encoding[row, members] = weights / weights.sum()
        encoding = encoding[order[:, :k2]].mean(axis=1)
        found = np.empty(hidden.shape)
        for row in range(len(queries)):
            shared = np.minimum(encoding[row], encoding[len(queries) :]).sum(axis=1)
            found[row] = 1 - shared / (2 - shared)
        mixed = (1 - share) * found + share * distance[: len(queries), len(queries) :]
        return np.where(hidden, np.inf, mixed)

    return rank


METHODS = {
    "none": plain,
    "query expansion, 2": expanded(2, False),
    "query expansion, 5": expanded(5, False),
    "query expansion, 10 weighted by rank": expanded(10, True),
    "database augmentation, 5": augmented(5),
    "k-reciprocal, 20 / 6 / 0.3": reciprocal(20, 6, 0.3),
}


def scores(distance_QG, query_labels, gallery_labels) -> dict[str, float]:
    """MAP@R and precision over the queries that have an answer."""
    rows = []
    for distance, label in zip(distance_QG, query_labels, strict=True):
        order = np.argsort(distance, kind="stable")
        right = gallery_labels[order[np.isfinite(distance[order])]] == label
        count = int(right.sum())
        if count:
            precision = np.cumsum(right[:count]) / np.arange(1, count + 1)
            rows.append([(precision * right[:count]).sum() / count, right[0], right[:5].mean()])
    return dict(zip(METRICS, np.mean(rows, axis=0).tolist(), strict=True))


def measure(run: str) -> dict[str, dict[str, float]]:
    encoder = load(run, runtime="torch")
    catalog = build(read(find(run))[RECORD]["config"]["data"])
    store = PixelStore.open(catalog, encoder.pixels)
    rows = [store.keep_readable(catalog.splits[name]) for name in ("validation", "train")]
    queries, gallery = (encoder.embed(store.at(some)).astype(np.float64) for some in rows)
    query_labels, gallery_labels = (catalog.labels[some] for some in rows)
    hidden = catalog.groups[rows[0]][:, None] == catalog.groups[rows[1]]
    found = {}
    for name, method in METHODS.items():
        start = time.process_time()
        distance = method(queries, gallery, hidden)
        spent = time.process_time() - start
        found[name] = scores(distance, query_labels, gallery_labels)
        found[name]["milliseconds"] = 1000 * spent / len(queries)
    return found


def table(runs: list[dict[str, dict[str, float]]]) -> str:
    lines = ["| method | MAP@R | Precision@1 | Precision@5 | CPU ms a query |", "|---|---:|---:|---:|---:|"]
    for name in METHODS:
        cells = []
        for metric in METRICS:
            mean = np.mean([run[name][metric] for run in runs])
            gain = estimate([run[name][metric] - run["none"][metric] for run in runs])
            half = "" if gain.half is None else f" ± {gain.half:.3f}"
            cells.append(f"{mean:.3f}" + ("" if name == "none" else f" ({gain.mean:+.3f}{half})"))
        spent = np.mean([run[name]["milliseconds"] for run in runs])
        lines.append(f"| {name} | {' | '.join(cells)} | {spent:.2f} |")
    return "\n".join(lines)


def main() -> None:
    torch.set_num_threads(1)
    runs = {name: measure(name) for name in sys.argv[1:]}
    text = f"Runs: {len(runs)}; in brackets the paired gain with its 95% interval over runs.\n\n"
    text += table(list(runs.values()))
    print(text)
    (HERE / "reranking.md").write_text(text + "\n")
    (HERE / "reranking.json").write_text(json.dumps(list(runs.values()), indent=1) + "\n")


if __name__ == "__main__":
    main()
