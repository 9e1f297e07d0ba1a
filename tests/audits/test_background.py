"""The probe tells a border that gives the class away from one that says nothing."""

import numpy as np
import pytest
from audit_catalogs import encoded, pictures_of
from PIL import Image

from fashion_lab.audits import background
from fashion_lab.audits.background import RING, border, check_background


def framed(seed: int, frame: int | None, centre: int | None) -> bytes:
    """Noise, with a frame or a centre of one shade where one is given."""
    pixels = np.random.default_rng(seed).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    inside = slice(RING, 32 - RING)
    if centre is not None:
        pixels[inside, inside] = pixels[inside, inside] // 4 + centre
    if frame is not None:
        kept = pixels[inside, inside].copy()
        pixels[:] = pixels // 4 + frame
        pixels[inside, inside] = kept
    return encoded(Image.fromarray(pixels))


def probe(count=90, groups=None, **which):
    shades = (20, 170)
    contents = [
        framed(seed, *(shades[seed % 2] if which.get(part) else None for part in ("frame", "centre")))
        for seed in range(count)
    ]
    return check_background(pictures_of(contents, groups=groups))


def test_a_border_that_goes_with_the_class_is_told():
    report = probe(frame=True)
    assert report.numbers["border"] > 0.9
    assert report.numbers["largest_class"] == pytest.approx(0.5, abs=0.05)
    assert report.numbers["border_low"] <= report.numbers["border"] <= report.numbers["border_high"]
    assert "border_senders_apart" not in report.numbers


def test_a_border_that_says_nothing_is_not():
    report = probe(centre=True)
    assert report.numbers["border"] < 0.75
    assert report.numbers["whole_picture"] > 0.9


def test_a_sender_s_floor_counts_only_where_senders_are_shared():
    """Each sender has a floor and one class: known senders are recognised, others are not."""
    rng = np.random.default_rng(1)
    senders = np.arange(120) % 8
    labels = senders % 2
    floors = rng.integers(0, 200, (8, 32, 32, 3))
    shots = (floors[senders] + rng.integers(0, 50, (120, 32, 32, 3))).astype(np.uint8)
    contents = [encoded(Image.fromarray(shot)) for shot in shots]
    numbers = check_background(pictures_of(contents, labels, groups=senders)).numbers
    assert numbers["border"] > numbers["border_senders_apart"] + 0.15


def test_a_border_is_the_ring_and_nothing_else():
    small = np.arange(2 * 3 * 32 * 32).reshape(2, 3, 32, 32).astype(np.uint8)
    pixels = border(small)
    naive = [
        small[1, c, y, x]
        for c in range(3)
        for y in range(32)
        for x in range(32)
        if min(x, y, 31 - x, 31 - y) < RING
    ]
    np.testing.assert_array_equal(pixels[1], naive)


def test_many_pictures_are_sampled_the_same_each_time(monkeypatch):
    monkeypatch.setattr(background, "MOST", 20)
    assert probe(frame=True).numbers == probe(frame=True).numbers
    assert "learned from 20 pictures" in probe(frame=True).notes[0]


@pytest.mark.parametrize("options", [{"splits": {"all": range(4)}}, {"labels": [0, 0, 0, 0]}])
def test_without_classes_to_learn_it_is_skipped(options):
    assert check_background(pictures_of([framed(seed, None, None) for seed in range(4)], **options)).skipped
