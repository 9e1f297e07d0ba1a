"""The API: search, embed, items, pictures, health. Its description is /openapi.json, for people /docs."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from starlette.responses import JSONResponse

from fashion_lab.web import wishes
from fashion_lab.web.desk import Desk, position_of
from fashion_lab.web.records import (
    EmbedRecord,
    ErrorRecord,
    HealthRecord,
    ItemRecord,
    SearchRecord,
    class_records,
    item_record,
    search_record,
)
from fashion_lab.web.refusals import Refusal
from fashion_lab.web.thumbnails import SIZES, Thumbnail, thumbnail
from fashion_lab.web.uploads import FORM, JSON, Intake

KEPT = "private, max-age=300"  # seconds a browser shows a picture without asking; assumption
ERRORS: dict[int | str, dict[str, Any]] = {
    400: {"model": ErrorRecord, "description": "what was sent cannot be read"},
    413: {"model": ErrorRecord, "description": "too large"},
    503: {"model": ErrorRecord, "description": "too many queries at once: see Retry-After"},
}
MISSING: dict[int | str, dict[str, Any]] = {404: {"model": ErrorRecord, "description": "no such item"}}

PICTURE = {"type": "string", "format": "binary", "description": "JPEG, PNG or WebP"}
ASKED: dict[str, Any] = {
    "item": {"type": "string", "description": "id of an item; give it or a picture"},
    "k": {"type": "integer", "minimum": 1, "default": 5, "description": "how many hits"},
    "where": {
        "type": "object",
        "description": 'only items like this: {"class": "skirt"}, {"class": ["skirt", "shorts"]}, '
        '{"class": {"not": "dress"}}, {"price": {"min": 10, "max": 50}}; in a form, as JSON',
    },
    "fold": {"type": "boolean", "default": True, "description": "fold near-duplicates into one hit"},
    "expand": {"type": "integer", "default": 0, "description": "5: ask again with the mean of the 5 nearest"},
    "classes": {"type": "boolean", "default": False, "description": "ask the classifier as well"},
}


def body(*kinds: str, **properties: Any) -> dict[str, Any]:
    """Describe a body for OpenAPI: it is read by `uploads`, which FastAPI knows nothing about."""
    schema = {"type": "object", "properties": properties}
    content = {kind: {"schema": schema} for kind in kinds}
    return {"requestBody": {"required": True, "content": content}}


def routes(desk: Desk, intake: Intake) -> APIRouter:
    """Make the routes of the API."""
    router = APIRouter()
    _add_queries(router, desk, intake)
    _add_items(router, desk)
    return router


def _add_queries(router: APIRouter, desk: Desk, intake: Intake) -> None:
    """Add what is asked with a picture."""

    @router.post(
        "/api/search",
        response_model=SearchRecord,
        responses=ERRORS | MISSING,
        openapi_extra=body(FORM, JSON, picture=PICTURE, **ASKED),
    )
    async def search(request: Request) -> SearchRecord:
        """Find the items that look like a picture, or like an item of the catalog."""
        async with intake.read(request) as sent:
            wish = wishes.wish(sent.fields, desk.settings)
            item = sent.fields.get("item")
            if (sent.picture is None) == (item is None):
                raise Refusal(400, "give a picture or the id of an item" + (", not both" if item else ""))
            if sent.picture is None:
                return search_record(await desk.by_item(str(item), wish))
            answer, _ = await desk.by_picture(sent.picture, wish)
        return search_record(answer)

    @router.post(
        "/api/embed",
        response_model=EmbedRecord,
        responses=ERRORS,
        openapi_extra=body(FORM, picture=PICTURE, classes=ASKED["classes"]),
    )
    async def embed(request: Request) -> EmbedRecord:
        """Give the vector of a picture, and what the classifier says about it."""
        async with intake.read(request) as sent:
            if sent.picture is None:
                raise Refusal(400, "there is no picture: send one as the field `picture` of a form")
            classify = wishes.switch("classes", sent.fields.get("classes", False))
            snapshot, query, embedded = await desk.embed(sent.picture, classify=classify)
        return EmbedRecord(
            embedding=embedded.vector_D.tolist(),
            encoder=snapshot.finder.encoder.fingerprint,
            low_information=query.low_information,
            classes=class_records(embedded.classes),
        )


def _add_items(router: APIRouter, desk: Desk) -> None:
    """Add what is known of the catalog."""

    @router.get("/api/items/{item_id:path}", response_model=ItemRecord, responses=MISSING)
    async def item(item_id: str) -> ItemRecord:
        """Describe an item."""
        snapshot = desk.live.current
        return await desk.lookups.run(item_record, snapshot, position_of(snapshot, item_id))

    @router.get(
        "/api/pictures/{item_id:path}",
        response_class=Response,
        responses={200: {"content": {"image/jpeg": {}}}, **MISSING},
    )
    async def picture(
        request: Request,
        item_id: str,
        size: Annotated[int, Query(description="longer side", json_schema_extra={"enum": list(SIZES)})] = 640,
    ) -> Response:
        """Show an item: its file, encoded anew without metadata, or what the index stored of it."""
        if size not in SIZES:
            raise Refusal(400, f"size={size}: choose one of {', '.join(map(str, SIZES))}")
        snapshot = desk.live.current
        found = await desk.lookups.run(thumbnail, snapshot, position_of(snapshot, item_id), size)
        return _shown(found, request.headers.get("if-none-match", ""))

    @router.get("/healthz", response_model=HealthRecord)
    async def health() -> JSONResponse:
        """Say that the server answers."""
        snapshot = desk.live.current
        record = HealthRecord(status="ok", index=snapshot.state, items=len(snapshot))
        return JSONResponse(record.model_dump())


def _shown(found: Thumbnail, known: str) -> Response:
    tag = f'"{found.tag}"'
    headers = {"ETag": tag, "Cache-Control": "no-cache" if found.stale else KEPT}
    if found.stale:
        headers["X-Stale"] = "true"
    if tag in [one.strip().removeprefix("W/") for one in known.split(",")]:
        return Response(status_code=304, headers=headers)
    return Response(found.data, media_type="image/jpeg", headers=headers)
