"""What else was tried for stage 2: each from the study's own stage 1 runs, on the folds with senders apart.

python experiments/two-stages/tries.py jobs=2     train what is missing (two at once), then the table
python experiments/two-stages/tries.py jobs=0     the table of what is there
"""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from fashion_lab.studies.intervals import estimate

HERE = Path(__file__).parent
RUNS = Path("outputs/studies/two-stages")
FOLDS = 3
WIDTH = 128  # channels of the default backbone, where an embedding has no projection
SOFTMAX = [
    "loss=proxy_anchor",
    "encoder.projection=null",
    "~loss.loss.margin",
    "~loss.loss.alpha",
    "loss.loss._target_=pytorch_metric_learning.losses.NormalizedSoftmaxLoss",
    f"loss.loss.embedding_size={WIDTH}",
    "++loss.loss.temperature=0.05",
]
TRIES = {
    "multi-similarity, lr 2e-3 (default)": [],
    "multi-similarity, lr 1e-3": ["optimizer.lr=1e-3"],
    "multi-similarity, erasing and a wider affine": [
        *("augment.erasing=0.5", "augment.scale=0.3", "augment.rotation=20"),
    ],
    "supervised contrastive": ["loss=sup_con"],
    "proxy anchor, no projection": [
        *("loss=proxy_anchor", "encoder.projection=null", f"loss.loss.embedding_size={WIDTH}"),
    ],
    "normalised softmax (a classifier's head on the embedding)": SOFTMAX,
}
METRICS = {
    "Precision@1": "precision_at_1",
    "Precision@1, sender hidden": "other_senders/precision_at_1",
    "Precision@1, in train": "gallery/precision_at_1",
    "MAP@R": "map_at_r",
    "MAP@R, in train": "gallery/map_at_r",
}


def folder(name: str, fold: int) -> Path:
    if not TRIES[name]:
        return RUNS / f"folds/default-{fold}/siamese"  # the study has it
    return RUNS / "tries" / f"{list(TRIES).index(name)}-{fold}"


def train(name: str, fold: int) -> None:
    run = folder(name, fold)
    if (run / "result.json").exists():
        return
    words = ["data=clothing", f"data.folds={FOLDS}", f"data.fold={fold}", f"seed={fold}", "threads=1"]
    words += ["stage=siamese", f"ckpt={RUNS}/folds/default-{fold}/classifier", f"hydra.run.dir={run}"]
    command = [sys.executable, "-m", "fashion_lab.train", *words, *TRIES[name]]
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        print(f"failed: {name}, fold {fold}\n{done.stderr[-2000:]}", file=sys.stderr)


def gain(name: str, metric: str) -> str:
    """Mean of the folds, and half of its 95% interval."""
    found = [json.loads((folder(name, n) / "result.json").read_text())["metrics"] for n in range(FOLDS)]
    mean, half, _ = estimate([run[f"val/{metric}"] - run[f"val_start/{metric}"] for run in found])
    return f"{mean:+.3f} ± {half:.3f}"


def main(jobs: int) -> None:
    if jobs:
        with ThreadPoolExecutor(jobs) as pool:
            list(pool.map(lambda one: train(*one), [(name, fold) for name in TRIES for fold in range(FOLDS)]))
    lines = ["| gain of stage 2 by | " + " | ".join(METRICS) + " |", "|---|" + "---:|" * len(METRICS)]
    lines += [
        f"| {name} | " + " | ".join(gain(name, metric) for metric in METRICS.values()) + " |"
        for name in TRIES
    ]
    (HERE / "tries.md").write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    (word,) = sys.argv[1:] or ["jobs=0"]
    main(int(word.removeprefix("jobs=")))
