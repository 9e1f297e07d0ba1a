"""The loaders: index batches with their random numbers, that can go on in the middle of an epoch."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from fashion_lab.contracts.batch import INDICES, TRIPLETS, Batch
from fashion_lab.contracts.catalog import Ints
from fashion_lab.data.samplers import IndexBatch, Sampler

DRAWS = "draws"
"""[B, n] float32 in 0 .. 1: the random numbers of each picture's augmentation; consumed by the datamodule."""

MIX = "mix"
"""[1] float32: how much of a picture mixup keeps; consumed likewise."""

PARTNERS = "partners"
"""[B] int64: which picture of the batch each one is mixed with; beside `MIX`."""

DRAWS_STREAM = 1  # apart from the sampler's draws: its seed [seed, epoch] is the same as [seed, epoch, 0, 0]


class IndexLoader:
    """Batches of a sampler in order, with uniform random numbers for each picture.

    All of it is a function of (seed, epoch, batch), so neither the number of processes nor an interruption
    changes what a picture gets. Lightning saves and restores `state_dict` and tells `.sampler` the epoch.

    Args:
        sampler: draws the batches of an epoch.
        draws: random numbers a picture.
        mixup: alpha of mixup's Beta distribution; 0 for none.
        rank: this process; it takes every `world_size`-th batch.
        world_size: number of processes that train together; batches that do not go round are left out.
    """

    def __init__(
        self,
        sampler: Sampler,
        *,
        draws: int,
        mixup: float = 0.0,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        self._batches = sampler
        self._draws = draws
        self._alpha = mixup
        self._rank, self._world_size = rank, world_size
        self._epoch = 0
        self._handed_out = 0
        self._interrupted = (-1, 0)  # epoch, and batches of it that were handed out before the interruption
        if not len(self):
            raise ValueError(
                f"{len(sampler)} batches an epoch are too few for {world_size} processes: "
                "lower batch_size or trainer.devices"
            )

    @property
    def sampler(self) -> "IndexLoader":
        """Where Lightning looks for `set_epoch`."""
        return self

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch that the next batch belongs to."""
        self._epoch = epoch

    def state_dict(self) -> dict[str, int]:
        """Say how far the present epoch is."""
        return {"epoch": self._epoch, "handed_out": self._handed_out}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Let that epoch, and no other, go on where it was."""
        self._interrupted = (state["epoch"], state["handed_out"])

    def __len__(self) -> int:
        return len(self._batches) // self._world_size

    def __iter__(self) -> Iterator[Batch]:
        # a generator: all of it runs at the first `next`, when Lightning has told the epoch
        epoch, handed_out = self._interrupted
        self._handed_out = handed_out if epoch == self._epoch else 0
        mine = range(self._rank, len(self) * self._world_size, self._world_size)
        batches = self._batches.batches(self._epoch)
        for number in mine[self._handed_out :]:
            self._handed_out += 1
            yield self._batch(batches[number], number)

    def _batch(self, picked: IndexBatch, number: int) -> Batch:
        rng = np.random.default_rng([self._batches.seed, self._epoch, number, DRAWS_STREAM])
        draws = rng.random((len(picked.indices), self._draws), dtype=np.float32)
        batch = {INDICES: torch.from_numpy(picked.indices), DRAWS: torch.from_numpy(draws)}
        if self._alpha:
            batch |= self._mixing(rng, len(picked.indices))
        if picked.triplets is not None:
            batch[TRIPLETS] = torch.from_numpy(picked.triplets)
        return batch

    def _mixing(self, rng: np.random.Generator, count: int) -> Batch:
        """Draw how a batch is mixed. Partners are drawn: a balanced batch is in order of its classes."""
        share = torch.tensor([rng.beta(self._alpha, self._alpha)], dtype=torch.float32)
        return {MIX: share, PARTNERS: torch.from_numpy(rng.permutation(count))}


class SplitLoader:
    """The pictures of a split in order, `batch_size` at a time, each in one process; nothing random."""

    def __init__(self, positions: Ints, *, batch_size: int, rank: int = 0, world_size: int = 1) -> None:
        self._positions = torch.from_numpy(positions[rank::world_size])
        self._batch_size = batch_size

    def __len__(self) -> int:
        return -(-len(self._positions) // self._batch_size)

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        for start in range(0, len(self._positions), self._batch_size):
            yield {INDICES: self._positions[start : start + self._batch_size]}
