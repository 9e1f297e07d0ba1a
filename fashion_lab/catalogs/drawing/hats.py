"""Hats: caps, beanies, sun hats, bucket hats and fedoras; see `bodice` for generators and units."""

from numpy.random import Generator

from fashion_lab.catalogs.drawing.outlines import curve, ellipse, mix, rounded, whole
from fashion_lab.catalogs.drawing.sketch import DETAIL, FOLD, INSIDE, SEAM, TRIM, Ink, Sketch

STYLES = ("cap", "beanie", "sun", "fedora", "bucket")


def draw_cap(cut: Generator, sketch: Sketch) -> None:
    """A baseball cap, peak to the right."""
    tall, peak = cut.uniform(0.62, 0.82), cut.uniform(0.78, 0.95)
    peak_ink = TRIM if cut.random() < 0.4 else Ink(shade=0.86)
    back = [(-0.72, 0.3), (-0.72, 0.3), (-0.74, -0.1), (-0.5, -0.05 - tall * 0.6), (-0.1, 0.05 - tall)]
    front = [(0.25, -tall * 0.72), (0.42, -0.12), (0.44, 0.26), (0.44, 0.26), (-0.1, 0.36)]
    sketch.area(rounded([*back, *front]))
    button = (-0.1, 0.12 - tall)
    sketch.line(curve(button, (-0.5, -0.3), (-0.42, 0.3)))
    sketch.line(curve(button, (0.12, -0.3), (0.06, 0.3)))
    sketch.area(ellipse((0.24, -0.12), 0.12, 0.13), DETAIL)
    sketch.area(ellipse(button, 0.06, 0.03), TRIM)
    lip = [(0.02, 0.22), (0.44, 0.1), (peak, 0.2), (peak + 0.02, 0.34), (0.5, 0.32), (0.1, 0.4)]
    sketch.area(rounded(lip), peak_ink)
    sketch.line(
        curve((0.1, 0.36), (0.5, 0.24), (peak - 0.02, 0.3)), Ink(shade=0.7, trim=peak_ink.trim), width=0.02
    )
    sketch.line([(-0.7, 0.24), (-0.1, 0.3)], width=0.014)


def draw_beanie(cut: Generator, sketch: Sketch) -> None:
    """A knitted cap with a turned-up edge, perhaps with a pompom."""
    half, tall, fold = cut.uniform(0.52, 0.64), cut.uniform(0.62, 0.86), cut.uniform(0.2, 0.32)
    if cut.random() < 0.5:
        sketch.area(ellipse((0.0, 0.08 - tall), 0.19, 0.17), TRIM)
    crown = [(0.0, 0.2 - tall), (half * 0.6, 0.22 - tall), (half, -0.15), (half, 0.3), (half, 0.3)]
    sketch.area(rounded(whole([*crown, (0.0, 0.34)])))
    for step in range(-3, 4):
        x = half * step / 3.6
        sketch.line(curve((x * 0.5, 0.3 - tall), (x, -0.1), (x, 0.3)), FOLD, width=0.022)
    edge = TRIM if cut.random() < 0.4 else Ink(shade=0.92)
    top, low, wide = 0.26, 0.26 + fold, half + 0.04
    side = [(wide, top), (wide, top), (wide, low), (wide, low)]
    sketch.area(rounded(whole([(0.0, top + 0.05), *side, (0.0, low + 0.06)])), edge)
    for step in range(-6, 7):
        x = wide * step / 6.6
        sketch.line([(x, top + 0.05), (x, low)], Ink(shade=0.8, trim=edge.trim), width=0.016)
    rim = curve((wide, top), (0.0, top + 0.1), (-wide, top))
    sketch.line(rim, Ink(shade=0.65, trim=edge.trim), width=0.02)


def draw_brimmed(cut: Generator, sketch: Sketch, *, wide: float, dent: bool) -> None:
    """A sun hat or, with a dent, a fedora: a crown with a band over an elliptic brim."""
    crown, tall = cut.uniform(0.4, 0.5), cut.uniform(0.52, 0.7)
    droop = cut.uniform(0.16, 0.26) if not dent else 0.13
    sketch.area(ellipse((0.0, 0.24), wide, droop + 0.02), Ink(shade=0.6))
    sketch.area(ellipse((0.0, 0.2), wide, droop), Ink(shade=0.95))
    for ring in (0.72, 0.88):
        sketch.line([*ellipse((0.0, 0.2), wide * ring, droop * ring)], FOLD, width=0.014)
    top = (
        [(0.0, 0.12 - tall), (0.12, 0.04 - tall)] if dent else [(0.0, 0.1 - tall), (crown * 0.5, 0.09 - tall)]
    )
    side = [(crown * 0.86, 0.14 - tall), (crown * 0.95, -0.1), (crown, 0.16), (crown, 0.16), (0.0, 0.3)]
    sketch.area(rounded(whole([*top, *side])))
    if dent:
        sketch.line(
            curve((0.22, 0.2 - tall), (0.0, 0.34 - tall), (-0.22, 0.2 - tall)), Ink(shade=0.66), width=0.03
        )
    low, high = (
        curve((crown, 0.17), (0.0, 0.32), (-crown, 0.17)),
        curve((-crown * 0.97, 0.02), (0.0, 0.16), (crown * 0.97, 0.02)),
    )
    sketch.area([*low, *high], TRIM)
    if cut.random() < 0.5:
        sketch.area(
            [(crown * 0.55, 0.08), (crown * 0.95, 0.0), (crown * 0.95, 0.2)], Ink(shade=0.8, trim=1.0)
        )
    sketch.line(low, Ink(shade=0.6), width=0.02)


def draw_bucket(cut: Generator, sketch: Sketch) -> None:
    """A bucket hat: a flat crown over a sloping, stitched brim."""
    crown, wide, tall = cut.uniform(0.42, 0.5), cut.uniform(0.7, 0.86), cut.uniform(0.45, 0.58)
    low = 0.42
    sketch.area(ellipse((0.0, low - 0.02), wide * 0.94, 0.14), INSIDE)
    brim = [
        (0.0, 0.04),
        (crown, 0.0),
        (crown, 0.0),
        (wide, low),
        (wide, low),
        (wide * 0.55, low + 0.1),
        (0.0, low + 0.13),
    ]
    sketch.area(rounded(whole(brim)), Ink(shade=0.93))
    for ring in (0.3, 0.5, 0.7, 0.88):
        right = mix((crown, 0.0), (wide, low), ring)
        sketch.line(curve(right, (0.0, right[1] + 0.24), (-right[0], right[1])), FOLD, width=0.014)
    top = crown * 0.84
    sketch.area(
        rounded(whole([(0.0, -tall), (top, -tall), (top, -tall), (crown, 0.03), (crown, 0.03), (0.0, 0.13)]))
    )
    sketch.area(ellipse((0.0, -tall), top, 0.09), Ink(shade=1.06))
    sketch.line(ellipse((0.0, -tall), top, 0.09), SEAM, width=0.018)
    sketch.line(
        curve((crown, 0.02), (0.0, 0.18), (-crown, 0.02)), TRIM if cut.random() < 0.4 else SEAM, width=0.05
    )
    sketch.lines([(crown * 0.6, -0.1), (crown * 0.6, -0.1 + 0.04)], DETAIL, width=0.04)


def draw_hat(cut: Generator, lay: Generator) -> Sketch:
    """Any of the five."""
    sketch, style = Sketch(), STYLES[cut.integers(len(STYLES))]
    if style == "cap":
        draw_cap(cut, sketch)
    elif style == "beanie":
        draw_beanie(cut, sketch)
    elif style == "sun":
        draw_brimmed(cut, sketch, wide=cut.uniform(0.8, 0.95), dent=False)
    elif style == "fedora":
        draw_brimmed(cut, sketch, wide=cut.uniform(0.68, 0.8), dent=True)
    else:
        draw_bucket(cut, sketch)
    return sketch
