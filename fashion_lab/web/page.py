"""The page: one address, `/`. It works without scripts; `static/page.js` makes it smoother."""

import base64
import binascii
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import jinja2
from fastapi import APIRouter, Request
from PIL import Image
from starlette.responses import HTMLResponse, Response

from fashion_lab.web import views, wishes
from fashion_lab.web.desk import Answer, Desk, Query
from fashion_lab.web.live import Snapshot
from fashion_lab.web.records import picture_address
from fashion_lab.web.refusals import Busy, Refusal, clip
from fashion_lab.web.thumbnails import small
from fashion_lab.web.uploads import Intake, Sent
from fashion_lab.web.views import Choice, Subject

SHOWN = 480  # longer side of the visitor's own picture on the page
MAX_PAGE = 10**6


def is_for_people(request: Request) -> bool:
    """Say whether an answer will be looked at rather than parsed."""
    return request.url.path in ("/", "/docs") and "text/html" in request.headers.get("accept", "")


class Pages:
    """Renders the page."""

    def __init__(self, desk: Desk, intake: Intake) -> None:
        self._desk, self._intake = desk, intake
        loader = jinja2.FileSystemLoader(Path(__file__).parent / "templates")
        self._templates = jinja2.Environment(
            loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True
        )
        self._default_k = min(views.COUNTS[1], desk.settings.max_k)

    def routes(self, description: Callable[[], dict[str, Any]]) -> APIRouter:
        """Make the routes of the page, and of the description of the API."""
        router = APIRouter(include_in_schema=False)

        @router.get("/")
        async def show(request: Request) -> Response:
            choice = self._choice(request.query_params)
            item = request.query_params.get("item")
            return await (self._browse(choice) if item is None else self._like_item(item, choice))

        @router.post("/")
        async def search(request: Request) -> Response:
            async with self._intake.read(request) as sent:
                return await self._like_picture(sent, self._choice(sent.fields))

        @router.get("/docs")
        async def docs(request: Request) -> Response:
            address = str(request.base_url).rstrip("/")
            return self._render("docs.html", api=description(), address=address)

        return router

    async def refused(self, request: Request, refusal: Refusal) -> Response:
        """Say no to a person, above a sample of the catalog."""
        choice = Choice(k=self._default_k)
        try:
            response = await self._browse(choice, trouble=(refusal.message, request.state.id))
        except Busy:
            response = self._page(choice, [], trouble=(refusal.message, request.state.id))
        response.status_code = refusal.status
        response.headers.update(refusal.headers)
        return response

    async def _browse(self, choice: Choice, trouble: tuple[str, str] | None = None) -> Response:
        snapshot, desk = self._desk.live.current, self._desk
        cards = await desk.lookups.run(views.browse, snapshot, choice, desk.settings.sample)
        return self._page(choice, cards, snapshot=snapshot, trouble=trouble)

    async def _like_item(self, item_id: str, choice: Choice) -> Response:
        answer = await self._desk.by_item(item_id, choice.wish())
        assert answer.position is not None
        item = answer.snapshot.finder.gallery.items[answer.position]
        picture = picture_address(item, 640)
        return self._found(choice, answer, Subject(picture=picture, kept={"item": item.id}, item=item))

    async def _like_picture(self, sent: Sent, choice: Choice) -> Response:
        """Search for a picture that was sent, or sent back: what this page keeps of it in its own forms."""
        data, shown = sent.picture, None
        if data is None:
            data, shown = _decoded(sent.fields.get("seen")), _decoded(sent.fields.get("shown"))
        if data is None:
            raise Refusal(400, "there is no picture: choose one, drop it on the page or paste it")
        answer, query = await self._desk.by_picture(data, choice.wish())
        kept = await self._desk.decoding.run(_kept, query, data, shown)
        subject = Subject(picture=f"data:image/jpeg;base64,{kept['shown']}", kept=kept)
        return self._found(choice, answer, subject)

    def _found(self, choice: Choice, answer: Answer, subject: Subject) -> Response:
        subject = replace(subject, classes=(answer.classes or ())[: views.BARS])
        cards = views.found(answer, choice.fields(self._default_k))
        return self._page(choice, cards, snapshot=answer.snapshot, subject=subject, answer=answer)

    def _page(
        self,
        choice: Choice,
        cards: Sequence[views.Card],
        *,
        snapshot: Snapshot | None = None,
        subject: Subject | None = None,
        answer: Answer | None = None,
        trouble: tuple[str, str] | None = None,
    ) -> Response:
        snapshot = snapshot or self._desk.live.current
        return self._render(
            "page.html",
            choice=choice,
            fields=choice.fields(self._default_k),
            cards=cards,
            snapshot=snapshot,
            source=snapshot.finder.gallery.source,
            subject=subject,
            answer=answer,
            trouble=trouble,
            classes=views.class_chips(snapshot, choice, subject),
            shown_classes=views.CHIPS,
            counts=views.count_chips(choice, self._desk.settings.max_k),
            limits=self._desk.settings.upload,
            sample=self._desk.settings.sample,
        )

    def _render(self, name: str, **values: Any) -> Response:
        return HTMLResponse(self._templates.get_template(name).render(values))

    def _choice(self, fields: Mapping[str, Any]) -> Choice:
        """Read what the visitor has chosen; where a name comes twice, the last counts: a button."""
        show = str(fields.get("show", ""))
        if show and not show.startswith((views.IS, views.NOT)):
            raise Refusal(400, f"show={clip(show)}: give {views.IS}<class> or {views.NOT}<class>")
        return Choice(
            k=wishes.count("k", fields.get("k") or self._default_k, 1, self._desk.settings.max_k),
            show=show,
            fold=wishes.switch("fold", fields.get("fold") or True),
            page=wishes.count("page", fields.get("page", 0), 0, MAX_PAGE),
        )


def _decoded(text: object) -> bytes | None:
    """Undo `_encoded`; None where there is nothing. Raises Refusal for what this page did not write."""
    try:
        return base64.b64decode(str(text), validate=True) if text else None
    except binascii.Error:
        raise Refusal(400, "this form is not the one that the page made: send the picture again") from None


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _kept(query: Query, data: bytes, shown: bytes | None) -> dict[str, str]:
    """Make the hidden fields of a picture: exactly what the encoder saw of it, and something to look at."""
    seen = io.BytesIO()
    Image.fromarray(query.pixels_CHW.transpose(1, 2, 0)).save(seen, "PNG")
    return {
        "seen": _encoded(seen.getvalue()),
        "shown": _encoded(small(io.BytesIO(data), SHOWN) if shown is None else shown),
    }
