"""Two stages, notebook against default: runs what is missing, then writes the table and the plot.

python experiments/two-stages/study.py jobs=2     train (two at once, one thread each), then tables and plot
python experiments/two-stages/study.py jobs=0     tables and plot of what is there
"""

import csv
import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent
RUNS = Path("outputs/studies/two-stages")
FOLDS = 3
RECIPES = {"notebook": ["experiment=notebook"], "default": ["augment=catalog"]}  # the default as it was
REPEATS = {
    "official": [[f"seed={seed}"] for seed in range(3)],
    "folds": [[f"data.folds={FOLDS}", f"data.fold={fold}", f"seed={fold}"] for fold in range(FOLDS)],
}
STAGE_1 = ("val/accuracy", "val_last/accuracy", "val/macro_recall")
STAGE_2 = ("precision_at_1", "precision_at_5", "map_at_r", "r_precision")
VIEWS = {
    "all": "",
    "sender hidden": "other_senders/",
    "in train": "gallery/",
    "in train, sender hidden": "gallery/other_senders/",
}


class Job(NamedTuple):
    """One recipe, both stages, one repeat."""

    protocol: str
    recipe: str
    number: int

    @property
    def folder(self) -> Path:
        return RUNS / self.protocol / f"{self.recipe}-{self.number}"

    def commands(self) -> Iterator[list[str]]:
        words = ["data=clothing", *RECIPES[self.recipe], *REPEATS[self.protocol][self.number], "threads=1"]
        start = [sys.executable, "-m", "fashion_lab.train", *words]
        if not (self.folder / "classifier/result.json").exists():
            yield [*start, f"hydra.run.dir={self.folder}/classifier"]
        if not (self.folder / "siamese/result.json").exists():
            stage_2 = [
                "stage=siamese",
                f"ckpt={self.folder}/classifier",
                f"hydra.run.dir={self.folder}/siamese",
            ]
            yield [*start, *stage_2]

    def metrics(self) -> dict[str, float]:
        stages = ("classifier", "siamese")
        return {
            f"{stage} {name}": value
            for stage in stages
            for name, value in json.loads((self.folder / stage / "result.json").read_text())[
                "metrics"
            ].items()
        }


JOBS = [
    Job(protocol, recipe, n)
    for protocol, all_ in REPEATS.items()
    for n in range(len(all_))
    for recipe in RECIPES
]


def train(job: Job) -> None:
    """Run both stages of a job; a failure is shown and ends that job only."""
    for command in job.commands():
        print(*command[1:], flush=True)
        job.folder.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        if done.returncode:
            print(f"failed: {job.folder}\n{done.stderr[-2000:]}", file=sys.stderr)
            return


def floors() -> list[dict[str, str]]:
    """What needs no training: the largest class, and the nearest neighbour on 32x32 grey pixels."""
    import numpy as np
    import torch

    from fashion_lab.catalogs.clothing import ClothingCatalog
    from fashion_lab.data.pixels import PixelStore
    from fashion_lab.metrics.retrieval import leave_one_out, means, retrieval_scores
    from fashion_lab.pictures import PixelSpec
    from fashion_lab.studies.intervals import estimate

    seven = ["dress", "hat", "longsleeve", "pants", "shoes", "shorts", "t-shirt"]
    rows = []
    for protocol, repeats in {
        "official": [(None, None)],
        "folds": [(FOLDS, fold) for fold in range(FOLDS)],
    }.items():
        found: dict[str, list[float]] = {}
        for folds, fold in repeats:
            catalog = ClothingCatalog(classes=seven, name="clothing", folds=folds, fold=fold)
            pixels = PixelStore.open(catalog, PixelSpec(size=32, fit="squash")).pixels
            grey = torch.from_numpy(
                np.asarray(pixels, dtype=np.float32).mean(1).reshape(len(catalog), -1) / 255
            )
            train, val = catalog.splits["train"], catalog.splits["validation"]
            labels, groups = torch.from_numpy(catalog.labels), torch.from_numpy(catalog.groups)
            majority = np.bincount(catalog.labels[train]).argmax()
            near = means(retrieval_scores(grey[val], labels[val], grey[train], labels[train]))
            values = {
                "majority class": float((catalog.labels[val] == majority).mean()),
                "nearest grey pixels": near["precision_at_1"],
            }
            alone = leave_one_out(grey[val], labels[val])
            hidden = leave_one_out(grey[val], labels[val], groups[val])
            values |= {f"grey pixels {name}": alone[name] for name in STAGE_2}
            values |= {f"grey pixels sender hidden {name}": hidden[name] for name in STAGE_2}
            for name, value in values.items():
                found.setdefault(name, []).append(value)
        rows += [row(protocol, "floor", name, estimate(values)) for name, values in found.items()]
    return rows


def row(protocol: str, recipe: str, metric: str, value: tuple[float, float | None, int]) -> dict[str, str]:
    mean, half, repeats = value
    interval = "" if half is None else f"{half:.4f}"
    return {
        "protocol": protocol,
        "recipe": recipe,
        "metric": metric,
        "mean": f"{mean:.4f}",
        "half_interval": interval,
        "runs": str(repeats),
    }


def table() -> list[dict[str, str]]:
    """Mean and 95% interval of every metric, and the paired gain of stage 2 over its own start."""
    from fashion_lab.studies.intervals import estimate

    rows = floors()
    for protocol in REPEATS:
        for recipe in RECIPES:
            runs = [job.metrics() for job in JOBS if (job.protocol, job.recipe) == (protocol, recipe)]
            for name in STAGE_1:
                rows.append(
                    row(protocol, recipe, name, estimate([run[f"classifier {name}"] for run in runs]))
                )
            for view, prefix in VIEWS.items():
                for name in STAGE_2:
                    start = [run[f"siamese val_start/{prefix}{name}"] for run in runs]
                    end = [run[f"siamese val/{prefix}{name}"] for run in runs]
                    gain = [b - a for a, b in zip(start, end, strict=True)]
                    for what, values in {"stage 1": start, "stage 2": end, "gain": gain}.items():
                        rows.append(row(protocol, recipe, f"{what} {name} ({view})", estimate(values)))
    return rows


def as_markdown(rows: list[dict[str, str]]) -> str:
    """The rows that the verdict is about, a table for each protocol."""
    found = {(r["protocol"], r["recipe"], r["metric"]): r for r in rows}

    def cell(protocol: str, recipe: str, metric: str) -> str:
        cells = found.get((protocol, recipe, metric))
        if cells is None:
            return ""
        return cells["mean"] + (f" ± {cells['half_interval']}" if cells["half_interval"] else "")

    lines = []
    for protocol, repeats in REPEATS.items():
        lines += [
            f"## {protocol}: {len(repeats)} repeats of each recipe, mean ± half of the 95% interval",
            "",
        ]
        lines += [
            "| metric | " + " | ".join(["floor", *RECIPES]) + " |",
            "|---|" + "---:|" * (1 + len(RECIPES)),
        ]
        floor = cell(protocol, "floor", "majority class") + " largest class, "
        floor += cell(protocol, "floor", "nearest grey pixels") + " nearest grey pixels"
        for name in STAGE_1:
            values = [floor if name == "val/accuracy" else "", *(cell(protocol, r, name) for r in RECIPES)]
            lines.append(f"| stage 1 {name} | {' | '.join(values)} |")
        for view in VIEWS:
            seen = {"all": "", "sender hidden": "sender hidden "}.get(view)
            for name in STAGE_2:
                floor = "" if seen is None else cell(protocol, "floor", f"grey pixels {seen}{name}")
                for what in ("stage 1", "stage 2", "gain"):
                    values = [floor if what == "stage 1" else ""]
                    values += [cell(protocol, r, f"{what} {name} ({view})") for r in RECIPES]
                    lines.append(f"| {name} ({view}), {what} | {' | '.join(values)} |")
        lines.append("")
    return "\n".join(lines)


def plot(rows: list[dict[str, str]], path: Path) -> None:
    """Accuracy of stage 1, and MAP@R before and after stage 2, for both protocols."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    value = {
        (r["protocol"], r["recipe"], r["metric"]): (float(r["mean"]), float(r["half_interval"] or 0))
        for r in rows
    }
    panels = {
        "stage 1: accuracy": {"": "val/accuracy"},
        "Precision@1, leave one out": {s: f"{s} precision_at_1 (all)" for s in ("stage 1", "stage 2")},
        "MAP@R, leave one out": {s: f"{s} map_at_r (all)" for s in ("stage 1", "stage 2")},
        "MAP@R, sender hidden": {s: f"{s} map_at_r (sender hidden)" for s in ("stage 1", "stage 2")},
    }
    figure, axes = plt.subplots(1, len(panels), figsize=(15, 4), sharey=True, layout="constrained")
    groups = [(protocol, recipe) for protocol in REPEATS for recipe in RECIPES]
    for axis, (title, bars) in zip(axes, panels.items(), strict=True):
        width = 0.8 / len(bars)
        for place, (protocol, recipe) in enumerate(groups):
            for number, (stage, metric) in enumerate(bars.items()):
                mean, half = value[protocol, recipe, metric]
                x = place + (number - (len(bars) - 1) / 2) * width
                light = stage == "stage 1"
                colour = {"notebook": "#6b7683", "default": "#1f6feb"}[recipe]
                axis.bar(
                    x, mean, width * 0.92, yerr=half, color=colour, alpha=0.45 if light else 1, capsize=2
                )
                axis.text(
                    x, 0.02, f"{mean:.2f}", ha="center", fontsize=8, color="black" if light else "white"
                )
        axis.set_xticks(
            range(len(groups)), [f"{recipe}\n{protocol}" for protocol, recipe in groups], fontsize=9
        )
        axis.set_title(title + (" (light: before stage 2)" if len(bars) > 1 else ""), fontsize=10)
        axis.set_ylim(0, 1)
        axis.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=130)


def main(jobs: int) -> None:
    if jobs:
        with ThreadPoolExecutor(jobs) as pool:
            list(pool.map(train, JOBS))
    rows = table()
    with (HERE / "table.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    (HERE / "table.md").write_text(as_markdown(rows))
    plot(rows, HERE / "plot.png")


if __name__ == "__main__":
    (word,) = sys.argv[1:] or ["jobs=0"]
    main(int(word.removeprefix("jobs=")))
