"""A contact sheet: queries on the left, their hits to the right, nearest first. Pictures in, picture out."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from PIL import Image, ImageDraw, ImageFont

Colour = tuple[int, int, int]

PICTURE = 224  # side of a picture's field; this and all lengths below are pixels
PADDING, GAP, MARGIN = 12, 16, 32
RADIUS = 12
CAPTION = 58
TITLE, TEXT, SMALL = 26, 17, 14
SMOOTH = 4  # shapes are drawn this much larger and scaled down: Pillow's own edges are jagged

PAPER: Colour = (243, 243, 240)
CARD: Colour = (255, 255, 255)
INK: Colour = (28, 28, 30)
QUIET: Colour = (116, 116, 122)
LINE: Colour = (226, 226, 222)
ACCENT: Colour = (38, 70, 160)
RIGHT: Colour = (28, 128, 82)
WRONG: Colour = (190, 58, 44)


@dataclass(frozen=True)
class Card:
    """A picture with two lines below it.

    Attributes:
        image: any size; fitted as a whole.
        title: the first line, dark.
        detail: the second line, quiet.
        badge: a few letters in the corner, such as a rank.
        verdict: a coloured mark for right or wrong; None where nobody knows.
    """

    image: Image.Image
    title: str
    detail: str = ""
    badge: str = ""
    verdict: bool | None = None


@dataclass(frozen=True)
class Row:
    """A query and its hits, nearest first."""

    query: Card
    hits: Sequence[Card]


def contact_sheet(rows: Sequence[Row], *, title: str, subtitle: str = "") -> Image.Image:
    """Draw the sheet, as wide as its longest row; RGB. Raises ValueError where there is no row."""
    if not rows:
        raise ValueError("a contact sheet needs at least one query")
    width, height = PICTURE + 2 * PADDING, PICTURE + CAPTION + 2 * PADDING
    columns = max(len(row.hits) for row in rows) + 1
    top = MARGIN + TITLE + SMALL + 2 * GAP
    lane = GAP * 2  # more room between query and hits than between hits
    full = 2 * MARGIN + columns * width + max(0, columns - 2) * GAP + (lane if columns > 1 else 0)
    sheet = Image.new("RGB", (full, top + len(rows) * (height + GAP) - GAP + MARGIN), PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((MARGIN, MARGIN - 6), _clip(title, TITLE, full - 2 * MARGIN), INK, _font(TITLE))
    draw.text((MARGIN, MARGIN + TITLE + 4), _clip(subtitle, SMALL, full - 2 * MARGIN), QUIET, _font(SMALL))
    for number, row in enumerate(rows):
        y = top + number * (height + GAP)
        _place(sheet, row.query, MARGIN, y, frame=ACCENT)
        for column, hit in enumerate(row.hits):
            _place(sheet, hit, MARGIN + width + lane + column * (width + GAP), y, frame=LINE)
    return sheet


def _place(sheet: Image.Image, card: Card, x: int, y: int, *, frame: Colour) -> None:
    """Draw one card with its upper left corner at (x, y)."""
    width, height = PICTURE + 2 * PADDING, PICTURE + CAPTION + 2 * PADDING
    _round(sheet, (x, y, width, height), RADIUS, frame)
    border = 2 if frame == ACCENT else 1
    _round(sheet, (x + border, y + border, width - 2 * border, height - 2 * border), RADIUS - border, CARD)
    _picture(sheet, card.image, x + PADDING, y + PADDING)
    draw = ImageDraw.Draw(sheet)
    left, below = x + PADDING + 2, y + PADDING + PICTURE + 10
    room = PICTURE - 4 - (24 if card.verdict is not None else 0)
    draw.text((left, below), _clip(card.title, TEXT, room), INK, _font(TEXT))
    draw.text((left, below + TEXT + 8), _clip(card.detail, SMALL, PICTURE - 4), QUIET, _font(SMALL))
    if card.verdict is not None:
        _mark(sheet, x + PADDING + PICTURE - 20, below + 1, card.verdict)
    if card.badge:
        _badge(sheet, card.badge, x + PADDING + 8, y + PADDING + 8, ACCENT if frame == ACCENT else INK)


def _picture(sheet: Image.Image, image: Image.Image, x: int, y: int) -> None:
    """Fit a whole picture into its field, small ones enlarged."""
    scale = PICTURE / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    fitted = image.convert("RGB").resize(size, Image.Resampling.LANCZOS)
    corner = (x + (PICTURE - size[0]) // 2, y + (PICTURE - size[1]) // 2)
    sheet.paste(fitted, corner, _rounded(size, RADIUS // 2))


def _badge(sheet: Image.Image, text: str, x: int, y: int, colour: Colour) -> None:
    """Write a few white letters on a pill."""
    width = max(24, round(_font(SMALL).getlength(text)) + 16)
    _round(sheet, (x - 1, y - 1, width + 2, 26), 13, CARD)  # a ring, to be seen on a dark picture
    _round(sheet, (x, y, width, 24), 12, colour)
    ImageDraw.Draw(sheet).text((x + width / 2, y + 12), text, CARD, _font(SMALL), anchor="mm")


def _mark(sheet: Image.Image, x: int, y: int, right: bool) -> None:
    """Draw a tick or a cross on a disc: the shape tells it without the colour."""
    side = 18 * SMOOTH
    disc = Image.new("RGB", (side, side), RIGHT if right else WRONG)
    draw = ImageDraw.Draw(disc)
    ticks = [[(0.28, 0.52), (0.44, 0.68), (0.73, 0.34)]]
    crosses = [[(0.33, 0.33), (0.67, 0.67)], [(0.67, 0.33), (0.33, 0.67)]]
    for stroke in ticks if right else crosses:
        points = [(across * side, down * side) for across, down in stroke]
        draw.line(points, CARD, width=2 * SMOOTH, joint="curve")
    sheet.paste(disc.resize((18, 18), Image.Resampling.LANCZOS), (x, y), _rounded((18, 18), 9))


def _round(sheet: Image.Image, box: tuple[int, int, int, int], radius: int, colour: Colour) -> None:
    """Fill a rectangle (x, y, width, height) with round, smooth corners."""
    x, y, width, height = box
    sheet.paste(colour, (x, y, x + width, y + height), _rounded((width, height), radius))


@cache
def _rounded(size: tuple[int, int], radius: int) -> Image.Image:
    """Mask a rectangle with smooth round corners."""
    large = Image.new("L", (size[0] * SMOOTH, size[1] * SMOOTH), 0)
    box = (0, 0, large.width - 1, large.height - 1)
    ImageDraw.Draw(large).rounded_rectangle(box, radius * SMOOTH, fill=255)
    return large.resize(size, Image.Resampling.LANCZOS)


@cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _clip(text: str, size: int, room: float) -> str:
    """Shorten a line to its room; line breaks and the like become question marks."""
    text = "".join(letter if letter.isprintable() else "?" for letter in text)
    if _font(size).getlength(text) <= room:
        return text
    while text and _font(size).getlength(text + "…") > room:
        text = text[:-1]
    return text + "…"
