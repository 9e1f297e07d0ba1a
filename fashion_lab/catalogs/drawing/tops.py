"""T-shirts and longsleeves; see `bodice` for generators and units."""

from numpy.random import Generator

from fashion_lab.catalogs.drawing.bodice import (
    CONTRAST_SLEEVE,
    SLEEVE,
    Bodice,
    Sleeve,
    draw_buttons,
    draw_collar,
    draw_print,
    draw_trunk,
)
from fashion_lab.catalogs.drawing.outlines import curve, flipped, rounded, whole
from fashion_lab.catalogs.drawing.sketch import CLOTH, DETAIL, INSIDE, TRIM, Ink, Sketch

T_SHIRTS = ("crew", "crew", "v", "polo")
LONGSLEEVES = ("jumper", "jumper", "shirt", "hoodie")


def draw_t_shirt(cut: Generator, lay: Generator) -> Sketch:
    """T-shirts and polos: short sleeves, hip length."""
    sketch, style = Sketch(), T_SHIRTS[cut.integers(len(T_SHIRTS))]
    half, top, low = cut.uniform(0.42, 0.56), -0.72, cut.uniform(0.6, 0.8)
    depth = {"crew": cut.uniform(0.12, 0.2), "v": cut.uniform(0.24, 0.36), "polo": 0.12}[style]
    body = Bodice(
        neck=(cut.uniform(0.15, 0.21), top),
        shoulder=(half - 0.01, top + 0.1),
        armpit=(half - 0.03, top + 0.46),
        drop=top + depth,
        pointed=style != "crew",
    )
    ringer = cut.random() < 0.3
    ink = CONTRAST_SLEEVE if cut.random() < 0.18 else SLEEVE
    sleeve = Sleeve(cut.uniform(0.3, 0.48), cut.uniform(0.26, 0.36), ink, TRIM if ringer else SLEEVE)
    body.draw_inside(sketch)
    sleeve.draw_pair(sketch, body, lay)
    draw_trunk(sketch, body, waist=(half - cut.uniform(0.0, 0.07), 0.1), hem=(half, low))
    if style == "polo":
        draw_buttons(sketch, body.drop, body.drop + 0.3, 3)
        draw_collar(sketch, body, TRIM if ringer else CLOTH)
    else:
        sketch.line(body.neckline(), TRIM if ringer else Ink(shade=0.85), width=0.05)
        draw_print(sketch, cut, body.drop + 0.14)
    return sketch


def draw_longsleeve(cut: Generator, lay: Generator) -> Sketch:
    """Jumpers, hoodies and shirts: sleeves to the wrist."""
    sketch, style = Sketch(), LONGSLEEVES[cut.integers(len(LONGSLEEVES))]
    half, top, low = cut.uniform(0.36, 0.48), -0.74, cut.uniform(0.5, 0.74)
    body = Bodice(
        neck=(cut.uniform(0.14, 0.19), top),
        shoulder=(half, top + 0.12),
        armpit=(half - 0.05, top + 0.46),
        drop=top + (0.12 if style == "shirt" else cut.uniform(0.12, 0.26)),
        pointed=style == "shirt",
    )
    ribbed = TRIM if cut.random() < 0.35 else Ink(shade=0.84)
    ink = CONTRAST_SLEEVE if style == "jumper" and cut.random() < 0.2 else SLEEVE
    sleeve = Sleeve(cut.uniform(1.12, 1.3), cut.uniform(0.15, 0.21), ink, ribbed)
    if style == "hoodie":
        draw_hood(sketch, body)
    else:
        body.draw_inside(sketch)
    sleeve.draw_pair(sketch, body, lay)
    draw_trunk(sketch, body, waist=(half - cut.uniform(0.0, 0.06), 0.1), hem=(half - 0.02, low))
    if style == "shirt":
        draw_buttons(sketch, body.drop, low + 0.02, 6)
        draw_collar(sketch, body, CLOTH)
        return sketch
    welt = curve((half - 0.02, low), (0.0, low + 0.07), (0.02 - half, low))
    sketch.area([*welt, (0.03 - half, low - 0.1), (half - 0.03, low - 0.1)], ribbed)
    if style == "hoodie":
        draw_pouch(sketch, body, low)
    else:
        sketch.line(body.neckline(), ribbed, width=0.06)
        draw_print(sketch, cut, body.drop + 0.2)
    return sketch


def draw_hood(sketch: Sketch, body: Bodice) -> None:
    """A hood behind the neck, open to the front."""
    top, drop = body.neck[1], body.drop
    outside = [
        (0.0, top - 0.2),
        (0.2, top - 0.17),
        (0.27, top + 0.05),
        (0.12, drop + 0.02),
        (0.0, drop + 0.02),
    ]
    opening = [(0.0, top - 0.1), (0.13, top - 0.06), (0.13, top + 0.06), (0.0, drop)]
    sketch.area(rounded(whole(outside)), Ink(shade=0.9))
    sketch.area(rounded(whole(opening)), INSIDE)


def draw_pouch(sketch: Sketch, body: Bodice, low: float) -> None:
    """A hoodie's pocket and strings."""
    right = [(0.28, low - 0.1), (0.28, 0.36), (0.16, 0.12)]
    sketch.line([*right, *flipped(right)[::-1]], width=0.02)
    sketch.lines([(0.06, body.drop), (0.07, body.drop + 0.26)], DETAIL, width=0.022)
