"""Copies, exact and near, against naive loops and imagehash's own distance."""

import imagehash
import numpy as np
import pytest
from audit_catalogs import drawing, encoded, pictures_of
from PIL import Image

from fashion_lab.audits import duplicates
from fashion_lab.audits.duplicates import (
    ACROSS,
    CLOSE,
    LABELS,
    WITHIN,
    check_duplicates,
    close_pairs,
    exact_pairs,
    near_pairs,
    perceptual_hash,
    prints,
)
from fashion_lab.folding import NEARLY_THE_SAME


def pairs_of(found):
    return {
        (int(one), int(other)) for first, second in found for one, other in zip(first, second, strict=True)
    }


@pytest.mark.parametrize("block", [3, 16, 1000])
def test_close_pairs_are_those_of_a_naive_loop(monkeypatch, block):
    monkeypatch.setattr(duplicates, "BLOCK", block)
    hashes = np.random.default_rng(0).random((40, 64)) < 0.5
    hashes[20:30] = hashes[:10] ^ (np.arange(64) < np.arange(10)[:, None])  # 0 .. 9 bits apart
    for most in (0, 4, 9, 30):
        naive = {
            (one, other)
            for one in range(40)
            for other in range(one + 1, 40)
            if (hashes[one] != hashes[other]).sum() <= most
        }
        assert pairs_of(close_pairs(hashes, most)) == naive
        assert most < 9 or len(naive) >= 10


def test_no_hashes_no_pairs():
    assert list(close_pairs(np.zeros((0, 64), dtype=bool), 10)) == []


def test_a_hash_is_that_of_imagehash():
    small = np.asarray(drawing(0, (32, 32)))
    assert (
        perceptual_hash(small.transpose(2, 0, 1)) == imagehash.phash(Image.fromarray(small)).hash.ravel()
    ).all()


def test_a_print_is_a_picture_shrunk_by_boxes():
    small = np.stack([np.asarray(drawing(seed, (32, 32))).transpose(2, 0, 1) for seed in range(3)])
    for row, print_P in enumerate(prints(small)):
        boxed = Image.fromarray(small[row].transpose(1, 2, 0)).resize((16, 16), Image.Resampling.BOX)
        np.testing.assert_allclose(
            print_P, np.asarray(boxed).transpose(2, 0, 1).ravel(), atol=1.0
        )  # Pillow rounds twice


COPIES = {
    "quality": lambda image: encoded(image, "JPEG", quality=60),
    "half": lambda image: encoded(image.resize((48, 48)), "JPEG", quality=90),
    "format": lambda image: encoded(image, "BMP"),
}


@pytest.mark.parametrize("kind", COPIES)
def test_a_copy_saved_again_is_found(kind):
    contents = [encoded(drawing(seed)) for seed in range(12)]
    pictures = pictures_of([*contents, COPIES[kind](drawing(5))])
    found, proposed = near_pairs(pictures)
    assert [(pair.first, pair.second) for pair in found] == [(5, 12)]
    assert proposed >= 1
    assert 0 <= found[0].difference <= NEARLY_THE_SAME


def test_the_hash_alone_is_not_believed():
    """The same shapes in other colours: one hash, two pictures."""
    image = drawing(0)
    other = Image.merge("RGB", [Image.eval(band, lambda value: value // 2 + 60) for band in image.split()])
    pictures = pictures_of([encoded(image), encoded(other), encoded(drawing(1))])
    hashes = [perceptual_hash(small) for small in pictures.small_N3SS]
    assert (hashes[0] != hashes[1]).sum() <= CLOSE
    assert near_pairs(pictures) == ([], 1)


def test_exact_copies_are_paired_with_the_first_and_not_again_as_near():
    same, other = encoded(drawing(0)), encoded(drawing(1))
    pictures = pictures_of([same, other, same, same, b"broken", b"broken"])
    assert [(pair.first, pair.second) for pair in exact_pairs(pictures)] == [(0, 2), (0, 3), (4, 5)]
    assert near_pairs(pictures) == ([], 0)


def test_blank_pictures_are_no_copies_of_each_other():
    blanks = [encoded(Image.new("RGB", (64, 64), (shade,) * 3)) for shade in (250, 251, 252)]
    assert near_pairs(pictures_of(blanks)) == ([], 0)


def test_where_a_copy_does_harm_is_said():
    contents = [encoded(drawing(seed)) for seed in range(6)]
    again = [COPIES["quality"](drawing(seed)) for seed in range(3)]
    pictures = pictures_of(
        [*contents, *again],
        [0, 0, 0, 1, 1, 1, 1, 0, 0],  # the copy of 0 is told to be of the other class
        splits={"train": [0, 1, 2, 3, 4, 6, 8], "validation": [5, 7]},
    )
    report = check_duplicates(pictures)
    assert [(one.kind, one.pictures) for one in report.findings] == [
        (LABELS, (0, 6)),
        (ACROSS, (1, 7)),
        (WITHIN, (2, 8)),
    ]
    counts = [report.numbers[key] for key in ("exact_pairs", "near_pairs", "across_splits", "two_labels")]
    assert counts == [0, 3, 1, 1]


def test_a_copy_without_a_label_contradicts_nobody():
    same = encoded(drawing(0))
    report = check_duplicates(pictures_of([same, encoded(drawing(1)), same], [0, 1, -1]))
    assert [one.kind for one in report.findings] == [ACROSS]
    assert report.numbers["two_labels"] == 0


def test_a_picture_in_no_split_is_across_nothing():
    same = encoded(drawing(0))
    pictures = pictures_of([same, encoded(drawing(1)), same], [0, 1, 0], splits={"train": [0, 1]})
    assert [one.kind for one in check_duplicates(pictures).findings] == [WITHIN]
