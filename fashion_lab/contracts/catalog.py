"""What every catalog promises: labelled pictures with named splits; no batches, sizes or devices."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Ints: TypeAlias = NDArray[np.int64]
Scalar: TypeAlias = str | int | float | bool | None


class Catalog(ABC):
    """N labelled pictures.

    Attributes:
        name: one word for tables and folders.
        classes: class names; a label is a position in it.
        labels: [N] class of each picture; -1 where nobody knows: such a catalog is searched, not trained on.
        splits: split name to positions; splits share no picture. `train` and `validation` exist, `test` may;
            a catalog that is searched only has one, `all`.
        groups: [N] who took the picture (sender, background), or None where nobody knows.
        products: [N] which garment is on it, or None where nobody knows.
        columns: whatever else is known, [N] each, by name; `product` and `group` where they are no numbers.
        strict: whether an unreadable picture is an error (True) or listed, counted and left out (False).
    """

    name: str
    classes: tuple[str, ...]
    labels: Ints
    splits: Mapping[str, Ints]
    groups: Ints | None = None
    products: Ints | None = None
    columns: Mapping[str, Sequence[Scalar]] = MappingProxyType({})
    strict: bool = False

    def __len__(self) -> int:
        return len(self.labels)

    @abstractmethod
    def open(self, position: int) -> Image.Image:
        """Open one picture, not yet decoded. Raises `fashion_lab.pictures.PictureError` if it is broken."""

    @abstractmethod
    def item(self, position: int) -> str:
        """Name one picture for people and files: unique in the catalog and the same on every machine."""

    @abstractmethod
    def stamp(self, position: int) -> str:
        """Tell one picture's content apart cheaply: changes when the picture may have changed."""

    def path(self, position: int) -> Path | None:
        """Say which file holds the picture; None where the catalog draws or unpacks it."""
        return None

    def content(self, position: int) -> bytes | None:
        """Read the file that `open` decodes; None where there is none, or the picture is a part of one.

        Raises `fashion_lab.pictures.PictureError` if it cannot be read.
        """
        return None

    def fingerprint(self) -> str:
        """Sha256 over the stamps in order: the identity of the pictures, labels left out."""
        lines = "\n".join(self.stamp(position) for position in range(len(self)))
        return hashlib.sha256(f"{self.name}\n{lines}".encode(errors="surrogateescape")).hexdigest()
