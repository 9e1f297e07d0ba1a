"""A picture with two lines below it, a mark for right or wrong, and a badge: what sheets are made of."""

from dataclasses import dataclass
from functools import cache

from PIL import Image, ImageDraw, ImageFont

Colour = tuple[int, int, int]

PAPER: Colour = (243, 243, 240)
CARD: Colour = (255, 255, 255)
INK: Colour = (28, 28, 30)
QUIET: Colour = (116, 116, 122)
LINE: Colour = (226, 226, 222)
ACCENT: Colour = (38, 70, 160)
RIGHT: Colour = (28, 128, 82)
WRONG: Colour = (190, 58, 44)

SMOOTH = 4  # shapes are drawn this much larger and scaled down: Pillow's own edges are jagged
PILL, DISC = 24, 18  # height of a badge and of a mark in pixels


@dataclass(frozen=True)
class Look:
    """Sizes of a sheet and its cards, in pixels.

    Attributes:
        picture: side of a picture's field.
        padding: from the card's edge to its picture.
        gap: between cards.
        margin: around the sheet.
        radius: of a card's corners.
        headline: height of the sheet's title.
        text: height of a card's first line.
        small: height of its second line, of badges and of the sheet's subtitle.
        details: whether cards have a second line.
        verdict_frame: whether a verdict colours the card's frame as well.
    """

    picture: int = 224
    padding: int = 12
    gap: int = 16
    margin: int = 32
    radius: int = 12
    headline: int = 26
    text: int = 17
    small: int = 14
    details: bool = True
    verdict_frame: bool = False

    @property
    def width(self) -> int:
        """Width of a card."""
        return self.picture + 2 * self.padding

    @property
    def height(self) -> int:
        """Height of a card: picture and lines."""
        lines = self.text + (self.small + 8 if self.details else 0)
        return self.picture + lines + 19 + 2 * self.padding


PRINT = Look()


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


def draw_card(
    sheet: Image.Image, card: Card, x: int, y: int, *, look: Look = PRINT, query: bool = False
) -> None:
    """Draw one card with its upper left corner at (x, y); a query stands out."""
    frame, border = ACCENT if query else LINE, 2 if query else 1
    if look.verdict_frame and card.verdict is not None:
        frame, border = RIGHT if card.verdict else WRONG, 3
    round_box(sheet, (x, y, look.width, look.height), look.radius, frame)
    inside = (x + border, y + border, look.width - 2 * border, look.height - 2 * border)
    round_box(sheet, inside, look.radius - border, CARD)
    _picture(sheet, card.image, x + look.padding, y + look.padding, look)
    draw = ImageDraw.Draw(sheet)
    left, below = x + look.padding + 2, y + look.padding + look.picture + 10
    room = look.picture - 4 - (DISC + 6 if card.verdict is not None else 0)
    draw.text((left, below), clip(card.title, look.text, room), INK, font(look.text))
    below_title = below + look.text + 8
    draw.text((left, below_title), clip(card.detail, look.small, look.picture - 4), QUIET, font(look.small))
    if card.verdict is not None:
        _mark(sheet, x + look.padding + look.picture - DISC - 2, below + 1, card.verdict)
    if card.badge:
        place = (x + look.padding * 5 // 3, y + look.padding * 5 // 3)
        _badge(sheet, card.badge, *place, ACCENT if query else INK, look.small)


def _picture(sheet: Image.Image, image: Image.Image, x: int, y: int, look: Look) -> None:
    """Fit a whole picture into its field, small ones enlarged."""
    scale = look.picture / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    fitted = image.convert("RGB").resize(size, Image.Resampling.LANCZOS)
    corner = (x + (look.picture - size[0]) // 2, y + (look.picture - size[1]) // 2)
    sheet.paste(fitted, corner, _rounded(size, look.radius // 2))


def _badge(sheet: Image.Image, text: str, x: int, y: int, colour: Colour, height: int) -> None:
    """Write a few white letters on a pill."""
    width = max(PILL, round(font(height).getlength(text)) + 16)
    ring = (x - 1, y - 1, width + 2, PILL + 2)  # to be seen on a dark picture
    round_box(sheet, ring, PILL // 2 + 1, CARD)
    round_box(sheet, (x, y, width, PILL), PILL // 2, colour)
    middle = (x + width / 2, y + PILL / 2)
    ImageDraw.Draw(sheet).text(middle, text, CARD, font(height), anchor="mm")


def _mark(sheet: Image.Image, x: int, y: int, right: bool) -> None:
    """Draw a tick or a cross on a disc: the shape tells it without the colour."""
    side = DISC * SMOOTH
    disc = Image.new("RGB", (side, side), RIGHT if right else WRONG)
    draw = ImageDraw.Draw(disc)
    ticks = [[(0.28, 0.52), (0.44, 0.68), (0.73, 0.34)]]
    crosses = [[(0.33, 0.33), (0.67, 0.67)], [(0.67, 0.33), (0.33, 0.67)]]
    for stroke in ticks if right else crosses:
        points = [(across * side, down * side) for across, down in stroke]
        draw.line(points, CARD, width=2 * SMOOTH, joint="curve")
    sheet.paste(
        disc.resize((DISC, DISC), Image.Resampling.LANCZOS), (x, y), _rounded((DISC, DISC), DISC // 2)
    )


def round_box(sheet: Image.Image, box: tuple[int, int, int, int], radius: int, colour: Colour) -> None:
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
def font(height: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Give the font that Pillow brings along."""
    return ImageFont.load_default(height)


def clip(text: str, height: int, room: float) -> str:
    """Shorten a line to its room; line breaks and the like become question marks."""
    text = "".join(letter if letter.isprintable() else "?" for letter in text)
    if font(height).getlength(text) <= room:
        return text
    while text and font(height).getlength(text + "…") > room:
        text = text[:-1]
    return text + "…"
