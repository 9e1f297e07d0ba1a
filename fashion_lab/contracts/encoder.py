"""What every encoder promises, whichever library runs it."""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from fashion_lab.contracts.pixels import Pixels
from fashion_lab.pictures import PixelSpec


class Encoder(Protocol):
    """Turns pixels into embeddings and, where it has a head, into probabilities of its classes."""

    @property
    def pixels(self) -> PixelSpec:
        """How a picture becomes pixels."""

    @property
    def fingerprint(self) -> str:
        """Sha256 over weights and preprocessing: equal embeddings need equal fingerprints."""

    @property
    def dim(self) -> int:
        """Numbers of an embedding."""

    @property
    def classes(self) -> tuple[str, ...]:
        """What it was trained on."""

    @property
    def has_head(self) -> bool:
        """Whether it can `classify`."""

    @property
    def calibration(self) -> Mapping[str, Any] | None:
        """What its distances mean (`fashion_lab.calibration.Calibration`), where that is known."""

    def embed(self, pixels_NCHW: Pixels) -> NDArray[np.float32]:
        """Embed uint8 pixels [N, 3, S, S]: float32 [N, D]."""

    def classify(self, pixels_NCHW: Pixels) -> NDArray[np.float32]:
        """Give the probabilities [N, classes] of uint8 pixels [N, 3, S, S]. ValueError without a head."""
