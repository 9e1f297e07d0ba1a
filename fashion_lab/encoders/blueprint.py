"""What an encoder is built from, be it a run's or a bundle's: config nodes, and how it takes pictures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from fashion_lab.config import rebuild
from fashion_lab.digest import digest
from fashion_lab.networks import SiameseEncoder
from fashion_lab.pictures import DECODE_VERSION, PixelSpec


@dataclass(frozen=True, kw_only=True)
class Blueprint:
    """An encoder without its weights.

    Attributes:
        stage: of its run: `classifier` or `siamese`.
        backbone: config node of the backbone.
        encoder: config node of the whole encoder (stage 2), or None: the backbone with average pooling.
        pixels: how a picture becomes pixels.
        classes: what the run was trained on.
    """

    stage: str
    backbone: Mapping[str, Any]
    encoder: Mapping[str, Any] | None
    pixels: PixelSpec
    classes: tuple[str, ...]

    def built(self, trusted: Sequence[str], *, origin: Path) -> SiameseEncoder:
        """Build the encoder that `origin`, a checkpoint or a bundle, has the weights of.

        Raises:
            ConfigError: a target outside the allow-list and `trusted`, or an option that is no more.
        """
        if self.stage != "siamese":
            return SiameseEncoder(rebuild(self.backbone, origin=origin, trusted=trusted))
        network: SiameseEncoder = rebuild(self.encoder, origin=origin, trusted=trusted)
        return network

    def fingerprint(self, weights: Mapping[str, Tensor]) -> str:
        """Sha256 over weights and preprocessing; a head of its own changes no embedding and is not in it."""
        options = [self.stage, self.backbone, self.encoder, self.pixels.size, self.pixels.fit, DECODE_VERSION]
        return digest([dict(weights), options])
