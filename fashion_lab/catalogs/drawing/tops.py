"""Cuts of everything with a neckline: t-shirts, longsleeves and dresses.

Every `draw_*` takes two generators: `cut` belongs to the product (the same in each of its views), `lay` to the
view (how the soft parts happen to lie). Numbers are proportions in garment units, taken by eye from flat-lay
photographs.
"""

import math
from dataclasses import dataclass

from numpy.random import Generator

from fashion_lab.catalogs.drawing.sketch import (
    CLOTH,
    DETAIL,
    FOLD,
    INSIDE,
    SEAM,
    TRIM,
    TRIM_SEAM,
    Ink,
    Point,
    Sketch,
    box,
    curve,
    ellipse,
    flipped,
    mix,
    rounded,
    whole,
)

SLEEVE = Ink(shade=0.93)


@dataclass(frozen=True)
class Bodice:
    """The upper part: where neck, shoulder and armpit are, on the right side."""

    neck: Point
    shoulder: Point
    armpit: Point
    drop: float  # y of the lowest point of the neckline
    pointed: bool  # V-neck

    def neckline(self) -> list[Point]:
        """From the right neck point down to the middle and up to the left one."""
        control = (self.neck[0] * (0.45 if self.pointed else 0.95), self.drop)
        right = curve(self.neck, control, (0.0, self.drop), steps=6)
        return [*right, *flipped(right)[::-1]]

    def draw_inside(self, sketch: Sketch) -> None:
        """The back of the neck, seen through the opening, with its label."""
        x, y = self.neck
        sketch.area([*curve((x, y), (0.0, y + 0.1), (-x, y)), (-x, self.drop), (x, self.drop)], INSIDE)
        sketch.area(box(-0.045, y + 0.06, 0.045, y + 0.1), DETAIL)


def draw_sleeves(
    sketch: Sketch, body: Bodice, lay: Generator, *, length: float, cuff: float, ink: Ink, edge: Ink
) -> None:
    """Two sleeves that leave the shoulder at their own angles; long ones bend at the elbow.

    Args:
        sketch: drawn on.
        body: where the sleeves are sewn in.
        lay: how they happen to lie.
        length: along the outer edge, garment units.
        cuff: width at the wrist, garment units.
        ink: of the sleeve.
        edge: of the cuff's band.
    """
    long = length > 0.7
    for side in (1, -1):
        angle = lay.uniform(0.3, 0.75) if long else lay.uniform(0.6, 1.05)
        lower = angle - lay.uniform(-0.2, 0.25) * long
        out, down = math.sin(angle), math.cos(angle)
        elbow = (body.shoulder[0] + out * length / 2, body.shoulder[1] + down * length / 2)
        wrist = (elbow[0] + math.sin(lower) * length / 2, elbow[1] + math.cos(lower) * length / 2)
        inner = (wrist[0] - math.cos(lower) * cuff, wrist[1] + math.sin(lower) * cuff)
        crook = (elbow[0] - math.cos(angle) * cuff * 1.25, elbow[1] + math.sin(angle) * cuff * 1.25)
        pit = body.armpit if long else mix(body.armpit, crook, 0.2)
        inside = (body.armpit[0] - 0.1, body.armpit[1] - 0.05)
        top = (body.neck[0], body.neck[1] + 0.03)
        hem = [wrist, wrist, inner, inner]
        middle = [elbow, *hem, crook] if long else hem
        outline = rounded([top, top, body.shoulder, body.shoulder, *middle, pit, inside, inside])
        band = 0.09 if long else 0.05
        strip = [wrist, inner, mix(inner, crook, band / length * 2), mix(wrist, elbow, band / length * 2)]
        for points, fill in ((outline, ink), (strip, edge)):
            sketch.area(points if side > 0 else flipped(points), fill)
        creases = [[mix(strip[3], strip[2], 0.0), strip[2]]]
        if long:
            creases += [
                [mix(elbow, crook, 0.35), mix(crook, body.armpit, 0.3)],
                [crook, mix(elbow, wrist, 0.3)],
            ]
        for crease, fill in zip(creases, (SEAM, FOLD, FOLD), strict=False):
            sketch.line(crease if side > 0 else flipped(crease), fill)


def draw_body(sketch: Sketch, body: Bodice, *, waist: Point, hem: Point, sag: float = 0.03) -> None:
    """The trunk of a top, with its armhole and hem seams."""
    neckline = body.neckline()[:6][::-1]
    side = [body.armpit, body.armpit, waist, hem, hem]
    right = [*neckline, body.neck, body.shoulder, body.shoulder, mix(body.shoulder, body.armpit, 0.5)]
    sketch.area(rounded(whole([*right, *side, (hem[0] / 2, hem[1] + sag), (0.0, hem[1] + sag)]), rounds=1))
    inward = (body.armpit[0] - 0.07, (body.shoulder[1] + body.armpit[1]) / 2)
    sketch.lines(curve(body.shoulder, inward, body.armpit), width=0.018)
    above = [(hem[0], hem[1] - 0.05), (hem[0] / 2, hem[1] + sag - 0.05), (0.0, hem[1] + sag - 0.05)]
    sketch.lines(above, Ink(shade=0.8), width=0.013)


def draw_collar(sketch: Sketch, body: Bodice, ink: Ink) -> None:
    """A turned-down collar: two flaps that meet under the throat."""
    x, y = body.neck
    meet = (0.0, body.drop)
    flap = [
        (x + 0.02, y - 0.05),
        (x + 0.06, y + 0.03),
        (x * 0.75 + 0.05, body.drop + 0.11),
        meet,
        (x * 0.7, y),
    ]
    sketch.areas(flap, ink)
    sketch.lines([*flap[1:4]], Ink(shade=0.6, trim=ink.trim), width=0.018)


def draw_buttons(sketch: Sketch, top: float, bottom: float, count: int) -> None:
    """A placket down the middle with buttons."""
    sketch.lines([(0.045, top), (0.045, bottom)], width=0.014)
    for step in range(count):
        y = top + (step + 0.5) * (bottom - top) / count
        sketch.area(ellipse((0.0, y), 0.02, 0.02), DETAIL)


def draw_print(sketch: Sketch, cut: Generator, y: float) -> None:
    """What is printed or sewn on the chest: a disc, a bar of text, a pocket or nothing."""
    kind = cut.integers(5)
    if kind == 0:
        sketch.area(ellipse((0.0, y + 0.12), 0.17, 0.17), DETAIL)
        sketch.area(ellipse((0.0, y + 0.12), 0.1, 0.1), TRIM)
    elif kind == 1:
        for row, half in enumerate((0.24, 0.18)):
            sketch.area(box(-half, y + 0.1 * row, half, y + 0.1 * row + 0.06), DETAIL)
    elif kind == 2:
        left, right, low = 0.12, 0.32, y + 0.2
        sketch.line([(left, y), (right, y), (right, low), (0.22, low + 0.04), (left, low), (left, y)])


def draw_t_shirt(cut: Generator, lay: Generator) -> Sketch:
    """T-shirts and polos: short sleeves, hip length."""
    sketch = Sketch()
    half, top, low = cut.uniform(0.42, 0.56), -0.72, cut.uniform(0.6, 0.8)
    style = cut.choice(["crew", "crew", "v", "polo"])
    neck = (cut.uniform(0.15, 0.21), top)
    drop = top + {"crew": cut.uniform(0.12, 0.2), "v": cut.uniform(0.24, 0.36), "polo": 0.12}[str(style)]
    body = Bodice(neck, (half - 0.01, top + 0.1), (half - 0.03, top + 0.46), drop, style != "crew")
    ringer = cut.random() < 0.3
    edge = TRIM if ringer else SLEEVE
    ink = Ink(shade=0.93, trim=1.0) if cut.random() < 0.18 else SLEEVE
    body.draw_inside(sketch)
    length, cuff = cut.uniform(0.3, 0.48), cut.uniform(0.26, 0.36)
    draw_sleeves(sketch, body, lay, length=length, cuff=cuff, ink=ink, edge=edge)
    draw_body(sketch, body, waist=(half - cut.uniform(0.0, 0.07), 0.1), hem=(half, low))
    if style == "polo":
        draw_buttons(sketch, drop, drop + 0.3, 3)
        draw_collar(sketch, body, TRIM if ringer else CLOTH)
    else:
        sketch.line(body.neckline(), TRIM if ringer else Ink(shade=0.85), width=0.05)
        draw_print(sketch, cut, drop + 0.14)
    return sketch


def draw_longsleeve(cut: Generator, lay: Generator) -> Sketch:
    """Jumpers, hoodies and shirts: sleeves to the wrist."""
    sketch = Sketch()
    half, top, low = cut.uniform(0.36, 0.48), -0.74, cut.uniform(0.5, 0.74)
    style = cut.choice(["jumper", "jumper", "shirt", "hoodie"])
    drop = top + (0.12 if style == "shirt" else cut.uniform(0.12, 0.26))
    body = Bodice(
        (cut.uniform(0.14, 0.19), top), (half, top + 0.12), (half - 0.05, top + 0.46), drop, style == "shirt"
    )
    ribbed = TRIM if cut.random() < 0.35 else Ink(shade=0.84)
    if style == "hoodie":
        hood = [
            (0.0, top - 0.2),
            (0.2, top - 0.17),
            (0.27, top + 0.05),
            (0.12, drop + 0.02),
            (0.0, drop + 0.02),
        ]
        sketch.area(rounded(whole(hood)), Ink(shade=0.9))
        sketch.area(
            rounded(whole([(0.0, top - 0.1), (0.13, top - 0.06), (0.13, top + 0.06), (0.0, drop)])), INSIDE
        )
    else:
        body.draw_inside(sketch)
    ink = Ink(shade=0.93, trim=1.0) if style == "jumper" and cut.random() < 0.2 else SLEEVE
    length, cuff = cut.uniform(1.12, 1.3), cut.uniform(0.15, 0.21)
    draw_sleeves(sketch, body, lay, length=length, cuff=cuff, ink=ink, edge=ribbed)
    draw_body(sketch, body, waist=(half - cut.uniform(0.0, 0.06), 0.1), hem=(half - 0.02, low))
    if style == "shirt":
        draw_buttons(sketch, drop, low + 0.02, 6)
        draw_collar(sketch, body, CLOTH)
        return sketch
    sketch.area(
        [
            *curve((half - 0.02, low), (0, low + 0.07), (0.02 - half, low)),
            (0.03 - half, low - 0.1),
            (half - 0.03, low - 0.1),
        ],
        ribbed,
    )
    if style == "hoodie":
        pocket = [(0.16, 0.12), (0.28, 0.36), (0.28, low - 0.1)]
        sketch.line([*pocket[::-1], *flipped(pocket)], width=0.02)
        sketch.lines([(0.06, drop), (0.07, drop + 0.26)], DETAIL, width=0.022)
    else:
        sketch.line(body.neckline(), ribbed, width=0.06)
        draw_print(sketch, cut, drop + 0.2)
    return sketch


def draw_dress(cut: Generator, lay: Generator) -> Sketch:
    """Dresses: a bodice, a waist and a skirt that flares."""
    sketch = Sketch()
    half, top, waist_y = cut.uniform(0.24, 0.32), -0.92, cut.uniform(-0.34, -0.12)
    low, flare = cut.uniform(0.6, 0.95), cut.uniform(0.36, 0.72)
    sleeves = cut.choice(["straps", "straps", "short", "long"])
    bare = sleeves == "straps"
    neck = (half * 0.62, top) if bare else (cut.uniform(0.12, 0.17), top)
    shoulder = (half * 0.78, top) if bare else (half, top + 0.07)
    body = Bodice(neck, shoulder, (half, top + 0.36), top + cut.uniform(0.14, 0.3), bool(cut.random() < 0.5))
    body.draw_inside(sketch)
    if not bare:
        length, cuff = (0.26, 0.2) if sleeves == "short" else (1.0, 0.13)
        draw_sleeves(sketch, body, lay, length=length, cuff=cuff, ink=SLEEVE, edge=SLEEVE)
    sway = lay.uniform(-0.08, 0.08)
    waist = half * cut.uniform(0.74, 0.95)
    skirt = [
        (waist, waist_y),
        (waist, waist_y),
        (waist * 0.5 + flare * 0.6, (waist_y + low) / 2),
        (flare, low),
        (flare, low),
    ]
    hem = [(flare * share, low + 0.07 * (1 - share * share)) for share in (0.66, 0.33, 0.0)]
    outline = [(x + sway * max(0.0, y), y) for x, y in rounded(whole([(0.0, waist_y), *skirt, *hem]))]
    sketch.area(outline, Ink(shade=0.97))
    draw_pleats(sketch, cut, waist=(waist, waist_y), hem=(flare, low), sway=sway)
    neckline = body.neckline()[:6][::-1]
    arm = [shoulder, shoulder, mix(shoulder, body.armpit, 0.7), body.armpit, body.armpit]
    sketch.area(
        rounded(whole([*neckline, neck, *arm, (waist, waist_y), (waist, waist_y), (0.0, waist_y)]), rounds=1)
    )
    sketch.lines([mix(body.armpit, (0.0, body.armpit[1]), 0.45), (waist * 0.5, waist_y)], FOLD)
    sketch.line(body.neckline(), TRIM_SEAM if cut.random() < 0.3 else SEAM, width=0.022)
    belt = TRIM if cut.random() < 0.45 else SEAM
    sketch.area(box(-waist, waist_y - 0.03, waist, waist_y + (0.04 if belt is TRIM else -0.01)), belt)
    return sketch


def draw_pleats(sketch: Sketch, cut: Generator, *, waist: Point, hem: Point, sway: float) -> None:
    """Folds that fan out from the waist, and a border or tiers above the hem."""
    count = int(cut.integers(2, 6))
    for step in range(-count, count + 1):
        share = step / (count + 0.7)
        end = (hem[0] * share + sway * hem[1], hem[1] + 0.05 * (1 - share * share))
        sketch.line(
            [(waist[0] * share, waist[1]), mix((waist[0] * share, waist[1]), end, 0.97)], FOLD, width=0.02
        )
    border = cut.integers(3)
    for height in ((), (0.93,), (0.4, 0.72))[border]:
        half, y = waist[0] + (hem[0] - waist[0]) * height, waist[1] + (hem[1] - waist[1]) * height
        line = curve((half * 0.97, y), (0.0, y + 0.1 * height), (-half * 0.97, y))
        moved = [(x + sway * max(0.0, at), at) for x, at in line]
        sketch.line(moved, TRIM if border == 1 else SEAM, width=0.05 if border == 1 else 0.02)
