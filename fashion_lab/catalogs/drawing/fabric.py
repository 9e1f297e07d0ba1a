"""What a product is made of: its colours, its pattern, and the folds it falls into."""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from fashion_lab.catalogs.drawing.fields import fraction, ramp, wave
from fashion_lab.catalogs.drawing.sketch import Floats

# Red, green, blue from 0 to 1. Named after what they imitate; chosen by eye.
COLOURS = {
    "black": (0.09, 0.09, 0.10),
    "white": (0.93, 0.93, 0.91),
    "charcoal": (0.24, 0.25, 0.27),
    "grey": (0.52, 0.53, 0.54),
    "cream": (0.90, 0.85, 0.74),
    "navy": (0.11, 0.15, 0.30),
    "brown": (0.36, 0.23, 0.16),
    "beige": (0.76, 0.66, 0.52),
    "camel": (0.66, 0.47, 0.28),
    "denim": (0.25, 0.36, 0.52),
    "faded denim": (0.47, 0.57, 0.69),
    "sky": (0.55, 0.71, 0.85),
    "cobalt": (0.16, 0.31, 0.62),
    "teal": (0.09, 0.43, 0.45),
    "mint": (0.63, 0.83, 0.73),
    "olive": (0.40, 0.41, 0.23),
    "forest": (0.12, 0.32, 0.21),
    "mustard": (0.83, 0.63, 0.17),
    "orange": (0.86, 0.43, 0.19),
    "red": (0.75, 0.14, 0.16),
    "burgundy": (0.40, 0.09, 0.16),
    "pink": (0.90, 0.60, 0.66),
    "fuchsia": (0.76, 0.20, 0.48),
    "lavender": (0.65, 0.58, 0.79),
    "plum": (0.36, 0.17, 0.39),
}
BLACK, WHITE = 0, 1  # positions in COLOURS
NEUTRALS = 7  # the first so many go with everything: trims are often one of them
PATTERNS = ("stripes", "checks", "dots")
UPRIGHT, LEVEL, SLANTED = (1.0, 0.0), (0.0, 1.0), (0.7, 0.7)
SLANTS = (UPRIGHT, LEVEL, LEVEL, UPRIGHT, LEVEL, SLANTED)  # slanted stripes are rare
# Folds in a garment unit, down and across, and where the two kinds of them start: least and most.
FOLD_RANGES = ((0.5, -0.5, 0.0, 0.6, 0.0), (1.1, 0.5, 1.0, 1.4, 1.0))
LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)  # ITU-R BT.601


@dataclass(frozen=True)
class Fabric:
    """Colours and pattern of a product.

    Attributes:
        colours: [4, 3] of cloth, pattern, trim and detail.
        pattern: "plain" or one of PATTERNS.
        repeats: of the pattern, in one garment unit.
        slant: direction across the stripes.
        duty: from -0.4 to 0.4, how much of a repeat the pattern's colour takes.
        drape: from 0.3 (stiff) to 1 (flowing).
    """

    colours: Floats
    pattern: str
    repeats: float
    slant: tuple[float, float]
    duty: float
    drape: float

    @classmethod
    def choose(cls, cut: Generator, plain: float) -> "Fabric":
        """Choose what a product is made of; `plain` is the share that has no pattern."""
        palette = np.array(list(COLOURS.values()), dtype=np.float32)
        picks = cut.choice(len(palette), 4, replace=False)
        if cut.random() < 0.5:
            picks[2] = cut.integers(NEUTRALS)
        colours = palette[picks] * cut.uniform(0.85, 1.1)
        if cut.random() < 0.6:
            colours[3] = palette[WHITE if luminance(colours[0]) < 0.45 else BLACK]
        return cls(
            colours=colours,
            pattern="plain" if cut.random() < plain else PATTERNS[cut.integers(len(PATTERNS))],
            repeats=cut.uniform(2.5, 7.0),
            slant=SLANTS[cut.integers(len(SLANTS))],
            duty=cut.uniform(-0.4, 0.4),
            drape=cut.uniform(0.3, 1.0),
        )

    def motif(self, x: Floats, y: Floats, sharpness: float) -> Floats:
        """How much of the pattern's colour each pixel takes, [H, W] from 0 to 1.

        Args:
            x: garment coordinate of each pixel, [H, W].
            y: the other one.
            sharpness: of the pattern's edges: pixels in one garment unit, or less.
        """
        if self.pattern == "plain":
            return np.zeros_like(x)
        edge = sharpness / self.repeats
        if self.pattern == "dots":
            row = y * self.repeats
            column = x * self.repeats + 0.5 * np.floor(row)
            dx, dy = fraction(column) - 0.5, fraction(row) - 0.5
            radius = 0.27 + 0.12 * self.duty
            return ramp(radius * radius - dx * dx - dy * dy, 2 * edge)
        across, along = (self.repeats * share for share in self.slant)
        first = ramp(wave(across * x + along * y) + self.duty, edge / 4)
        if self.pattern == "stripes":
            return first
        return (first + ramp(wave(along * x - across * y) + self.duty, edge / 4)) / 2

    def paint(self, planes: Floats, x: Floats, y: Floats, lay: Generator) -> Floats:
        """Colour a drawing's planes [4, H, W] into [3, H, W], in the folds that this view happens to have."""
        _, shade, trim, detail = planes
        tall, skew, start, broad, begin = lay.uniform(*FOLD_RANGES).tolist()
        sag = wave(y * tall + x * skew + start)
        bend = wave(x * broad + sag / 4 + begin)
        slack = 0.025 * self.drape
        motif = self.motif(x + slack * sag, y + slack * bend, len(x) / 4)
        cloth, pattern, trimming, button = self.colours[:, :, None, None]
        colour = cloth + motif * (pattern - cloth)
        colour = colour + trim * (trimming - colour)
        colour = colour + detail * (button - colour)
        painted: Floats = colour * (shade * (1 + 0.1 * self.drape * bend * (0.6 + 0.4 * sag)))
        return painted


def luminance(colour: Floats) -> float:
    """Brightness of one colour [3]."""
    red, green, blue = (float(part) for part in colour * LUMA)
    return red + green + blue
