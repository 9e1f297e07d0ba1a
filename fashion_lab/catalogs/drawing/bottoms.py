"""Cuts of trousers and shorts; see `bodice` for generators and units."""

from dataclasses import dataclass

from numpy.random import Generator

from fashion_lab.catalogs.drawing.outlines import Point, box, curve, mix, rounded
from fashion_lab.catalogs.drawing.sketch import DETAIL, FOLD, INSIDE, SEAM, TRIM, Ink, Sketch

PANTS = ("skinny", "straight", "wide", "flare", "jogger")
FAR_LEG = Ink(shade=0.94)


@dataclass(frozen=True)
class Legs:
    """The right leg's outline, from the waist down."""

    waist: Point
    hip: Point
    crotch: float
    knee: tuple[float, float, float]  # inner x, outer x, y
    ankle: tuple[float, float, float]

    def outline(self) -> list[Point]:
        """Closed, clockwise from the middle of the waist."""
        (knee_in, knee_out, knee_y), (foot_in, foot_out, foot_y) = self.knee, self.ankle
        outer = [self.waist, self.waist, self.hip, (knee_out, knee_y), (foot_out, foot_y - 0.01)]
        inner = [(foot_in, foot_y), (foot_in, foot_y), (knee_in, knee_y), (0.03, self.crotch + 0.04)]
        start = [(0.0, self.waist[1]), (0.0, self.waist[1])]
        return rounded([*start, *outer, outer[-1], *inner, (0.0, self.crotch), (0.0, self.crotch)])

    def cuff(self, height: float) -> list[Point]:
        """The lowest part of the leg."""
        (knee_in, knee_out, knee_y), (foot_in, foot_out, foot_y) = self.knee, self.ankle
        share = height / (foot_y - knee_y)
        inner, outer = (foot_in, foot_y), (foot_out, foot_y - 0.01)
        return [inner, outer, mix(outer, (knee_out, knee_y), share), mix(inner, (knee_in, knee_y), share)]


def draw_waist(sketch: Sketch, cut: Generator, legs: Legs) -> None:
    """Waistband, fly, pockets; belt loops and a button, or a drawstring."""
    x, y = legs.waist
    band = TRIM if cut.random() < 0.3 else Ink(shade=0.88)
    sketch.area([*curve((x, y), (0.0, y + 0.04), (-x, y)), (-x - 0.01, y + 0.1), (x + 0.01, y + 0.1)], band)
    sketch.area([*curve((x * 0.9, y), (0.0, y + 0.06), (-x * 0.9, y))], INSIDE)
    sketch.line([(x, y + 0.1), (-x, y + 0.1)])
    pocket = curve((x * 0.62, y + 0.11), (x * 0.72, y + 0.27), (legs.hip[0] * 0.94, y + 0.3))
    sketch.lines(pocket, width=0.02)
    if cut.random() < 0.35:
        sketch.lines([(0.03, y + 0.08), (0.07, y + 0.34)], DETAIL, width=0.025)
        return
    sketch.line([(0.0, y + 0.1), (0.0, legs.crotch)], width=0.018)
    sketch.line(curve((0.07, y + 0.1), (0.08, legs.crotch - 0.1), (0.0, legs.crotch - 0.04)), Ink(shade=0.82))
    sketch.area(box(-0.025, y + 0.035, 0.025, y + 0.085), DETAIL)
    for loop in (0.35, 0.8):
        sketch.lines(
            [(x * loop, y - 0.01 + 0.03 * (1 - loop)), (x * loop, y + 0.11)], Ink(shade=0.7), width=0.026
        )


def draw_legs(sketch: Sketch, cut: Generator, legs: Legs, *, cuff: float) -> None:
    """Both legs, their creases and hems."""
    outline = legs.outline()
    sketch.areas(outline, other=FAR_LEG)
    (knee_in, knee_out, knee_y), (foot_in, foot_out, foot_y) = legs.knee, legs.ankle
    kind = cut.integers(4)
    if kind == 0:
        side = [
            (legs.hip[0] - 0.06, legs.hip[1]),
            (knee_out - 0.07, knee_y),
            (foot_out - 0.06, foot_y - 0.02),
        ]
        sketch.lines(side, TRIM, width=0.05)
    elif kind == 1:
        middle = (knee_in + knee_out) / 2, (foot_in + foot_out) / 2
        sketch.lines(
            [(legs.hip[0] * 0.55, legs.hip[1] + 0.1), (middle[0], knee_y), (middle[1], foot_y)],
            FOLD,
            width=0.02,
        )
    if cuff > 0:
        sketch.areas(legs.cuff(cuff), Ink(shade=0.82))
    hem = legs.cuff(cuff if cuff > 0 else 0.05)
    sketch.lines([hem[2], hem[3]])
    for drop in (0.05, 0.12):
        sketch.lines(
            [(0.02, legs.crotch + drop / 2), (legs.hip[0] * 0.45, legs.crotch - 0.06 + drop)],
            FOLD,
            width=0.02,
        )


def draw_pants(cut: Generator, lay: Generator) -> Sketch:
    """Jeans, chinos, joggers, flares: legs to the ankle."""
    sketch = Sketch()
    waist, hip = cut.uniform(0.26, 0.34), cut.uniform(0.36, 0.44)
    crotch, spread = -0.95 + cut.uniform(0.5, 0.6), lay.uniform(0.0, 0.16)
    style = PANTS[cut.integers(len(PANTS))]
    knee = hip * {"skinny": 0.62, "straight": 0.76, "wide": 0.95, "flare": 0.64, "jogger": 0.78}[style]
    ankle = hip * {"skinny": 0.46, "straight": 0.66, "wide": 0.98, "flare": 0.98, "jogger": 0.46}[style]
    foot_y = cut.uniform(0.84, 0.96)
    knee_x, ankle_x = 0.04 + spread / 2, 0.06 + spread
    legs = Legs(
        waist=(waist, -0.95),
        hip=(hip, -0.52),
        crotch=crotch,
        knee=(knee_x, knee_x + knee, 0.2),
        ankle=(ankle_x, ankle_x + ankle, foot_y),
    )
    turned = 0.09 if style == "jogger" or cut.random() < 0.25 else 0.0
    draw_legs(sketch, cut, legs, cuff=turned)
    if cut.random() < 0.4:
        for y in (0.12, 0.2, 0.27):
            sketch.lines([(knee_x + 0.06, y), (knee_x + knee * 0.6, y + 0.03)], Ink(shade=1.14), width=0.02)
    draw_waist(sketch, cut, legs)
    return sketch


def draw_shorts(cut: Generator, lay: Generator) -> Sketch:
    """Shorts: wide legs that end above the knee."""
    sketch = Sketch()
    waist, hip = cut.uniform(0.44, 0.54), cut.uniform(0.56, 0.66)
    crotch, spread = -0.6 + cut.uniform(0.52, 0.64), lay.uniform(0.0, 0.1)
    foot_y = crotch + cut.uniform(0.22, 0.55)
    width = hip * cut.uniform(0.88, 1.12)
    knee_y = (crotch + foot_y) / 2
    legs = Legs(
        waist=(waist, -0.6),
        hip=(hip, -0.15),
        crotch=crotch,
        knee=(0.03 + spread / 2, 0.04 + spread / 2 + width, knee_y),
        ankle=(0.05 + spread, 0.08 + spread + width, foot_y),
    )
    draw_legs(sketch, cut, legs, cuff=0.08 if cut.random() < 0.3 else 0.0)
    draw_waist(sketch, cut, legs)
    if cut.random() < 0.3:
        left, right, top = width * 0.55, width * 0.95, knee_y - 0.16
        sketch.lines(
            [(left, top), (right, top), (right, top + 0.22), (left, top + 0.22), (left, top)],
            SEAM,
            width=0.02,
        )
        sketch.lines([(left, top + 0.07), (right, top + 0.07)], width=0.02)
    return sketch
