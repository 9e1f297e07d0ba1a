"""Shoes, singly or in pairs, from the side or from above; see `bodice` for generators and units."""

from collections.abc import Callable

from numpy.random import Generator

from fashion_lab.catalogs.drawing.outlines import box, curve, ellipse, mix, rounded
from fashion_lab.catalogs.drawing.sketch import (
    CLOTH,
    DETAIL,
    FOLD,
    INSIDE,
    SEAM,
    TRIM,
    TRIM_SEAM,
    Ink,
    Sketch,
)

STYLES = ("sneaker", "sneaker", "high", "boot", "pump")
FROM_ABOVE = 0.17  # share of products shown as a pair from above
IN_PAIRS = 0.6  # share of side views that show both shoes
DARK_TRIM = Ink(shade=0.8, trim=1.0)


def draw_sneaker(sketch: Sketch, height: float, sole: float, stripes: int) -> None:
    """Toe to the right; `height` is where the collar ends (higher is more negative), `sole` its thickness."""
    throat = (-0.12, height * 0.75 - 0.1)
    collar = [(-0.84, height), (-0.84, height), (-0.55, height + 0.1), (-0.3, height - 0.02)]
    sketch.area(
        rounded(
            [(-0.84, height + 0.02), (-0.5, height - 0.1), (-0.22, height - 0.08), (-0.3, height + 0.16)]
        ),
        INSIDE,
    )
    vamp = [throat, (0.12, -0.08), (0.5, 0.06), (0.82, 0.12), (0.9, 0.3), (0.9, 0.34), (0.9, 0.34)]
    heel = [(-0.86, 0.34), (-0.86, 0.34), (-0.9, 0.1), (-0.8, height * 0.5)]
    sketch.area(rounded([*collar, *vamp, *heel]))
    sketch.area(
        rounded([(0.5, 0.08), (0.8, 0.13), (0.9, 0.3), (0.88, 0.36), (0.48, 0.36), (0.42, 0.2)]),
        Ink(shade=0.9),
    )
    for step in range(stripes):
        x = -0.34 + 0.14 * step
        sketch.area([(x, 0.32), (x + 0.08, 0.32), (x + 0.2, 0.02), (x + 0.12, 0.0)], DETAIL)
    sketch.area([(-0.87, 0.3), (-0.7, 0.3), (-0.68, height * 0.6), (-0.82, height * 0.6)], Ink(shade=0.85))
    for step in range(5):
        at = mix((-0.2, height * 0.7 + 0.0), (0.28, 0.02), step / 4)
        sketch.line([(at[0] - 0.03, at[1] - 0.04), (at[0] - 0.13, at[1] + 0.12)], DETAIL, width=0.035)
    bottom = [(0.9, 0.34 + sole), (0.8, 0.36 + sole), (-0.8, 0.36 + sole), (-0.9, 0.32 + sole)]
    sketch.area(rounded([(-0.9, 0.32), (-0.9, 0.32), (0.9, 0.32), (0.96, 0.26), *bottom]), TRIM)
    sketch.line([(-0.88, 0.34 + sole * 0.6), (0.9, 0.34 + sole * 0.6)], TRIM_SEAM, width=0.025)


def draw_boot(sketch: Sketch, height: float, heel: float) -> None:
    """An ankle or knee boot with a block heel."""
    shaft = [(-0.72, height), (-0.72, height), (-0.16, height), (-0.16, height), (-0.1, -0.2), (0.1, 0.06)]
    foot = [(0.5, 0.14), (0.8, 0.26), (0.84, 0.44), (0.84, 0.44), (-0.74, 0.44), (-0.74, 0.44), (-0.7, 0.0)]
    sketch.area(rounded([*shaft, *foot]))
    sketch.area(ellipse((-0.44, height), 0.28, 0.05), INSIDE)
    sole = [(-0.76, 0.42), (0.86, 0.42), (0.84, 0.5), (-0.2, 0.5), (-0.3, 0.44 + heel), (-0.74, 0.44 + heel)]
    sketch.area(sole, DARK_TRIM)
    sketch.line([(-0.34, height + 0.08), (-0.34, 0.1)], SEAM, width=0.022)
    sketch.line(curve((-0.14, -0.12), (-0.4, 0.1), (-0.72, 0.05)), FOLD, width=0.03)
    sketch.line(curve((0.28, 0.1), (0.3, 0.3), (0.4, 0.42)), SEAM, width=0.02)
    sketch.area(box(-0.68, height + 0.1, -0.2, height + 0.15), TRIM)


def draw_pump(sketch: Sketch, heel: float) -> None:
    """A court shoe: an open arch over a thin heel."""
    sketch.area(rounded([(-0.78, -0.22), (-0.4, -0.1), (0.2, 0.16), (0.34, 0.12), (-0.3, -0.2)]), INSIDE)
    upper = [
        (-0.84, -0.24),
        (-0.84, -0.24),
        (-0.66, -0.12),
        (-0.3, 0.1),
        (0.1, 0.22),
        (0.34, 0.12),
        (0.34, 0.12),
    ]
    sole = [(0.7, 0.26), (0.96, 0.42), (0.92, 0.46), (0.3, 0.46), (-0.1, 0.38), (-0.5, 0.18), (-0.82, 0.14)]
    sketch.area(rounded([*upper, *sole, (-0.88, -0.06)]))
    sketch.area(
        [(-0.85, 0.1), (-0.6, 0.14), (-0.7, 0.46), (-0.7, 0.46 + heel / 4), (-0.8, 0.46 + heel / 4)],
        DARK_TRIM,
    )
    sketch.line([(0.9, 0.46), (0.3, 0.47), (-0.1, 0.39), (-0.5, 0.2)], DARK_TRIM, width=0.04)
    sketch.area(ellipse((0.44, 0.2), 0.07, 0.05), DETAIL)


def draw_from_above(sketch: Sketch, laces: int, strap: float) -> None:
    """The right one of a pair seen from above, toe up."""
    outline = [
        (-0.02, -0.92),
        (0.22, -0.84),
        (0.3, -0.5),
        (0.24, -0.05),
        (0.26, 0.5),
        (0.2, 0.86),
        (0.0, 0.93),
    ]
    inner = [(-0.2, 0.86), (-0.24, 0.5), (-0.2, -0.05), (-0.27, -0.5), (-0.22, -0.8)]
    sketch.area([(x * 1.1, y * 1.03) for x, y in rounded([*outline, *inner])], TRIM)
    sketch.area(rounded([*outline, *inner]), CLOTH)
    sketch.area(
        rounded(
            [(0.0, -0.06), (0.17, 0.08), (0.18, 0.5), (0.1, 0.84), (-0.1, 0.84), (-0.18, 0.5), (-0.17, 0.08)]
        ),
        INSIDE,
    )
    sketch.area(ellipse((0.0, 0.58), 0.1, 0.18), DARK_TRIM)
    sketch.line(curve((0.27, -0.5), (0.0, -0.62), (-0.25, -0.5)), SEAM, width=0.022)
    for step in range(laces):
        y = -0.38 + 0.11 * step
        sketch.line([(-0.13, y), (0.13, y + 0.03)], DETAIL, width=0.04)
    if laces == 0:
        sketch.area(box(-0.22, strap, 0.22, strap + 0.09), TRIM)


def draw_style(cut: Generator) -> Callable[[Sketch], None]:
    """Choose a shoe, to be put down once or twice."""
    height, sole, stripes = cut.uniform(-0.3, -0.2), cut.uniform(0.1, 0.2), int(cut.integers(4))
    heel = cut.uniform(0.1, 0.24)
    style = STYLES[cut.integers(len(STYLES))]
    if style == "boot":
        return lambda sketch: draw_boot(sketch, height - 0.55, heel)
    if style == "pump":
        return lambda sketch: draw_pump(sketch, heel)
    collar = height - 0.36 if style == "high" else height
    return lambda sketch: draw_sneaker(sketch, collar, sole, stripes)


def draw_shoes(cut: Generator, lay: Generator) -> Sketch:
    """Sneakers, boots, pumps and flats; views differ in how the pair is put down, or show one shoe only."""
    sketch = Sketch()
    if cut.random() < FROM_ABOVE:
        laces, strap = (0, 3, 4)[cut.integers(3)], cut.uniform(-0.35, -0.15)
        for side in (-1, 1):
            sketch.corner = (side * lay.uniform(0.34, 0.48), lay.uniform(-0.12, 0.12))
            draw_from_above(sketch, laces, strap)
        return sketch
    draw = draw_style(cut)
    if lay.random() < IN_PAIRS:
        sketch.corner = (lay.uniform(-0.22, 0.12), -lay.uniform(0.42, 0.78))
        draw(sketch)
        sketch.corner = (0.0, 0.0)
    draw(sketch)
    return sketch
