"""Pictures that are no use as they stand: unreadable, blank, tiny or odd-shaped.

N pictures.
"""

from functools import partial

import numpy as np
from numpy.typing import NDArray

from fashion_lab.audits.contract import Check, Finding, Report
from fashion_lab.audits.material import SMALL, Pictures
from fashion_lab.galleries.embedding import PLAIN_RANGE

TITLE = "Files"
KINDS = ("unreadable", "blank", "tiny", "odd-shaped")
MOST = (
    0.96  # of a picture's pixels, without the lightest and the darkest 2%: a speck is no picture; assumption
)
BLOCK = 4096  # pictures at once: 48 MiB of float32; changes no result


def files_check(*, tiny: int, shape: float) -> Check:
    """Make the check.

    Args:
        tiny: pixels of the shorter side; below it a picture is tiny.
        shape: longer side by shorter side; above it a picture is odd-shaped.
    """
    if isinstance(tiny, bool) or not isinstance(tiny, int) or tiny < 1:
        raise ValueError(f"tiny={tiny}: give pixels of the shorter side, 1 or more, such as 64")
    if isinstance(shape, bool) or not isinstance(shape, int | float) or not shape >= 1:
        raise ValueError(f"shape={shape}: give longer side by shorter side, 1 or more, such as 3")
    return partial(check_files, tiny=tiny, shape=shape)


def check_files(pictures: Pictures, *, tiny: int, shape: float) -> Report:
    """Look at every picture by itself."""
    sizes_N2, there_N = pictures.sizes_N2, pictures.readable_N
    short_N, long_N = sizes_N2.min(axis=1), np.maximum(sizes_N2.max(axis=1), 1)
    ratio_N = long_N / np.maximum(short_N, 1)
    small = [
        row for row in np.argsort(short_N, kind="stable").tolist() if there_N[row] and short_N[row] < tiny
    ]
    odd = [
        row for row in np.argsort(-ratio_N, kind="stable").tolist() if there_N[row] and ratio_N[row] > shape
    ]
    findings = [
        *(_finding("unreadable", row, None, why) for row, why in sorted(pictures.broken.items())),
        *(
            _finding("blank", row, None, "nearly one colour")
            for row in np.flatnonzero(blank(pictures)).tolist()
        ),
        *(_finding("tiny", row, float(short_N[row]), _size(pictures, row)) for row in small),
        *(_finding("odd-shaped", row, float(ratio_N[row]), _size(pictures, row)) for row in odd),
    ]
    counts = {kind: sum(found.kind == kind for found in findings) for kind in KINDS}
    shortest, widest = (
        (int(short_N[there_N].min()), float(ratio_N[there_N].max())) if there_N.any() else (None, None)
    )
    return Report(
        title=TITLE,
        summary=", ".join(f"{count:,} {kind}" for kind, count in counts.items()),
        notes=[
            f"Tiny: the shorter side has fewer than {tiny} pixels. Odd-shaped: the longer side is more than "
            f"{shape:g} times the shorter. Blank: {MOST:.0%} of the pixels differ by {PLAIN_RANGE} of 255 or "
            "less in every colour."
        ],
        findings=findings,
        numbers={
            "pictures": len(pictures),
            **{kind.replace("-", "_"): count for kind, count in counts.items()},
            "shortest_side": shortest,
            "widest_shape": widest,
        },
    )


def blank(pictures: Pictures) -> NDArray[np.bool_]:
    """Say which show nearly one colour, but for a few pixels: [N]."""
    spread_N3 = np.empty((len(pictures), 3))
    for start in range(0, len(pictures), BLOCK):
        values = pictures.small_N3SS[start : start + BLOCK].reshape(-1, 3, SMALL.size**2)
        ends = np.quantile(values, [(1 - MOST) / 2, (1 + MOST) / 2], axis=2)
        spread_N3[start : start + BLOCK] = np.ptp(ends, axis=0)
    return np.asarray((spread_N3.max(axis=1) <= PLAIN_RANGE) & pictures.readable_N)


def _finding(kind: str, row: int, value: float | None, why: str) -> Finding:
    return Finding(kind=kind, pictures=(row,), value=value, why=why)


def _size(pictures: Pictures, row: int) -> str:
    width, height = pictures.sizes_N2[row].tolist()
    return f"{width} x {height} pixels"
