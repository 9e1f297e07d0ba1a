"""The datamodule of both stages: index batches become normalised, augmented pictures on the device.

One class serves both stages, since what differs between them is the sampler and nothing else.
"""

import warnings
from collections.abc import Callable

import numpy as np
import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import Tensor

from fashion_lab.contracts.batch import GROUPS, IMAGES, INDICES, LABELS, PRODUCTS, TARGETS, Batch
from fashion_lab.contracts.catalog import Catalog, Ints
from fashion_lab.data.augment import Augment, mix
from fashion_lab.data.loader import DRAWS, MIX, PARTNERS, IndexLoader, SplitLoader
from fashion_lab.data.pixels import PixelStore
from fashion_lab.data.samplers import Sampler
from fashion_lab.data.similarity import CLASS, similarity
from fashion_lab.networks import normalise

RESIDENT_SHARE = 0.5  # of the free memory of the device; assumption: leaves enough for a compact network


class CatalogData(pl.LightningDataModule):
    """A catalog's pictures from its pixel store, in the batches of a sampler.

    Args:
        catalog: labels, splits, groups.
        store: its pixels.
        sampler: takes `positions` and `labels` of the training split and gives a `Sampler`.
        augment: changes training pictures; another class has `DRAWS` and `mixup` too.
        eval_batch_size: pictures of a validation batch.
        similar_by: what training pictures have to share, see `fashion_lab.data.similarity`.
    """

    def __init__(
        self,
        catalog: Catalog,
        store: PixelStore,
        *,
        sampler: Callable[..., Sampler],
        augment: Augment,
        eval_batch_size: int = 256,
        similar_by: str = CLASS,
    ) -> None:
        super().__init__()
        self.catalog, self.store, self.augment = catalog, store, augment
        self.splits = {name: store.keep_readable(rows) for name, rows in catalog.splits.items()}
        self._require_pictures()
        train = self.splits["train"]
        learned = similarity(catalog, similar_by, train)
        self.learned_names = learned.names
        self.sampler = sampler(positions=train, labels=learned.labels[train])
        self.eval_batch_size = eval_batch_size
        self._pixels = as_tensor(store)
        self._labels, self._learned = torch.from_numpy(catalog.labels), torch.from_numpy(learned.labels)

    def _require_pictures(self) -> None:
        for name in ("train", "validation"):
            if not len(self.splits.get(name, ())):
                raise ValueError(
                    f"catalog {self.catalog.name!r} has no readable picture in its split {name!r} "
                    f"(splits: {', '.join(self.splits)}); training needs train and validation"
                )

    def class_counts(self) -> Ints:
        """Count the readable training pictures of every class: [classes]."""
        labels = self.catalog.labels[self.splits["train"]]
        return np.bincount(labels, minlength=len(self.catalog.classes)).astype(np.int64)

    def train_dataloader(self) -> IndexLoader:
        rank, world_size = self._place()
        return IndexLoader(
            self.sampler,
            draws=self.augment.DRAWS,
            mixup=self.augment.mixup,
            rank=rank,
            world_size=world_size,
        )

    def val_dataloader(self) -> SplitLoader:
        rank, world_size = self._place()
        rows = self.splits["validation"]
        return SplitLoader(rows, batch_size=self.eval_batch_size, rank=rank, world_size=world_size)

    def _place(self) -> tuple[int, int]:
        """Say which process this is, of how many."""
        return (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)

    def setup(self, stage: str) -> None:
        """Move the pixels to the device where they fit; else each batch travels by itself."""
        device = self.trainer.strategy.root_device if self.trainer else torch.device("cpu")
        if device.type != "cuda":
            return
        if self._pixels.nbytes < RESIDENT_SHARE * torch.cuda.mem_get_info(device)[0]:
            self._pixels = self._pixels.to(device)

    def on_before_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        """Gather labels, and pixels too where they stay on the host."""
        indices = batch[INDICES]
        batch[LABELS] = (self._learned if self._training() else self._labels)[indices]
        if not self._training():
            batch |= self._identities(indices)
        if self._pixels.device.type == "cpu":
            batch[IMAGES] = self._pixels[indices]
        return batch

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        """Gather what is resident, normalise, and augment in training."""
        if IMAGES not in batch:
            batch[IMAGES] = self._pixels[batch[INDICES]]
        batch[IMAGES] = normalise(batch[IMAGES])
        return self._augmented(batch) if self._training() else batch

    def _augmented(self, batch: Batch) -> Batch:
        batch[IMAGES] = self.augment(batch[IMAGES], batch.pop(DRAWS))
        if MIX in batch:
            targets = F.one_hot(batch[LABELS], len(self.catalog.classes)).float()
            mixed = mix(batch[IMAGES], targets, batch.pop(PARTNERS), batch.pop(MIX))
            batch[IMAGES], batch[TARGETS] = mixed
        return batch

    def _identities(self, indices: Tensor) -> Batch:
        known = {GROUPS: self.catalog.groups, PRODUCTS: self.catalog.products}
        return {key: torch.from_numpy(ids[indices.numpy()]) for key, ids in known.items() if ids is not None}

    def _training(self) -> bool:
        return self.trainer is not None and self.trainer.training


def as_tensor(store: PixelStore) -> Tensor:
    """Share the store's memory map: a page is read when a batch needs it, and nothing writes to it."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*not writable.*")
        return torch.from_numpy(store.pixels)
