"""The application: parts put together."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles

from fashion_lab import __version__
from fashion_lab.web import api, page
from fashion_lab.web.batcher import Batcher
from fashion_lab.web.desk import Desk
from fashion_lab.web.guard import BROKEN, Guard, as_json
from fashion_lab.web.live import Live
from fashion_lab.web.measures import Measures
from fashion_lab.web.refusals import Refusal
from fashion_lab.web.settings import Settings
from fashion_lab.web.uploads import Intake

HERE = Path(__file__).parent


def create(live: Live, settings: Settings) -> Guard:
    """Make the ASGI application over an index."""
    measures = Measures()
    batcher = Batcher(settings.batch, measures.batches.observe)
    desk, intake = Desk(live, batcher, settings), Intake(settings.upload)
    measures.watch(desk)

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(batcher.run()), asyncio.create_task(live.watch())]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            desk.close()

    app = FastAPI(
        title="fashion_lab",
        description="Visual search over a catalog.",
        version=__version__,
        docs_url=None,  # FastAPI's own pages load scripts from elsewhere; ours is /docs
        redoc_url=None,
        lifespan=lifespan,
    )
    app.include_router(api.routes(desk, intake))
    pages = page.Pages(desk, intake)
    app.include_router(pages.routes(app.openapi))
    app.mount("/static", StaticFiles(directory=HERE / "static"), name="static")

    @app.get("/metrics", include_in_schema=False)
    async def metrics() -> Response:
        return Response(measures.text(), media_type="text/plain; version=0.0.4")

    _handle_errors(app, pages)
    return Guard(app, settings, measures)


def _handle_errors(app: FastAPI, pages: page.Pages) -> None:
    """Every error is {error, id} to programs, a readable page to people."""

    async def refused(request: Request, error: Exception) -> Response:
        refusal = _refusal(error)
        if page.is_for_people(request):
            return await pages.refused(request, refusal)
        return as_json(refusal, request.state.id)

    for kind in (Refusal, HTTPException, RequestValidationError, Exception):
        app.add_exception_handler(kind, refused)


def _refusal(error: Exception) -> Refusal:
    if isinstance(error, Refusal):
        return error
    if isinstance(error, RequestValidationError):
        first = error.errors()[0]
        return Refusal(400, f"{first['loc'][-1]}: {first['msg']}")
    if isinstance(error, HTTPException):
        return Refusal(error.status_code, _PLAIN.get(error.status_code, str(error.detail)), error.headers)
    return Refusal(500, BROKEN)


_PLAIN = {404: "there is nothing here", 405: "this address is asked in another way"}
