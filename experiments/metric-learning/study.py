"""Stage 2 against pytorch-metric-learning's own trainer: the same stage 1 runs, pictures, loss and epochs.

    python -m fashion_lab.train experiment=scratch64 folds=3 hydra.sweep.dir=outputs/scratch64/folds
    python -m fashion_lab.train data=clothing stage=siamese ckpt=outputs/scratch64/folds folds=3 \\
        hydra.sweep.dir=outputs/scratch64/stage2
    python experiments/metric-learning/study.py outputs/scratch64/stage2

Trains with theirs what is missing, beside each stage 2 run of ours; writes the table. Both have the loss,
miner, optimizer, rates, batches, epochs, clipped gradients, white corners and averaged weights, measured
after the last epoch: theirs has no best one. Theirs augments picture by picture, with torchvision.
"""

import logging
import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from omegaconf import OmegaConf
from pytorch_metric_learning import losses, miners, samplers, trainers
from torch import Tensor
from torch.nn.utils import clip_grad_norm_
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import Dataset
from torchvision.transforms import v2

from fashion_lab import outcomes
from fashion_lab.catalogs.clothing import ClothingCatalog
from fashion_lab.config import build
from fashion_lab.data.pixels import PixelStore
from fashion_lab.data.samplers import MOST_CLASSES
from fashion_lab.encoders.runs import read_run
from fashion_lab.evaluation import raw_pixels, retrieved
from fashion_lab.networks import SiameseEncoder
from fashion_lab.outcomes import START, Outcomes
from fashion_lab.run_files import FOLDER, LAST
from fashion_lab.studies.intervals import estimate
from fashion_lab.studies.runs import CONFIG

HERE = Path(__file__).parent
SPLIT = "validation"
THEIRS = "theirs"
WHITE = 255
METRICS = {
    "MAP@R": "other_senders/map_at_r",
    "Precision@1": "other_senders/precision_at_1",
    "Precision@5": "other_senders/precision_at_5",
}
AUGMENT = v2.Compose(
    [
        v2.RandomHorizontalFlip(),
        v2.RandomAffine(
            15,
            translate=(0.1, 0.1),
            scale=(0.8, 1.2),
            interpolation=v2.InterpolationMode.BILINEAR,
            fill=WHITE,
        ),
        v2.ColorJitter(brightness=0.2, contrast=0.3, saturation=0.3),
        v2.ToDtype(torch.float32, scale=True),
        v2.Normalize([0.5] * 3, [0.5] * 3),
    ]
)


class Pictures(Dataset[tuple[Tensor, int]]):
    """The training pictures of a fold, augmented one by one, as torchvision does it."""

    def __init__(self, catalog: ClothingCatalog, store: PixelStore) -> None:
        self.rows = store.keep_readable(catalog.splits["train"])
        self.labels, self.store = catalog.labels[self.rows], store

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, number: int) -> tuple[Tensor, int]:
        pixels = torch.from_numpy(np.array(self.store.pixels[self.rows[number]]))
        return AUGMENT(pixels), int(self.labels[number])


def train_theirs(network: SiameseEncoder, pictures: Pictures, cfg: Any) -> SiameseEncoder:
    """Train with MetricLossOnly as our config says, and give the average of the weights."""
    torch.manual_seed(cfg.seed)
    np.random.seed(cfg.seed)  # noqa: NPY002 - their sampler draws from it
    rate, epochs, per_class = cfg.optimizer.lr, cfg.trainer.max_epochs, cfg.sampler.pictures_per_class
    batch = per_class * (cfg.sampler.classes_per_batch or min(MOST_CLASSES, len(np.unique(pictures.labels))))
    steps = len(pictures) // batch
    optimizer = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=cfg.optimizer.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, rate, total_steps=epochs * steps, pct_start=0.2, cycle_momentum=False
    )
    average = AveragedModel(
        network,
        multi_avg_fn=get_ema_multi_avg_fn(cfg.callbacks.ema.decay),  # type: ignore[no-untyped-call]
        use_buffers=True,
    )
    trainers.MetricLossOnly(
        models={"trunk": network},
        optimizers={"trunk_optimizer": optimizer},
        batch_size=batch,
        loss_funcs={"metric_loss": losses.MultiSimilarityLoss(alpha=2.0, beta=50.0, base=0.5)},
        mining_funcs={"tuple_miner": miners.MultiSimilarityMiner(epsilon=0.1)},
        dataset=pictures,
        sampler=samplers.MPerClassSampler(pictures.labels, per_class, batch, steps * batch),
        iterations_per_epoch=steps,
        lr_schedulers={"trunk_scheduler_by_iteration": schedule},
        gradient_clippers={
            "trunk": partial(clip_grad_norm_, list(network.parameters()), cfg.trainer.gradient_clip_val)
        },
        end_of_iteration_hook=lambda trainer: average.update_parameters(trainer.models["trunk"]),
        dataloader_num_workers=0,
        data_device=torch.device("cpu"),
    ).train(num_epochs=epochs)
    averaged: SiameseEncoder = average.module
    return averaged


def embeddings(run: Path) -> Iterator[tuple[str, Outcomes]]:
    """Every embedding of a fold with its outcomes; trains theirs where that was not done."""
    ours = read_run(run / FOLDER / LAST)
    catalog = build(OmegaConf.create(ours.data))
    store = PixelStore.open(catalog, ours.blueprint.pixels)
    if not (run / outcomes.FOLDER / f"{THEIRS}.npz").exists():
        start = read_run(ours.source["parent"]["path"])
        network = SiameseEncoder(start.network.backbone, normalize=True).requires_grad_()
        network = train_theirs(network, Pictures(catalog, store), OmegaConf.load(run / CONFIG))
        replace(retrieved(network, catalog, store, SPLIT), split=THEIRS).save(run)
    yield "raw pixels, 32 x 32 grey", raw_pixels(catalog, store, SPLIT)
    yield "stage 1", Outcomes.load(run, START)
    yield "pytorch-metric-learning's trainer", Outcomes.load(run, THEIRS)
    yield "stage 2", retrieved(ours.network, catalog, store, SPLIT)


def table(folds: list[dict[str, Outcomes]]) -> str:
    """Means over folds with 95% intervals, and stage 2's gain on each other embedding, paired by fold."""
    lines = [f"| embedding | {' | '.join(METRICS)} |", "|---|" + "---:|" * len(METRICS)]
    for name in folds[0]:
        lines.append(f"| {name} | {' | '.join(_cell(folds, name, key) for key in METRICS.values())} |")
    for name in list(folds[0])[:-1]:
        gains = [_cell(folds, "stage 2", key, less=name) for key in METRICS.values()]
        lines.append(f"| stage 2 less {name} | {' | '.join(gains)} |")
    return "\n".join(lines) + "\n"


def _cell(folds: list[dict[str, Outcomes]], name: str, key: str, less: str | None = None) -> str:
    found = [float(np.nanmean(fold[name].scores[key])) for fold in folds]
    if less is not None:
        found = [
            value - float(np.nanmean(fold[less].scores[key]))
            for value, fold in zip(found, folds, strict=True)
        ]
    mean, half, _ = estimate(found)
    return f"{mean:{'+' if less else ''}.3f} ± {half:.3f}"


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    torch.set_num_threads(1)
    runs = sorted(path.parent for path in Path(sys.argv[1]).glob("*/result.json"))
    text = table([dict(embeddings(run)) for run in runs])
    (HERE / "table.md").write_text(text)
    print(text)
