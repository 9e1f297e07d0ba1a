"""Planes of values that patterns, folds and light are made of.

Only sums, products and roundings touch them: unlike a vectorised sine, they give the same bytes on every
machine.
"""

import numpy as np
from numpy.random import Generator
from PIL import Image

from fashion_lab.catalogs.drawing.sketch import Floats


def wave(phase: Floats) -> Floats:
    """A sine's look-alike of period 1, in [-1, 1], from two parabolas."""
    centred: Floats = 2 * fraction(phase) - 1
    return 4 * centred * (abs(centred) - 1)


def fraction(values: Floats) -> Floats:
    """What is left of each value above the next lower whole number."""
    left: Floats = values - np.floor(values)
    return left


def ramp(values: Floats, sharpness: float) -> Floats:
    """Zero below 0 and one above, with a slope of width 1 / sharpness between: an edge without stairs."""
    between: Floats = np.clip(values * sharpness + 0.5, 0, 1)
    return between


def mottle(rng: Generator, cells: int, size: int) -> Floats:
    """Smooth noise [H, W] in [-1, 1]: cells x cells random values, enlarged."""
    values = rng.integers(0, 256, (cells, cells), dtype=np.uint8)
    large = Image.fromarray(values).resize((size, size), Image.Resampling.BICUBIC)
    return np.asarray(large, dtype=np.float32) / 127.5 - 1


def soften(plane: Floats, cells: int) -> Floats:
    """Blur [H, W] of values in [0, 1] by shrinking it to cells x cells and back."""
    image = Image.fromarray((plane * 255).astype(np.uint8))
    small = image.resize((cells, cells), Image.Resampling.BOX)
    large = small.resize((len(plane), len(plane)), Image.Resampling.BICUBIC)
    return np.asarray(large, dtype=np.float32) / 255


def moved(plane: Floats, right: int, down: int) -> Floats:
    """Shift [H, W] by whole pixels; what comes in at the edge is 0."""
    height, width = plane.shape
    shifted = np.zeros_like(plane)
    to_y, to_x = slice(max(0, down), height + min(0, down)), slice(max(0, right), width + min(0, right))
    from_y, from_x = slice(max(0, -down), height - max(0, down)), slice(max(0, -right), width - max(0, right))
    shifted[to_y, to_x] = plane[from_y, from_x]
    return shifted
