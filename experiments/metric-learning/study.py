"""Stage 2 against the trainers of two libraries: the same stage 1 runs, pictures, batches, rates and epochs.

    python experiments/metric-learning/study.py <a stage 2 sweep> <its table>

Lays down beside each stage 2 run where it started and its pictures; trains what is missing with
pytorch-metric-learning; reads what open_metric.py has trained (so run this, that and this again); writes the
table. All are measured after the last epoch.
"""

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytorch_metric
import torch
from omegaconf import OmegaConf
from pictures import Pictures
from torch import nn

from fashion_lab import outcomes
from fashion_lab.catalogs.clothing import ClothingCatalog
from fashion_lab.config import build
from fashion_lab.data.pixels import PixelStore
from fashion_lab.data.samplers import MOST_CLASSES
from fashion_lab.encoders.runs import read_run
from fashion_lab.evaluation import retrieved
from fashion_lab.networks import SiameseEncoder
from fashion_lab.outcomes import RAW, STAGE_1, STAGE_2, VALIDATION, Outcomes, beside
from fashion_lab.run_files import CONFIG, FOLDER, LAST
from fashion_lab.studies.intervals import estimate

PYTORCH, OPEN = "pytorch-metric-learning's trainer", "open-metric-learning's trainer"
METRICS = {
    "MAP@R": "other_senders/map_at_r",
    "Precision@1": "other_senders/precision_at_1",
    "Precision@5": "other_senders/precision_at_5",
}


class Setting(NamedTuple):
    """A stage 2 run of ours, and what others need to do the same."""

    run: Path
    catalog: ClothingCatalog
    store: PixelStore
    ours: SiameseEncoder
    start: SiameseEncoder

    @property
    def others(self) -> Path:
        return self.run / "others"


def setting_of(run: Path) -> Setting:
    """Read a run of ours, at its last epoch, and the encoder that it began with."""
    ours = read_run(run / FOLDER / LAST)
    catalog = build(OmegaConf.create(ours.data))
    store = PixelStore.open(catalog, ours.blueprint.pixels)
    backbone = read_run(ours.source["parent"]["path"]).network.backbone
    start = SiameseEncoder(backbone, normalize=True).requires_grad_()
    return Setting(run, catalog, store, ours.network, start)


def plan_of(run: Path, labels: Any) -> dict[str, Any]:
    """Say how a run of ours trained."""
    cfg = OmegaConf.load(run / CONFIG)
    classes = cfg.sampler.classes_per_batch or min(MOST_CLASSES, len(np.unique(labels)))
    return {
        "seed": cfg.seed,
        "lr": cfg.optimizer.lr,
        "weight_decay": cfg.optimizer.weight_decay,
        "epochs": cfg.trainer.max_epochs,
        "clip": cfg.trainer.gradient_clip_val,
        "ema": cfg.callbacks.ema.decay,
        "classes": classes,
        "pictures_per_class": cfg.sampler.pictures_per_class,
        "steps": len(labels) // (classes * cfg.sampler.pictures_per_class),
    }


def lay_down(one: Setting) -> tuple[Pictures, dict[str, Any]]:
    """Write what open_metric.py starts from, once."""
    rows = one.store.keep_readable(one.catalog.splits["train"])
    pictures = Pictures(np.array(one.store.at(rows)), one.catalog.labels[rows])
    plan = plan_of(one.run, pictures.labels)
    one.others.mkdir(exist_ok=True)
    if not (one.others / "plan.json").exists():
        np.savez(one.others / "pictures.npz", pixels=pictures.pixels, labels=pictures.labels)
        torch.save(one.start, one.others / "start.pt")
        (one.others / "plan.json").write_text(json.dumps(plan, indent=2) + "\n")
    return pictures, plan


def embeddings(run: Path) -> Iterator[tuple[str, Outcomes]]:
    """Every embedding with its outcomes on validation; trains what pytorch-metric-learning has not."""
    one = setting_of(run)
    pictures, plan = lay_down(one)
    yield RAW, Outcomes.load(run, beside(VALIDATION, RAW))
    yield STAGE_1, Outcomes.load(run, beside(VALIDATION, STAGE_1))
    if not (run / outcomes.FOLDER / "pytorch_metric.npz").exists():
        _keep(one, pytorch_metric.train(one.start, pictures, plan), "pytorch_metric")
    yield PYTORCH, Outcomes.load(run, "pytorch_metric")
    if (one.others / "open_metric.pt").exists():
        one.start.load_state_dict(torch.load(one.others / "open_metric.pt", weights_only=True))
        _keep(one, one.start, "open_metric")
        yield OPEN, Outcomes.load(run, "open_metric")
    yield STAGE_2, retrieved(one.ours, one.catalog, one.store, VALIDATION)


def _keep(one: Setting, network: nn.Module, name: str) -> None:
    found = retrieved(network, one.catalog, one.store, VALIDATION)
    replace(found, split=name).save(one.run)


def table(repeats: list[dict[str, Outcomes]]) -> str:
    """Means over runs with 95% intervals, and stage 2's gain on each other embedding, paired by run."""
    names = list(max(repeats, key=len))
    lines = [f"| embedding | {' | '.join(METRICS)} |", "|---|" + "---:|" * len(METRICS)]
    having = {name: [one for one in repeats if name in one] for name in names}
    for name, some in having.items():
        few = "" if len(some) == len(repeats) else f" ({len(some)} of {len(repeats)} runs)"
        lines.append(f"| {name}{few} | {' | '.join(_cell(some, name, key) for key in METRICS.values())} |")
    for name in names[:-1]:
        gains = [_cell(having[name], STAGE_2, key, less=name) for key in METRICS.values()]
        lines.append(f"| {STAGE_2} less {name} | {' | '.join(gains)} |")
    return "\n".join(lines) + "\n"


def _cell(repeats: list[dict[str, Outcomes]], name: str, key: str, less: str | None = None) -> str:
    found = [float(np.nanmean(one[name].scores[key])) for one in repeats]
    if less is not None:
        others = [float(np.nanmean(one[less].scores[key])) for one in repeats]
        found = [value - other for value, other in zip(found, others, strict=True)]
    mean, half, _ = estimate(found)
    return f"{mean:{'+' if less else ''}.3f}" + (f" ± {half:.3f}" if half is not None else "")


if __name__ == "__main__":
    torch.set_num_threads(1)
    sweep, out = map(Path, sys.argv[1:])
    results = sorted(sweep.glob("*/result.json"))
    text = table([dict(embeddings(result.parent)) for result in results])
    out.write_text(text)
    print(text)
