"""Which rows belong to which class, for drawing pictures by their class. T draws."""

import numpy as np

from fashion_lab.contracts.catalog import Ints


class ClassTable:
    """Rows of every class, for drawing without looking at a picture. Classes without rows are left out."""

    def __init__(self, labels: Ints) -> None:
        self.classes, self.compact, self.counts = np.unique(labels, return_inverse=True, return_counts=True)
        self.rows = np.argsort(self.compact, kind="stable")
        self.starts = np.concatenate([[0], np.cumsum(self.counts)[:-1]])
        self.rank = np.empty_like(self.rows)
        self.rank[self.rows] = np.arange(len(labels)) - np.repeat(self.starts, self.counts)

    def require(self, *, classes: int, pictures: int, reason: str) -> None:
        """Raise ValueError unless there are so many classes, each with so many pictures."""
        if len(self.counts) < classes:
            raise ValueError(
                f"the training split has {len(self.counts)} classes, {classes} are needed ({reason}): "
                "ask for fewer or take a catalog with more"
            )
        if self.counts.min() < pictures:
            label = self.classes[self.counts.argmin()]
            raise ValueError(
                f"class number {label} has {self.counts.min()} training picture, each needs {pictures}: "
                "a positive is another picture of the same class; add pictures or leave the class out"
            )

    def draw(self, labels: Ints, rng: np.random.Generator) -> Ints:
        """Draw for compact labels [T] one row [T] of each class."""
        rows: Ints = self.rows[self.starts[labels] + rng.integers(0, self.counts[labels])]
        return rows

    def draw_other(self, anchors: Ints, rng: np.random.Generator) -> Ints:
        """Draw for rows [T] another row [T] of the same class."""
        labels = self.compact[anchors]
        step = rng.integers(1, self.counts[labels])
        rows: Ints = self.rows[self.starts[labels] + (self.rank[anchors] + step) % self.counts[labels]]
        return rows

    def draw_distinct(self, label: int, number: int, rng: np.random.Generator) -> Ints:
        """Draw rows [number] of a compact label, distinct where the class has that many."""
        start, count = self.starts[label], self.counts[label]
        rows: Ints = self.rows[start + rng.choice(count, size=number, replace=bool(count < number))]
        return rows
