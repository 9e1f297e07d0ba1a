"""The contact sheet of answers: queries on the left, their hits to the right."""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from fashion_lab.pictures import PictureError, PixelSpec, open_picture
from fashion_lab.searching import Answer, is_stale
from fashion_lab.sheet import PICTURE, Card, Row, contact_sheet
from fashion_lab.visual_search import Hit, VisualSearch

SHEET_QUERIES, SHEET_HITS = 20, 10  # beyond them a sheet is too large to look at; assumption


def save_sheet(wanted: str, finder: VisualSearch, answers: Sequence[Answer], index: str) -> Path:
    """Draw the contact sheet into a file; `auto` names it after the first query.

    Raises:
        ValueError: it cannot be written there.
    """
    more = f"-and-{len(answers) - 1}-more" if len(answers) > 1 else ""
    auto = Path("outputs", "search", f"{Path(answers[0].query).stem}{more}.png")
    path = auto if wanted == "auto" else Path(wanted)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draw(finder, answers, index).save(path, "PNG")
    except OSError as error:
        raise ValueError(f"the contact sheet cannot be written: {error}; choose another sheet=") from error
    return path


def draw(finder: VisualSearch, answers: Sequence[Answer], index: str) -> Image.Image:
    """Draw the contact sheet of the first queries and hits; it says where there are more."""
    source, rows = finder.gallery.source, list[Row]()
    for one in answers[:SHEET_QUERIES]:
        query = _query_card(finder, one)
        verdicts = [None if one.position is None else hit.class_name == query.title for hit in one.hits]
        cards = [_hit_card(finder, hit, verdict) for hit, verdict in zip(one.hits, verdicts, strict=True)]
        rows.append(Row(query, cards[:SHEET_HITS]))
    count = f"{len(finder.gallery)} items of {source.catalog} ({source.split})"
    shown = [Path(index).name, count, "smaller distance: more alike"]
    if len(answers) > SHEET_QUERIES:
        shown.append(f"first {SHEET_QUERIES} of {len(answers)} queries")
    if any(len(one.hits) > SHEET_HITS for one in answers):
        shown.append(f"first {SHEET_HITS} hits")
    return contact_sheet(rows, title="Looks like this", subtitle=" · ".join(shown))


def _query_card(finder: VisualSearch, one: Answer) -> Card:
    if one.position is None:
        path = Path(one.query)
        return Card(_whole(path), path.name, path.absolute().parent.name, badge="query")
    item = finder.gallery.items[one.position]
    return Card(_shown(finder, one.position), item.class_name or item.id, item.id, badge="query")


def _hit_card(finder: VisualSearch, hit: Hit, verdict: bool | None) -> Card:
    gone = " · file is gone" if is_stale(hit) else ""
    more = f" · {len(hit.folded)} more" if hit.folded else ""
    detail = f"distance {hit.distance:.3f}{more}{gone}"
    picture, title = _shown(finder, hit.position), hit.class_name or hit.id
    return Card(picture, title, detail, badge=str(hit.rank), verdict=verdict)


def _shown(finder: VisualSearch, position: int) -> Image.Image:
    """Show an item's file, or what the encoder saw of it where the file is gone or never was."""
    path = finder.gallery.items[position].path
    if path is not None:
        try:
            return _whole(Path(path))
        except PictureError:
            pass
    return Image.fromarray(finder.gallery.pictures[position].transpose(1, 2, 0))


def _whole(path: Path) -> Image.Image:
    """Open a picture as a whole, upright, at the sheet's size."""
    return Image.fromarray(PixelSpec(PICTURE, "letterbox").pixels(open_picture(path)).transpose(1, 2, 0))
