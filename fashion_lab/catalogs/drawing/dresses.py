"""Dresses; see `bodice` for generators and units."""

from dataclasses import dataclass

from numpy.random import Generator

from fashion_lab.catalogs.drawing.bodice import SLEEVE, Bodice, Sleeve
from fashion_lab.catalogs.drawing.outlines import Point, box, curve, mix, rounded, whole
from fashion_lab.catalogs.drawing.sketch import FOLD, SEAM, TRIM, TRIM_SEAM, Ink, Sketch

SLEEVES = ("none", "none", "short", "long")


@dataclass(frozen=True)
class Skirt:
    """The right end of its waist and of its hem, and how far it swings to one side, per unit below y = 0."""

    waist: Point
    hem: Point
    sway: float

    def swung(self, points: list[Point]) -> list[Point]:
        """Points as they lie when the skirt swings to the side."""
        return [(x + self.sway * max(0.0, y), y) for x, y in points]

    def draw(self, sketch: Sketch) -> None:
        """The cloth."""
        (waist, top), (flare, low) = self.waist, self.hem
        side = [self.waist, self.waist, (waist * 0.5 + flare * 0.6, (top + low) / 2), self.hem, self.hem]
        bottom = [(flare * share, low + 0.07 * (1 - share * share)) for share in (0.66, 0.33, 0.0)]
        sketch.area(self.swung(rounded(whole([(0.0, top), *side, *bottom]))), Ink(shade=0.97))

    def draw_pleats(self, sketch: Sketch, count: int) -> None:
        """Folds that fan out from the waist, `count` on each side."""
        (waist, top), (flare, low) = self.waist, self.hem
        for step in range(-count, count + 1):
            share = step / (count + 0.7)
            start, end = (waist * share, top), (flare * share, low + 0.05 * (1 - share * share))
            sketch.line(self.swung([start, mix(start, end, 0.5), mix(start, end, 0.97)]), FOLD, width=0.02)

    def draw_border(self, sketch: Sketch, height: float, ink: Ink, width: float) -> None:
        """A seam or ribbon around the skirt: height 0 is at the waist, 1 at the hem."""
        half, y = mix(self.waist, self.hem, height)
        around = curve((half * 0.97, y), (0.0, y + 0.1 * height), (-half * 0.97, y))
        sketch.line(self.swung(around), ink, width)


def draw_dress(cut: Generator, lay: Generator) -> Sketch:
    """A bodice, a waist and a skirt that flares; straps, short or long sleeves."""
    sketch, sleeves = Sketch(), SLEEVES[cut.integers(len(SLEEVES))]
    half, top = cut.uniform(0.24, 0.32), -0.92
    bare = sleeves == "none"
    body = Bodice(
        neck=(half * 0.62 if bare else cut.uniform(0.12, 0.17), top),
        shoulder=(half * 0.78, top) if bare else (half, top + 0.07),
        armpit=(half, top + 0.36),
        drop=top + cut.uniform(0.14, 0.3),
        pointed=cut.random() < 0.5,
    )
    waist = (half * cut.uniform(0.74, 0.95), cut.uniform(-0.34, -0.12))
    skirt = Skirt(waist, hem=(cut.uniform(0.36, 0.72), cut.uniform(0.6, 0.95)), sway=lay.uniform(-0.08, 0.08))
    body.draw_inside(sketch)
    if not bare:
        length, cuff = (0.26, 0.2) if sleeves == "short" else (1.0, 0.13)
        Sleeve(length, cuff, SLEEVE, SLEEVE).draw_pair(sketch, body, lay)
    skirt.draw(sketch)
    skirt.draw_pleats(sketch, int(cut.integers(2, 6)))
    for height, ink, width in ((), ((0.93, TRIM, 0.05),), ((0.4, SEAM, 0.02), (0.72, SEAM, 0.02)))[
        cut.integers(3)
    ]:
        skirt.draw_border(sketch, height, ink, width)
    draw_bodice(sketch, body, waist, TRIM_SEAM if cut.random() < 0.3 else SEAM)
    belt, low = (TRIM, 0.04) if cut.random() < 0.45 else (SEAM, -0.01)
    sketch.area(box(-waist[0], waist[1] - 0.03, waist[0], waist[1] + low), belt)
    return sketch


def draw_bodice(sketch: Sketch, body: Bodice, waist: Point, edge: Ink) -> None:
    """The upper part, from the shoulders to the waist, with darts and an edged neckline."""
    arm = [body.shoulder, body.shoulder, mix(body.shoulder, body.armpit, 0.7), body.armpit, body.armpit]
    sides = [body.neck, *arm, waist, waist, (0.0, waist[1])]
    sketch.area(rounded(whole([*body.half_neckline(), *sides]), rounds=1))
    sketch.lines([(body.armpit[0] * 0.55, body.armpit[1]), (waist[0] * 0.5, waist[1])], FOLD)
    sketch.line(body.neckline(), edge, width=0.022)
