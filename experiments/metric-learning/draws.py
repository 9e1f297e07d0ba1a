"""What the drawing of batches and changes does: pytorch-metric-learning's trainer with ever more of ours.

    python experiments/metric-learning/draws.py <a stage 2 run> <way> <seed>

Ways: `theirs`, its sampler and torchvision's changes, as in the study; `changes`, its sampler and our
changes; `batches`, our very batches, changed by the very numbers that our training drew with that seed.
Prints the metrics of validation after the last epoch, and how many queries end otherwise than in our run.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_metric
import torch
from omegaconf import OmegaConf
from pictures import Pictures
from study import METRICS, lay_down, setting_of
from torch import Tensor, nn
from torch.utils.data import Dataset, Sampler

from fashion_lab.config import build
from fashion_lab.contracts.batch import INDICES
from fashion_lab.data.augment import Augment
from fashion_lab.data.loader import DRAWS, IndexLoader
from fashion_lab.evaluation import retrieved
from fashion_lab.networks import normalise
from fashion_lab.outcomes import LAST_EPOCH, VALIDATION, Outcomes
from fashion_lab.run_files import CONFIG


class Changes:
    """Our augmentation for one picture at a time; without numbers of its own it draws them."""

    def __init__(self, augment: Augment) -> None:
        self.augment = augment

    def __call__(self, picture: Tensor, draws: Tensor | None = None) -> Tensor:
        numbers = torch.rand(Augment.DRAWS) if draws is None else draws
        return self.augment(normalise(picture[None]), numbers[None])[0]


class OurBatches(Dataset[tuple[Tensor, int]]):
    """Every picture that our training saw, one after the other, as it saw it."""

    def __init__(self, pictures: Pictures, changes: Changes, loader: IndexLoader, epochs: int) -> None:
        self.pictures, self.changes = pictures, changes
        self.seen: list[tuple[int, Tensor]] = []
        for epoch in range(epochs):
            loader.set_epoch(epoch)
            for batch in loader:
                self.seen += zip(batch[INDICES].tolist(), batch[DRAWS], strict=True)

    def __len__(self) -> int:
        return len(self.seen)

    def __getitem__(self, number: int) -> tuple[Tensor, int]:
        row, draws = self.seen[number]
        picture = torch.from_numpy(self.pictures.pixels[row])
        return self.changes(picture, draws), int(self.pictures.labels[row])


class InOrder(Sampler[int]):
    """From the first picture to the last, an epoch at each iteration."""

    def __init__(self, an_epoch: int) -> None:
        self.an_epoch, self.start = an_epoch, 0

    def __len__(self) -> int:
        return self.an_epoch

    def __iter__(self) -> Iterator[int]:
        start, self.start = self.start, self.start + self.an_epoch
        return iter(range(start, self.start))


def trained(start: nn.Module, pictures: Pictures, cfg: Any, plan: dict[str, Any], way: str) -> nn.Module:
    """Train from `start` in one of the ways that are named above."""
    changes = Changes(build(cfg.augment))
    if way == "theirs":
        return pytorch_metric.train(start, pictures, plan)
    if way == "changes":
        return pytorch_metric.train(start, Pictures(pictures.pixels, pictures.labels, changes), plan)
    rows = np.arange(len(pictures))
    sampler = build(cfg.sampler)(positions=rows, labels=pictures.labels, seed=plan["seed"])
    loader = IndexLoader(sampler, draws=Augment.DRAWS)
    ours = OurBatches(pictures, changes, loader, plan["epochs"])
    return pytorch_metric.train_on(start, ours, InOrder(len(ours) // plan["epochs"]), plan)


if __name__ == "__main__":
    torch.set_num_threads(1)
    run, way, seed = sys.argv[1:]
    if way not in ("theirs", "changes", "batches"):
        sys.exit(f"way {way}: choose theirs, changes or batches")
    one = setting_of(Path(run))
    pictures, plan = lay_down(one)
    cfg = OmegaConf.load(one.run / CONFIG)
    network = trained(one.start, pictures, cfg, plan | {"seed": int(seed)}, way)
    found = retrieved(network, one.catalog, one.store, VALIDATION)
    values = {name: round(float(np.nanmean(found.scores[key])), 4) for name, key in METRICS.items()}
    ours = Outcomes.load(one.run, LAST_EPOCH).scores[METRICS["MAP@R"]]
    others = ~np.isclose(found.scores[METRICS["MAP@R"]], ours, rtol=0, atol=1e-6, equal_nan=True)
    print(run, way, seed, values, f"{others.sum()} of {len(ours)} queries differ in MAP@R")
