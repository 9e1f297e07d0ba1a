"""The contact sheet: its size, its place for everything, and texts that do not fit."""

import pytest
from PIL import Image, ImageChops

from fashion_lab.sheet import CARD, PAPER, PICTURE, Card, Row, contact_sheet

RED, BLUE = (200, 20, 20), (20, 20, 200)


def card(colour=RED, size=(64, 64), title="hat", **options) -> Card:
    return Card(Image.new("RGB", size, colour), title, **options)


def count(sheet, colour):
    return sum(n for n, found in sheet.getcolors(sheet.width * sheet.height) if found == colour)


def test_one_query_and_its_hits():
    rows = [Row(card(), [card(BLUE, badge=str(rank)) for rank in (1, 2, 3)])]
    sheet = contact_sheet(rows, title="Looks like this", subtitle="toy")
    assert sheet.mode == "RGB"
    assert count(sheet, RED) == pytest.approx(PICTURE**2, rel=0.01)
    assert count(sheet, BLUE) == pytest.approx(3 * PICTURE**2, rel=0.03)
    assert sheet.getpixel((0, 0)) == sheet.getpixel((sheet.width - 1, sheet.height - 1)) == PAPER


def test_rows_are_even_and_right_of_the_query():
    rows = [Row(card(), [card(BLUE)]), Row(card(), [card(BLUE), card(BLUE)]), Row(card(), [])]
    sheet = contact_sheet(rows, title="t")
    one = contact_sheet(rows[1:2], title="t")
    step = (sheet.height - one.height) // 2
    assert sheet.width == one.width
    assert sheet.height == one.height + 2 * step
    red = (
        ImageChops.difference(sheet, Image.new("RGB", sheet.size, RED))
        .convert("L")
        .point(lambda v: 255 * (v == 0))
    )
    blue = (
        ImageChops.difference(sheet, Image.new("RGB", sheet.size, BLUE))
        .convert("L")
        .point(lambda v: 255 * (v == 0))
    )
    assert red.getbbox()[2] < blue.getbbox()[0]


@pytest.mark.parametrize("size", [(1, 1), (1, 900), (900, 1), (2000, 1500)])
def test_pictures_of_any_shape_fit(size):
    sheet = contact_sheet([Row(card(size=size), [])], title="t")
    assert 0 < count(sheet, RED) <= PICTURE**2


@pytest.mark.parametrize("mode", ["L", "1", "P", "RGBA", "CMYK"])
def test_any_mode(mode):
    contact_sheet([Row(Card(Image.new(mode, (20, 20)), "t"), [])], title="t")


@pytest.mark.parametrize("text", ["", "long " * 200, "two\nlines", "шляпа 帽子 🎩", "\udcff"])
def test_any_text(text):
    sheet = contact_sheet([Row(card(title=text, detail=text, badge="1"), [])], title=text, subtitle=text)
    plain = contact_sheet([Row(card(), [])], title="t")
    assert sheet.size == plain.size
    assert all(sheet.getpixel((sheet.width - 3, y)) == PAPER for y in range(sheet.height))


def test_right_and_wrong_look_different():
    right, wrong, unknown = (
        contact_sheet([Row(card(verdict=v), [])], title="t") for v in (True, False, None)
    )
    assert len({right.tobytes(), wrong.tobytes(), unknown.tobytes()}) == 3
    assert count(unknown, CARD) > count(right, CARD)


def test_no_queries():
    with pytest.raises(ValueError, match="at least one"):
        contact_sheet([], title="t")
