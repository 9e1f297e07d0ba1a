"""Which pictures make a batch: functions of (seed, epoch), so a resumed run sees what it would have seen.

B pictures of a batch, T triplets, P classes x K pictures, N pictures of the training split.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from fashion_lab.contracts.catalog import Ints
from fashion_lab.data.class_table import ClassTable

Rng = np.random.Generator

MOST_CLASSES = 8  # of a batch, where nobody says; with 16 pictures each, 128 pictures; assumption


class IndexBatch(NamedTuple):
    """One batch as numbers only.

    Attributes:
        indices: [B] positions in the catalog.
        triplets: [3, T] positions in `indices` of anchors, positives, negatives; None where none are needed.
    """

    indices: Ints
    triplets: Ints | None = None


class Sampler(ABC):
    """Draws the batches of one epoch from the training positions and their labels."""

    def __init__(self, *, positions: Ints, labels: Ints, seed: int) -> None:
        assert positions.shape == labels.shape, (positions.shape, labels.shape)
        self.positions = positions
        self.labels = labels
        self.seed = seed

    def batches(self, epoch: int) -> Sequence[IndexBatch]:
        """All batches of an epoch, the same for the same (seed, epoch) on every machine."""
        return self._draw(np.random.default_rng([self.seed, epoch]))

    @abstractmethod
    def __len__(self) -> int:
        """Count the batches of an epoch."""

    @abstractmethod
    def _draw(self, rng: Rng) -> Sequence[IndexBatch]: ...


class ShuffleSampler(Sampler):
    """Every picture once an epoch, in random order; the last batch may be smaller, never a single picture."""

    def __init__(self, *, positions: Ints, labels: Ints, seed: int, batch_size: int) -> None:
        super().__init__(positions=positions, labels=labels, seed=seed)
        self.batch_size = _checked("batch_size", batch_size, 2)
        if len(positions) < 2:
            raise ValueError(f"the training split has {len(positions)} picture; training needs at least 2")

    def __len__(self) -> int:
        return len(_cuts(len(self.positions), self.batch_size)) + 1

    def _draw(self, rng: Rng) -> Sequence[IndexBatch]:
        shuffled = self.positions[rng.permutation(len(self.positions))]
        return [IndexBatch(part) for part in np.split(shuffled, _cuts(len(shuffled), self.batch_size))]


class TripletSampler(Sampler):
    """Every picture once an epoch as an anchor, with a drawn positive and negative, as in the notebook.

    The positive is uniform over the other pictures of the anchor's class, never the anchor; the negative is
    uniform over a uniformly drawn other class. A batch holds 3B pictures: B anchors, their positives, then
    negatives; the last B may be smaller, never 1 unless all are.
    """

    def __init__(self, *, positions: Ints, labels: Ints, seed: int, batch_size: int) -> None:
        super().__init__(positions=positions, labels=labels, seed=seed)
        self.batch_size = _checked("batch_size", batch_size, 1)
        self.table = ClassTable(labels)
        self.table.require(classes=2, pictures=2, reason="a triplet takes pictures of two classes")

    def __len__(self) -> int:
        return len(_cuts(len(self.positions), self.batch_size)) + 1

    def draw_triplets(self, anchors: Ints, rng: Rng) -> Ints:
        """Draw for anchors [T] (rows of the training split) the triplets [3, T]."""
        labels = self.table.compact[anchors]
        positives = self.table.draw_other(anchors, rng)
        step = rng.integers(1, len(self.table.counts), size=len(anchors))
        negatives = self.table.draw((labels + step) % len(self.table.counts), rng)
        return np.stack([anchors, positives, negatives])

    def _draw(self, rng: Rng) -> Sequence[IndexBatch]:
        triplets = self.draw_triplets(rng.permutation(len(self.positions)), rng)
        parts = np.split(triplets, _cuts(triplets.shape[1], self.batch_size), axis=1)
        return [_triplet_batch(self.positions[part]) for part in parts]


class BalancedSampler(Sampler):
    """P classes x K pictures a batch, for mining inside the batch; an epoch has `batches_per_epoch` of them.

    Classes are drawn without repetition, pictures of a class too where it has K, else with repetition. The
    triplets of a batch (one an anchor: the next picture of its class, the same place in the next class) only
    feed the diagnostics; what the loss compares is the miner's choice.
    """

    def __init__(
        self,
        *,
        positions: Ints,
        labels: Ints,
        seed: int,
        pictures_per_class: int,
        classes_per_batch: int | None = None,
        batches_per_epoch: int | None = None,
    ) -> None:
        super().__init__(positions=positions, labels=labels, seed=seed)
        self.table = ClassTable(labels)
        if classes_per_batch is None:
            classes_per_batch = max(2, min(len(self.table.counts), MOST_CLASSES))
        self.classes_per_batch = _checked("sampler.classes_per_batch", classes_per_batch, 2)
        self.pictures_per_class = _checked("sampler.pictures_per_class", pictures_per_class, 2)
        self.table.require(classes=classes_per_batch, pictures=2, reason="sampler.classes_per_batch")
        self.triplets = _grid_triplets(classes_per_batch, pictures_per_class)
        whole_epoch = max(1, len(positions) // (classes_per_batch * pictures_per_class))
        self.num_batches = whole_epoch if batches_per_epoch is None else batches_per_epoch
        _checked("sampler.batches_per_epoch", self.num_batches, 1)

    def __len__(self) -> int:
        return self.num_batches

    def _draw(self, rng: Rng) -> Sequence[IndexBatch]:
        return [IndexBatch(self.positions[self._rows(rng)], self.triplets) for _ in range(self.num_batches)]

    def _rows(self, rng: Rng) -> Ints:
        classes = rng.choice(len(self.table.counts), size=self.classes_per_batch, replace=False)
        rows = [self.table.draw_distinct(label, self.pictures_per_class, rng) for label in classes]
        return np.concatenate(rows)


def _cuts(count: int, batch_size: int) -> list[int]:
    """Say where batches start after the first; a rest of one joins the last: BatchNorm needs company."""
    cuts = list(range(batch_size, count, batch_size))
    return cuts[:-1] if cuts and batch_size > 1 and count - cuts[-1] == 1 else cuts


def _triplet_batch(positions_3T: Ints) -> IndexBatch:
    return IndexBatch(positions_3T.reshape(-1), np.arange(positions_3T.size).reshape(3, -1))


def _grid_triplets(classes: int, pictures: int) -> Ints:
    """For a batch of classes x pictures: [3, T] with the next picture of the class and the next class."""
    grid = np.arange(classes * pictures).reshape(classes, pictures)
    return np.stack([grid, np.roll(grid, -1, axis=1), np.roll(grid, -1, axis=0)]).reshape(3, -1)


def _checked(name: str, value: int, least: int) -> int:
    if value < least:
        raise ValueError(f"{name} is {value}; it must be a whole number of at least {least}")
    return value
