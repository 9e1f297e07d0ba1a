"""What clothes are laid on or hung against. A photographer always has the same ground and the same light."""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from fashion_lab.catalogs.drawing.fields import fraction, mottle, ramp, wave
from fashion_lab.catalogs.drawing.sketch import Floats

# Red, green, blue from 0 to 1, chosen by eye.
COLOURS = {
    "plaster": (0.89, 0.88, 0.85),
    "white sheet": (0.86, 0.86, 0.88),
    "grey wall": (0.64, 0.65, 0.66),
    "concrete": (0.48, 0.47, 0.45),
    "slate": (0.30, 0.32, 0.35),
    "dark blanket": (0.14, 0.14, 0.17),
    "linen": (0.78, 0.72, 0.63),
    "pine": (0.70, 0.57, 0.42),
    "oak": (0.53, 0.40, 0.28),
    "walnut": (0.31, 0.22, 0.16),
    "blue sheet": (0.45, 0.54, 0.66),
    "rose sheet": (0.75, 0.62, 0.60),
    "sage carpet": (0.47, 0.52, 0.44),
    "brick": (0.50, 0.34, 0.28),
}
KINDS = ("wall", "planks", "sheet", "carpet", "tiles", "room")
TURNS = ((1.0, 0.0), (0.0, 1.0), (0.8, 0.6), (0.6, -0.8), (0.96, 0.28))  # cosines and sines
GOLDEN = 0.381966  # multiples of the golden section: neighbouring boards never have the same tone
TUFTS = 64  # of a carpet, across the picture
MOTTLE_CELLS = 5  # stains and shadows of a fifth of the picture


@dataclass(frozen=True)
class Ground:
    """One photographer's floor, wall or sheet.

    Attributes:
        kind: one of KINDS.
        colour: [3].
        other: [3], of the floor where `kind` is "room" and `colour` is the wall's.
        turn: cosine and sine of the texture's direction.
        grain: how strong the texture is, from 0.4 to 1.
        light: where the light comes from: right and down, each from -1 to 1.
        warmth: of the light, from -1 (overcast) to 1 (light bulb).
    """

    kind: str
    colour: Floats
    other: Floats
    turn: tuple[float, float]
    grain: float
    light: tuple[float, float]
    warmth: float

    @classmethod
    def choose(cls, rng: Generator) -> "Ground":
        """Choose a ground and the light that falls on it."""
        palette = np.array(list(COLOURS.values()), dtype=np.float32)
        first, second = rng.choice(len(palette), 2, replace=False)
        return cls(
            kind=KINDS[rng.integers(len(KINDS))],
            colour=palette[first] * rng.uniform(0.85, 1.08),
            other=palette[second] * rng.uniform(0.85, 1.08),
            turn=TURNS[rng.integers(len(TURNS))],
            grain=rng.uniform(0.4, 1.0),
            light=(rng.uniform(-1, 1), rng.uniform(-1, 1)),
            warmth=rng.uniform(-1, 1),
        )

    def paint(self, size: int, lay: Generator) -> Floats:
        """Fill [3, H, W]; the generator is the view's: the camera never stands twice at the same spot."""
        line = np.arange(size, dtype=np.float32) / size
        zoom, start_x, start_y, horizon = lay.uniform((0.8, 0, 0, 0.6), (1.5, 1, 1, 0.9)).tolist()
        cosine, sine = (zoom * part for part in self.turn)
        x = (cosine * line + start_x)[None, :] + (sine * line)[:, None]
        y = (cosine * line + start_y)[:, None] - (sine * line)[None, :]
        tone = 1 + 0.07 * self.grain * mottle(lay, MOTTLE_CELLS, size)
        colour = self.colour[:, None, None]
        if self.kind != "room":
            return colour * (tone + self.grain * self._texture(x, y, lay))
        tilt = 0.06 * (line - 0.5)
        floor = ramp(line[:, None] - horizon + tilt[None, :], size)
        room: Floats = (colour + floor * (self.other[:, None, None] - colour)) * tone
        return room

    def _texture(self, x: Floats, y: Floats, lay: Generator) -> Floats:
        """Brightness to add, [H, W]; its strengths and lengths were set by eye."""
        size = len(x)
        if self.kind == "planks":
            rows = y * 5
            tone = wave(np.floor(rows) * GOLDEN)
            wood: Floats = 0.12 * tone + 0.05 * wave(x * 1.5 + y * 27 + tone)
            return wood - 0.33 * ramp(0.04 - fraction(rows), size / 10)
        if self.kind == "sheet":
            crease = wave(x * 1.3 + 0.33 * wave(y))
            return 0.11 * crease + 0.07 * wave(y * 2 + x * 0.8 + 0.02 * crease)
        if self.kind == "carpet":
            return 0.16 * mottle(lay, TUFTS, size)
        if self.kind == "tiles":
            joints: Floats = np.minimum(fraction(x * 3), fraction(y * 3))
            return -0.22 * ramp(0.05 - joints, size / 10)
        return np.zeros_like(x)
