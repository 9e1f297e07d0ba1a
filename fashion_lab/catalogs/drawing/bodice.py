"""What t-shirts, longsleeves and dresses share: neck, shoulders, sleeves, collar, buttons.

In this folder `cut` is the product's generator (the same in each of its views) and `lay` the view's (how soft
parts happen to lie). Numbers are proportions in garment units, set by eye until a sheet looked like clothes.
"""

import math
from dataclasses import dataclass

from numpy.random import Generator

from fashion_lab.catalogs.drawing.outlines import (
    Point,
    along,
    box,
    curve,
    ellipse,
    flipped,
    mix,
    rounded,
    whole,
)
from fashion_lab.catalogs.drawing.sketch import DETAIL, FOLD, INSIDE, SEAM, TRIM, Ink, Sketch

QUARTER = math.pi / 2  # a right angle
SEAM_WIDTH = 0.016
SLEEVE = Ink(shade=0.93)
CONTRAST_SLEEVE = Ink(shade=0.93, trim=1.0)


@dataclass(frozen=True)
class Bodice:
    """Where neck, shoulder and armpit are, on the right side.

    Attributes:
        neck: where collar and shoulder seam meet.
        shoulder: upper end of the armhole.
        armpit: lower end of the armhole.
        drop: y of the neckline's lowest point.
        pointed: V-neck instead of a round one.
    """

    neck: Point
    shoulder: Point
    armpit: Point
    drop: float
    pointed: bool

    def half_neckline(self) -> list[Point]:
        """From the middle of the neckline up to the right neck point."""
        control = (self.neck[0] * (0.45 if self.pointed else 0.95), self.drop)
        return curve((0.0, self.drop), control, self.neck, steps=6)

    def neckline(self) -> list[Point]:
        """From the left neck point down to the middle and up to the right one."""
        right = self.half_neckline()
        return [*flipped(right)[::-1], *right]

    def draw_inside(self, sketch: Sketch) -> None:
        """The back of the neck, seen through the opening, with its label."""
        x, y = self.neck
        back = curve((x, y), (0.0, y + 0.1), (-x, y))
        sketch.area([*back, (-x, self.drop), (x, self.drop)], INSIDE)
        sketch.area(box(-0.045, y + 0.06, 0.045, y + 0.1), DETAIL)


@dataclass(frozen=True)
class Sleeve:
    """A kind of sleeve: length along the outer edge, width at the cuff, ink of sleeve and cuff."""

    length: float
    cuff: float
    ink: Ink
    edge: Ink

    def draw_pair(self, sketch: Sketch, body: Bodice, lay: Generator) -> None:
        """Two sleeves, each at its own angle; long ones bend at the elbow."""
        for mirrored in (False, True):
            draw = self._shapes_of_long if self.length > 0.7 else self._shapes_of_short
            for points, ink, width in draw(body, lay):
                placed = flipped(points) if mirrored else points
                if width > 0:
                    sketch.line(placed, ink, width)
                else:
                    sketch.area(placed, ink)

    def _shapes_of_short(self, body: Bodice, lay: Generator) -> list[tuple[list[Point], Ink, float]]:
        angle = lay.uniform(0.6, 1.05)
        outer = along(body.shoulder, angle, self.length)
        inner = along(outer, angle - QUARTER, self.cuff)
        pit = mix(body.armpit, inner, 0.15)
        share = 0.06 / self.length
        strip = [outer, inner, mix(inner, pit, 2 * share), mix(outer, body.shoulder, share)]
        outline = [*_seam_top(body), outer, outer, inner, inner, pit, *_seam_bottom(body)]
        return [(rounded(outline), self.ink, 0.0), (strip, self.edge, 0.0), (strip[2:], SEAM, SEAM_WIDTH)]

    def _shapes_of_long(self, body: Bodice, lay: Generator) -> list[tuple[list[Point], Ink, float]]:
        angle = lay.uniform(0.3, 0.75)
        lower = angle - lay.uniform(-0.2, 0.25)
        elbow = along(body.shoulder, angle, self.length / 2)
        crook = along(elbow, angle - QUARTER, self.cuff * 1.25)
        wrist = along(elbow, lower, self.length / 2)
        inner = along(wrist, lower - QUARTER, self.cuff)
        share = 0.18 / self.length
        strip = [wrist, inner, mix(inner, crook, share), mix(wrist, elbow, share)]
        hem = [elbow, wrist, wrist, inner, inner, crook]
        outline = [*_seam_top(body), *hem, body.armpit, *_seam_bottom(body)]
        fold = [mix(elbow, crook, 0.35), mix(crook, body.armpit, 0.3)]
        crease = [crook, mix(elbow, wrist, 0.3)]
        shadow = Ink(FOLD.shade, self.ink.trim)
        lines = [(strip[2:], SEAM, SEAM_WIDTH), (fold, shadow, SEAM_WIDTH), (crease, shadow, SEAM_WIDTH)]
        return [(rounded(outline), self.ink, 0.0), (strip, self.edge, 0.0), *lines]


def _seam_top(body: Bodice) -> list[Point]:
    """Where a sleeve begins, under the trunk."""
    start = (body.neck[0], body.neck[1] + 0.03)
    return [start, start, body.shoulder, body.shoulder]


def _seam_bottom(body: Bodice) -> list[Point]:
    """Where a sleeve ends, under the trunk."""
    return [(body.armpit[0] - 0.1, body.armpit[1] - 0.05)] * 2


def draw_trunk(sketch: Sketch, body: Bodice, *, waist: Point, hem: Point, sag: float = 0.03) -> None:
    """The trunk of a top, with its armhole and hem seams."""
    shoulder = [body.neck, body.shoulder, body.shoulder, mix(body.shoulder, body.armpit, 0.5)]
    side = [body.armpit, body.armpit, waist, hem, hem]
    bottom = [(hem[0] / 2, hem[1] + sag), (0.0, hem[1] + sag)]
    sketch.area(rounded(whole([*body.half_neckline(), *shoulder, *side, *bottom]), rounds=1))
    inward = (body.armpit[0] - 0.07, (body.shoulder[1] + body.armpit[1]) / 2)
    sketch.lines(curve(body.shoulder, inward, body.armpit), width=0.018)
    stitches = [(x, y - 0.05) for x, y in (hem, *bottom)]
    sketch.lines(stitches, Ink(shade=0.8), width=0.013)


def draw_collar(sketch: Sketch, body: Bodice, ink: Ink) -> None:
    """A turned-down collar: two flaps that meet under the throat."""
    x, y = body.neck
    edge = [(x + 0.06, y + 0.03), (x * 0.75 + 0.05, body.drop + 0.11), (0.0, body.drop)]
    sketch.areas([(x + 0.02, y - 0.05), *edge, (x * 0.7, y)], ink)
    sketch.lines(edge, Ink(shade=0.6, trim=ink.trim), width=0.018)


def draw_buttons(sketch: Sketch, top: float, bottom: float, count: int) -> None:
    """A placket down the middle, with buttons."""
    sketch.lines([(0.045, top), (0.045, bottom)], width=0.014)
    for step in range(count):
        y = top + (step + 0.5) * (bottom - top) / count
        sketch.area(ellipse((0.0, y), 0.02, 0.02), DETAIL)


def draw_print(sketch: Sketch, cut: Generator, y: float) -> None:
    """What is on the chest: a printed disc, two lines of text, a pocket or (two times in five) nothing."""
    kind = cut.integers(5)
    if kind == 0:
        sketch.area(ellipse((0.0, y + 0.12), 0.17, 0.17), DETAIL)
        sketch.area(ellipse((0.0, y + 0.12), 0.1, 0.1), TRIM)
    elif kind == 1:
        sketch.area(box(-0.24, y, 0.24, y + 0.06), DETAIL)
        sketch.area(box(-0.18, y + 0.1, 0.18, y + 0.16), DETAIL)
    elif kind == 2:
        left, right, low = 0.12, 0.32, y + 0.2
        sketch.line([(left, y), (right, y), (right, low), (0.22, low + 0.04), (left, low), (left, y)])
