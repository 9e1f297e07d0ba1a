"""Sheets of cards: queries with their hits, or a grid. Pictures in, picture out."""

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw

from fashion_lab.cards import CARD, INK, PAPER, PRINT, QUIET, Card, Look, clip, draw_card, font

__all__ = ["CARD", "PAPER", "PICTURE", "Card", "Row", "card_grid", "contact_sheet"]

PICTURE = PRINT.picture


@dataclass(frozen=True)
class Row:
    """A query and its hits, nearest first."""

    query: Card
    hits: Sequence[Card]


def contact_sheet(rows: Sequence[Row], *, title: str, subtitle: str = "", look: Look = PRINT) -> Image.Image:
    """Draw queries on the left and their hits to the right, nearest first: RGB, as wide as the longest row.

    Raises ValueError where there is no row.
    """
    if not rows:
        raise ValueError("a contact sheet needs at least one query")
    hits = max(len(row.hits) for row in rows)
    lane = look.gap * 2  # more room between query and hits than between hits
    width = look.width + (lane + hits * (look.width + look.gap) - look.gap if hits else 0)
    sheet, top = _paper(width, len(rows), title, subtitle, look)
    for number, row in enumerate(rows):
        y = top + number * (look.height + look.gap)
        draw_card(sheet, row.query, look.margin, y, look=look, query=True)
        for column, hit in enumerate(row.hits):
            x = look.margin + look.width + lane + column * (look.width + look.gap)
            draw_card(sheet, hit, x, y, look=look)
    return sheet


def card_grid(
    rows: Sequence[Sequence[Card]],
    *,
    title: str,
    subtitle: str = "",
    labels: Sequence[str] = (),
    look: Look = PRINT,
) -> Image.Image:
    """Draw rows of cards, as wide as the longest: RGB. `labels` names each row, on its left, or is empty.

    Raises ValueError where there is no card.
    """
    columns = max((len(row) for row in rows), default=0)
    if not columns:
        raise ValueError("a grid needs at least one card")
    if labels and len(labels) != len(rows):
        raise ValueError(f"{len(rows)} rows with {len(labels)} labels: give one each, or none")
    names = max((round(font(look.text).getlength(label)) + 2 * look.gap for label in labels), default=0)
    width = names + columns * (look.width + look.gap) - look.gap
    sheet, top = _paper(width, len(rows), title, subtitle, look)
    for number, row in enumerate(rows):
        y = top + number * (look.height + look.gap)
        if labels:
            middle = (look.margin, y + look.height / 2)
            ImageDraw.Draw(sheet).text(middle, labels[number], INK, font(look.text), anchor="lm")
        for column, card in enumerate(row):
            x = look.margin + names + column * (look.width + look.gap)
            draw_card(sheet, card, x, y, look=look)
    return sheet


def _paper(width: int, rows: int, title: str, subtitle: str, look: Look) -> tuple[Image.Image, int]:
    """Make an empty sheet with its two lines, and say where its first row begins."""
    margin, top = look.margin, look.margin + look.headline + look.small + 2 * look.gap
    height = top + rows * (look.height + look.gap) - look.gap + margin
    sheet = Image.new("RGB", (width + 2 * margin, height), PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((margin, margin - 6), clip(title, look.headline, width), INK, font(look.headline))
    below = (margin, margin + look.headline + 4)
    draw.text(below, clip(subtitle, look.small, width), QUIET, font(look.small))
    return sheet, top
