"""A training loop in plain PyTorch over the same parts: what our Trainer's cost is measured against."""

from collections.abc import Callable

import torch
from omegaconf import DictConfig
from torch import Tensor, nn

from fashion_lab.assembly import assemble
from fashion_lab.benchmarks.timing import wait
from fashion_lab.contracts.batch import INDICES, TRIPLETS
from fashion_lab.data.augment import Augment
from fashion_lab.data.module import as_tensor
from fashion_lab.modules.base import StageModule
from fashion_lab.modules.classifier import ClassifierModule
from fashion_lab.modules.siamese import SiameseModule
from fashion_lab.networks import normalise

BATCHES = (INDICES, TRIPLETS)


def bare_epoch(cfg: DictConfig, device: torch.device) -> Callable[[], None]:
    """One epoch: gather, normalise, augment, forward, backward, clip, step; nothing is logged or averaged.

    Pixels and the epoch's batches lie on the device; precision and `compile` are the config's.
    """
    parts = assemble(cfg, None, ())
    module, data = parts.module.to(device).train(), parts.data
    optimizer = module.optimizer_factory(module.parameters())
    pixels, labels = as_tensor(parts.store).to(device), torch.from_numpy(parts.catalog.labels).to(device)
    clip = cfg.trainer.gradient_clip_val
    batches = [
        {key: batch[key].to(device) for key in BATCHES if key in batch} for batch in data.train_dataloader()
    ]

    def epoch() -> None:
        for batch in batches:
            rows = batch[INDICES]
            images = data.augment(
                normalise(pixels[rows]), torch.rand(len(rows), Augment.DRAWS, device=device)
            )
            with torch.autocast(device.type, torch.bfloat16, enabled=cfg.trainer.precision == "bf16-mixed"):
                outputs = _outputs(module, images, batch)
            optimizer.zero_grad()
            loss = _loss(module, outputs.float(), labels[rows], batch)
            loss.backward()  # type: ignore[no-untyped-call]
            if clip:
                nn.utils.clip_grad_norm_(module.parameters(), clip)
            optimizer.step()
        wait(device)

    return epoch


def _outputs(module: StageModule, images: Tensor, batch: dict[str, Tensor]) -> Tensor:
    if isinstance(module, SiameseModule):
        return module.network.embed_batch(images, batch[TRIPLETS])
    outputs: Tensor = module.network(images)
    return outputs


def _loss(module: StageModule, outputs: Tensor, labels: Tensor, batch: dict[str, Tensor]) -> Tensor:
    if isinstance(module, SiameseModule):
        loss: Tensor = module.loss(outputs, labels, batch[TRIPLETS])
    else:
        assert isinstance(module, ClassifierModule), type(module)
        loss = module.loss(outputs, labels)
    return loss
