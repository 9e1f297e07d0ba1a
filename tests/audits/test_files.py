"""Pictures that are no use as they stand, against a look at each."""

import numpy as np
import pytest
from audit_catalogs import drawing, encoded, pictures_of
from PIL import Image

from fashion_lab.audits.files import blank, check_files, files_check


def found(report):
    return {(finding.kind, finding.pictures[0]) for finding in report.findings}


@pytest.fixture(scope="module")
def pictures():
    speck = Image.new("RGB", (96, 96), "white")
    speck.paste((0, 0, 0), (40, 40, 50, 50))  # about 1%: still nothing to see
    return pictures_of(
        [
            encoded(drawing(0)),
            encoded(Image.new("L", (96, 96), 30)),
            encoded(speck),
            encoded(drawing(1, (63, 200))),
            encoded(drawing(2, (64, 192))),
            encoded(drawing(3, (300, 70))),
            encoded(drawing(4))[:300],
            encoded(Image.new("RGB", (96, 96), (90, 10, 10)), "JPEG", quality=40),
        ]
    )


def test_each_fault_is_found_and_nothing_else(pictures):
    report = check_files(pictures, tiny=64, shape=3)
    blanks = {("blank", 1), ("blank", 2), ("blank", 7)}
    assert found(report) == blanks | {
        ("tiny", 3),
        ("odd-shaped", 3),
        ("odd-shaped", 5),
        ("unreadable", 6),
    }
    assert report.summary == "1 unreadable, 3 blank, 1 tiny, 2 odd-shaped"
    assert report.numbers["odd_shaped"] == 2
    assert report.numbers["shortest_side"] == 63
    assert report.numbers["widest_shape"] == pytest.approx(300 / 70)
    shapes = [one.value for one in report.findings if one.kind == "odd-shaped"]
    assert shapes == sorted(shapes, reverse=True)


def test_limits_move_what_is_found(pictures):
    kinds = [kind for kind, _ in found(check_files(pictures, tiny=1, shape=10))]
    assert sorted(kinds) == ["blank"] * 3 + ["unreadable"]
    assert len(check_files(pictures, tiny=65, shape=10).findings) == 6


def test_blank_agrees_with_a_look_at_every_picture(pictures):
    for row, is_blank in enumerate(blank(pictures)):
        flat = np.sort(pictures.small_N3SS[row].reshape(3, -1).astype(int), axis=1)
        cut = round(0.02 * flat.shape[1])
        spread = (flat[:, -1 - cut] - flat[:, cut]).max()
        assert bool(is_blank) == (spread <= 8 and row not in pictures.broken)


def test_nothing_readable_is_no_error():
    report = check_files(pictures_of([b"no", b"no"]), tiny=64, shape=3)
    assert (report.numbers["unreadable"], report.numbers["shortest_side"]) == (2, None)


@pytest.mark.parametrize(("options", "message"), [({"tiny": 0}, "tiny=0"), ({"shape": 0.3}, r"shape=0\.3")])
def test_limits_are_checked(options, message):
    with pytest.raises(ValueError, match=message):
        files_check(**{"tiny": 64, "shape": 3, **options})
