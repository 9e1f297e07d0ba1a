"""Senders who are in train and in another split, against counting by hand."""

import pytest
from audit_catalogs import encoded, pictures_of
from PIL import Image

from fashion_lab.audits.senders import check_senders

GREY = encoded(Image.new("L", (16, 16)))
SPLITS = {"train": [0, 1, 2, 3], "validation": [4, 5, 6], "test": [7]}


def test_a_sender_in_two_splits_is_found():
    pictures = pictures_of([GREY] * 8, splits=SPLITS, groups=[5, 5, 6, 7, 5, 5, 9, 8])
    report = check_senders(pictures)
    (finding,) = report.findings
    assert finding.kind == "in train and validation"
    assert finding.pictures == (0, 1, 4, 5)
    assert finding.why == "sender 5: 2 of train, 2 pictures of validation"
    assert report.numbers["validation_shared_pictures"] == pytest.approx(2 / 3)
    assert report.numbers["validation_shared_senders"] == 1
    assert report.numbers["test_shared_pictures"] == 0
    assert report.table.rows[1] == ["validation", "3", "2", "1", "67%"]
    assert report.summary == "67% of validation, 0% of test from senders who are in train too"


def test_who_shares_most_comes_first():
    pictures = pictures_of([GREY] * 8, splits=SPLITS, groups=[1, 2, 3, 4, 2, 1, 1, 4])
    shared = [(one.kind[13:], one.value) for one in check_senders(pictures).findings]
    assert shared == [("validation", 2.0), ("validation", 1.0), ("test", 1.0)]


def test_without_senders_or_other_splits_it_is_skipped():
    for options in (
        {},
        {"groups": [1, 2], "splits": {"all": [0, 1]}},
        {"groups": [1, 2], "splits": {"train": [0]}},
    ):
        report = check_senders(pictures_of([GREY] * 2, **options))
        assert report.skipped
        assert not report.findings
