"""A training loop in plain PyTorch over the same parts: what our Trainer's cost is measured against."""

import torch
from omegaconf import DictConfig
from torch import Tensor, nn

from fashion_lab.assembly import assemble
from fashion_lab.benchmarks.timing import wait
from fashion_lab.contracts.batch import INDICES, TRIPLETS
from fashion_lab.data.module import as_tensor
from fashion_lab.modules.base import StageModule
from fashion_lab.modules.classifier import ClassifierModule
from fashion_lab.modules.siamese import SiameseModule
from fashion_lab.networks import normalise

BATCHES = (INDICES, TRIPLETS)


class BareLoop:
    """Network, loss, optimizer and batches of a config, without a Trainer: nothing is logged or averaged.

    Pixels and the epoch's batches lie on the device; precision and compiling are the config's.
    """

    def __init__(self, cfg: DictConfig, device: torch.device) -> None:
        parts = assemble(cfg, None, ())
        self.device, self.data = device, parts.data
        self.module = parts.module.to(device).train()
        self.optimizer = self.module.optimizer_factory(self.module.parameters())
        self.pixels = as_tensor(parts.store).to(device)
        self.labels = torch.from_numpy(parts.catalog.labels).to(device)
        self.clip = cfg.trainer.gradient_clip_val
        self.autocast = cfg.trainer.precision == "bf16-mixed"
        self.batches = [
            {key: batch[key].to(device) for key in BATCHES if key in batch}
            for batch in parts.data.train_dataloader()
        ]

    def epoch(self) -> None:
        """Gather, normalise, augment, forward, backward, clip, step, for each batch of an epoch."""
        for batch in self.batches:
            rows = batch[INDICES]
            draws = torch.rand(len(rows), self.data.augment.DRAWS, device=self.device)
            self._step(self.data.augment(normalise(self.pixels[rows]), draws), batch)
        wait(self.device)

    def arithmetic(self) -> None:
        """The same steps on the same pictures each time: forward, backward and step alone.

        No epoch of this network can take less with these kernels and this optimizer.
        """
        largest = max((batch[INDICES] for batch in self.batches), key=len)
        images_BCHW = normalise(self.pixels[largest])
        for batch in self.batches:
            self._step(images_BCHW[: len(batch[INDICES])], batch)
        wait(self.device)

    def _step(self, images_BCHW: Tensor, batch: dict[str, Tensor]) -> None:
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.autocast):
            outputs = _outputs(self.module, images_BCHW, batch)
        self.optimizer.zero_grad()
        loss = _loss(self.module, outputs.float(), self.labels[batch[INDICES]], batch)
        loss.backward()  # type: ignore[no-untyped-call]
        if self.clip:
            nn.utils.clip_grad_norm_(self.module.parameters(), self.clip)
        self.optimizer.step()


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
