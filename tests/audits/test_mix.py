"""The class mix, against counting by hand and against what drawing by chance does."""

import numpy as np
import pytest
from audit_catalogs import encoded, pictures_of
from PIL import Image

from fashion_lab.audits.mix import chance_of, check_mix

GREY = encoded(Image.new("L", (16, 16)))


def mix(train, validation, **options):
    labels = [*train, *validation]
    splits = {"train": range(len(train)), "validation": range(len(train), len(labels))}
    return check_mix(pictures_of([GREY] * len(labels), labels, splits=splits, **options))


def test_every_class_of_every_split_is_counted():
    report = mix([0, 0, 0, 1], [0, 1, 1, 1, 1])
    assert report.numbers["train/a"] == 3
    assert report.numbers["validation/b"] == 4
    assert report.numbers["validation_largest_gap"] == pytest.approx(0.2 - 0.75)
    assert report.table.rows[0] == ["a", "3 (75.0%)", "1 (20.0%)"]
    assert report.table.rows[2] == ["all", "4", "5"]
    assert report.summary == "train: a 75% to b 25%; validation: a -55 points"


def test_a_class_that_a_split_lacks_is_named():
    assert "none of b in validation" in mix([0, 1], [0, 0]).summary


def test_unreadable_and_unlabelled_pictures_do_not_count():
    report = check_mix(
        pictures_of([GREY, b"no", GREY, GREY], [0, 0, -1, 1], splits={"train": range(3), "validation": [3]})
    )
    assert (report.numbers["train/a"], report.numbers["train/b"]) == (1, 0)


def test_no_labels_at_all_is_skipped():
    assert check_mix(pictures_of([GREY] * 3, [-1, -1, -1])).skipped


def test_chance_is_how_often_drawing_differs_so_much():
    counts = np.array([[60, 40], [21, 29]])

    def apart(table):
        expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0) / table.sum()
        return (np.abs(table - expected) ** 2 / expected).sum()

    rng, pot = np.random.default_rng(0), np.repeat([0, 1], [81, 69])
    drawn = []
    for _ in range(4000):
        first = np.bincount(rng.permutation(pot)[:100], minlength=2)
        drawn.append(apart(np.array([first, [81, 69] - first])) >= apart(counts) - 1e-9)
    assert chance_of(counts) == pytest.approx(np.mean(drawn), abs=0.02)
    assert chance_of(np.array([[3, 0], [4, 0]])) is None
    assert chance_of(np.array([[300, 0], [0, 300]])) < 1e-20
