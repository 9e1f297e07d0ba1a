"""open-metric-learning's trainer, in an environment of its own: it wants older Lightning and numpy.

    uv venv outputs/oml
    uv pip install --python outputs/oml "open-metric-learning[pipelines]==4.0.0" "setuptools<81" timm
    PYTHONPATH=. outputs/oml/bin/python experiments/metric-learning/open_metric.py <stage 2 sweep>

Trains from each start that study.py has laid down, with OML's Lightning module, balanced batches and the loss
that its documentation begins with (triplets, all of a batch, margin 0.1; it has no multi-similarity loss).
Rate, schedule, clipping and number of steps are those of our stage 2; it does not average weights.
Where all triplets would not fit into memory (1,280 numbers each), each batch draws some of them.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from oml.const import INPUT_TENSORS_KEY, LABELS_KEY
from oml.interfaces.models import IExtractor
from oml.lightning.modules.extractor import ExtractorModule
from oml.losses.triplet import TripletLossWithMiner
from oml.miners.inbatch_all_tri import AllTripletsMiner
from oml.samplers.balance import BalanceSampler
from pictures import Pictures
from torch import Tensor, nn
from torch.utils.data import DataLoader

from fashion_lab.networks import SiameseEncoder

MARGIN = 0.1
MOST_NUMBERS = 2**25  # in one of the three tensors that a batch's triplets are copied into: 128 MiB


class Extractor(IExtractor):  # type: ignore[misc]
    """Our encoder as theirs."""

    def __init__(self, network: SiameseEncoder) -> None:
        super().__init__()
        self.network = network

    def forward(self, images_BCHW: Tensor) -> Tensor:
        embeddings: Tensor = self.network(images_BCHW)
        return embeddings

    @property
    def feat_dim(self) -> int:
        return self.network.backbone.out_channels


def train(network: SiameseEncoder, pictures: Pictures, plan: dict[str, Any]) -> nn.Module:
    """Train with ExtractorModule. Their balanced sampler's epoch is one batch here, so steps are counted."""
    pl.seed_everything(plan["seed"])
    steps = plan["epochs"] * plan["steps"]
    optimizer = torch.optim.AdamW(network.parameters(), lr=plan["lr"], weight_decay=plan["weight_decay"])
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, plan["lr"], total_steps=steps + 1, pct_start=0.2, cycle_momentum=False
    )
    extractor = Extractor(network)
    miner = AllTripletsMiner(max_output_triplets=MOST_NUMBERS // extractor.feat_dim)
    module = ExtractorModule(extractor, TripletLossWithMiner(MARGIN, miner), optimizer, schedule)
    sampler = BalanceSampler(pictures.labels, plan["classes"], plan["pictures_per_class"])
    loader = DataLoader(pictures, batch_sampler=sampler, collate_fn=batch_of)
    trainer = pl.Trainer(
        accelerator="cpu",
        max_epochs=-1,
        max_steps=steps,
        gradient_clip_val=plan["clip"],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
    )
    trainer.fit(module, loader)
    return network


def batch_of(items: list[tuple[Tensor, int]]) -> dict[str, Tensor]:
    images, labels = zip(*items, strict=True)
    return {INPUT_TENSORS_KEY: torch.stack(images), LABELS_KEY: torch.tensor(labels)}


def main(sweep: Path) -> None:
    torch.set_num_threads(1)
    for plan_file in sorted(sweep.glob("*/others/plan.json")):
        folder = plan_file.parent
        if (folder / "open_metric.pt").exists():
            continue
        plan = json.loads(plan_file.read_text())
        network = torch.load(folder / "start.pt", weights_only=False)
        with np.load(folder / "pictures.npz") as saved:
            pictures = Pictures(saved["pixels"], saved["labels"])
        torch.save(train(network, pictures, plan).state_dict(), folder / "open_metric.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
