"""Pictures that are there twice: the same file, or nearly the same pixels.

A perceptual hash proposes pairs quickly, and is mostly wrong where pictures are taken alike (trousers on
white sheets); their pixels decide.

N pictures, S the side of the small ones, P = 3 x 16 x 16 numbers of a print.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fashion_lab.audits.contract import Finding, Report, counted
from fashion_lab.audits.files import blank
from fashion_lab.audits.material import Pictures
from fashion_lab.contracts.catalog import Ints
from fashion_lab.folding import NEARLY_THE_SAME, PRINT_SIDE

TITLE = "Duplicates"
BITS = 64  # of a hash, imagehash's default
CLOSE = 10  # of these: what a copy may differ by; experiments/audit measures what that catches
BLOCK = 512  # pictures compared with all others at once, 140 MB of 70,000; changes no result
LABELS, ACROSS, WITHIN = "two labels", "across splits", "within a split"
KINDS = (LABELS, ACROSS, WITHIN)


class Pair(NamedTuple):
    """Two pictures that are one, and the mean difference of their prints, of 255."""

    first: int
    second: int
    difference: float
    exact: bool


def check_duplicates(pictures: Pictures) -> Report:
    """Find what is there twice, and say where that does harm."""
    exact = exact_pairs(pictures)
    near, proposed = near_pairs(pictures)
    pairs = [*exact, *near]
    found = sorted(
        (_finding(pictures, pair) for pair in pairs),
        key=lambda one: (KINDS.index(one.kind), one.value, one.pictures),
    )
    across = sum(_are_apart(pictures, pair) for pair in pairs)
    labels = sum(one.kind == LABELS for one in found)
    return Report(
        title=TITLE,
        summary=(
            f"{counted(len(exact), 'exact pair')}, {counted(len(near), 'near pair')} "
            f"(the hash alone: {proposed:,}); {across:,} across splits, {labels:,} under two labels"
        ),
        notes=[
            "Exact: the same bytes; of several, each is paired with the first. Near: the perceptual hashes "
            f"differ by {CLOSE} bits of 64 or less, and the pixels, 16 x 16, by {NEARLY_THE_SAME:g} of 255 "
            f"or less. The hash alone proposes {counted(proposed, 'pair')}. Blank pictures are not compared. "
            "The limits are measured on photos; pictures on a plain ground are nearer to each other.",
            "A copy across splits is learnt by heart and then asked for; a picture under two labels is wrong "
            "under one of them.",
        ],
        findings=found,
        numbers={
            "exact_pairs": len(exact),
            "hash_pairs": proposed,
            "near_pairs": len(near),
            "across_splits": across,
            "two_labels": labels,
        },
    )


def exact_pairs(pictures: Pictures) -> list[Pair]:
    """Pair every picture with the first that has the same bytes."""
    firsts: dict[str, int] = {}
    pairs = []
    for position, sha256 in enumerate(pictures.sha256_N):
        if sha256 is not None and firsts.setdefault(sha256, position) != position:
            pairs.append(Pair(firsts[sha256], position, 0.0, True))
    return pairs


def near_pairs(pictures: Pictures) -> tuple[list[Pair], int]:
    """Find pairs of different files with nearly the same pixels.

    Returns:
        The pairs, and how many the hash proposed.
    """
    copies = [pair.second for pair in exact_pairs(pictures)]
    compared_N = pictures.readable_N & ~blank(pictures)
    compared_N[copies] = False
    rows = np.flatnonzero(compared_N)
    prints_NP = prints(pictures.small_N3SS[rows])
    hashes_NB = np.array([perceptual_hash(pictures.small_N3SS[row]) for row in rows]).reshape(-1, BITS)
    found, proposed = [], 0
    for first, second in close_pairs(hashes_NB, CLOSE):
        proposed += len(first)
        for start in range(0, len(first), BLOCK):
            one, other = first[start : start + BLOCK], second[start : start + BLOCK]
            apart = np.abs(prints_NP[one] - prints_NP[other]).mean(axis=1)
            for at in np.flatnonzero(apart <= NEARLY_THE_SAME):
                found.append(Pair(int(rows[one[at]]), int(rows[other[at]]), float(apart[at]), False))
    return found, proposed


def perceptual_hash(small_3SS: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Hash a picture to 64 bits that hardly change with its quality (the lowest frequencies of its DCT)."""
    import imagehash

    found: NDArray[np.bool_] = imagehash.phash(Image.fromarray(small_3SS.transpose(1, 2, 0))).hash
    return found.reshape(-1)


def close_pairs(hashes_NB: NDArray[np.bool_], most: int) -> Iterator[tuple[Ints, Ints]]:
    """Give the pairs (first < second) of hashes that differ by `most` bits or fewer, some at a time."""
    signs_NB = np.where(hashes_NB, 1, -1).astype(np.float32)
    bits = signs_NB.shape[1] if len(signs_NB) else 0
    for start in range(0, len(signs_NB), BLOCK):
        apart = (bits - signs_NB[start : start + BLOCK] @ signs_NB[start:].T) / 2
        first, second = np.nonzero(np.triu(apart <= most, k=1))
        yield first + start, second + start


def prints(small_N3SS: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Shrink small pictures to what is compared: [N, P]."""
    count, _, side, _ = small_N3SS.shape
    step = side // PRINT_SIDE
    blocks = small_N3SS.reshape(count, 3, PRINT_SIDE, step, PRINT_SIDE, step)
    prints_NP: NDArray[np.float32] = blocks.mean(axis=(3, 5), dtype=np.float32).reshape(
        count, 3 * PRINT_SIDE**2
    )
    return prints_NP


def _finding(pictures: Pictures, pair: Pair) -> Finding:
    labels = {pictures.class_of(pair.first), pictures.class_of(pair.second)}
    if len(labels) == 2 and "" not in labels:
        kind = LABELS
    else:
        kind = ACROSS if _are_apart(pictures, pair) else WITHIN
    why = "the same bytes" if pair.exact else f"pixels differ by {pair.difference:.1f} of 255"
    return Finding(kind=kind, pictures=(pair.first, pair.second), value=pair.difference, why=why)


def _are_apart(pictures: Pictures, pair: Pair) -> bool:
    one, other = pictures.splits_N[pair.first], pictures.splits_N[pair.second]
    return bool(one and other) and one != other
