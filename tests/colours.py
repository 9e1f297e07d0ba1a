"""An encoder whose distances can be seen, mean colours, and a gallery of greys."""

import numpy as np

from fashion_lab.gallery import Gallery, Item, Source
from fashion_lab.pictures import PixelSpec

SIZE = 16


class MeanColour:
    """Embeds a picture as its mean colour, 0 .. 255; its head takes everything up to 127 for dark."""

    pixels = PixelSpec(SIZE, "squash")
    fingerprint = "a" * 64
    dim = 3
    classes = ("dark", "light")
    has_head = True
    calibration = None

    def embed(self, pixels_NCHW):
        return pixels_NCHW[:].mean(axis=(2, 3)).astype(np.float32)

    def classify(self, pixels_NCHW):
        light = self.embed(pixels_NCHW).mean(axis=1) / 255
        return np.stack([1 - light, light], axis=1).astype(np.float32)


def greys(*shades: int, items=None, **options) -> Gallery:
    """Make a gallery of flat pictures; `items` says more about them than their shade."""
    pictures = np.stack([np.full((3, SIZE, SIZE), shade, dtype=np.uint8) for shade in shades])
    source = Source(
        run="outputs/siamese/gone",
        fingerprint="a" * 64,
        size=SIZE,
        fit="squash",
        classes=["dark", "light"],
        catalog="greys",
        catalog_fingerprint="c" * 64,
        split="all",
    )
    plain = (Item(id=f"g{shade}", class_name="light" if shade > 127 else "dark") for shade in shades)
    return Gallery(
        items=tuple(plain if items is None else items),
        vectors_ND=MeanColour().embed(pictures),
        pictures=pictures,
        source=source,
        **options,
    )
