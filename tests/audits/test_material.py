"""Every picture is read once, and one that cannot be is a finding, not an end."""

import hashlib

import numpy as np
from audit_catalogs import drawing, encoded, pictures_of

from fashion_lab.audits.material import SMALL, read_pictures
from fashion_lab.catalogs.synthetic import SyntheticCatalog


def test_what_is_read_is_what_the_catalog_holds():
    contents = [encoded(drawing(seed, (40 + seed, 50))) for seed in range(40)]
    contents[7] = b"no picture"
    pictures = pictures_of(contents)
    assert pictures.sizes_N2[3].tolist() == [43, 50]
    assert pictures.sha256_N == [hashlib.sha256(one).hexdigest() for one in contents]
    np.testing.assert_array_equal(pictures.small_N3SS[3], SMALL.pixels(drawing(3, (43, 50))))
    assert list(pictures.broken) == [7]
    assert "not a picture" in pictures.broken[7]
    assert np.flatnonzero(~pictures.readable_N).tolist() == [7]
    assert 7 not in pictures.rows("train")
    assert len(pictures.rows("nowhere")) == 0


def test_pictures_that_are_no_files_are_told_apart_by_their_pixels():
    pictures = read_pictures(SyntheticCatalog(products=21, views=2, seed=0, size=32))
    assert None not in pictures.sha256_N
    assert len(set(pictures.sha256_N)) == len(pictures) == 42


def test_a_picture_without_a_label_has_no_class():
    pictures = pictures_of(
        [encoded(drawing(seed)) for seed in range(3)], [0, -1, 1], splits={"all": range(3)}
    )
    assert [pictures.class_of(row) for row in range(3)] == ["a", "", "b"]
    assert pictures.rows("all").tolist() == [0, 2]
    assert pictures.splits_N == ["all"] * 3
