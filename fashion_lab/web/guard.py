"""Around the whole application: who may ask, what every answer says to browsers, and what is counted.

- Host is checked, or a hostile page could make its own name point here and read the answers (DNS rebinding).
- Origin is checked for everything that is no GET, or a hostile page could have its visitors' browsers search.
"""

import ipaddress
import logging
import random
import time
from collections.abc import Mapping
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fashion_lab.web.measures import Measures
from fashion_lab.web.refusals import Refusal
from fashion_lab.web.settings import Settings, is_loopback

log = logging.getLogger(__name__)

HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; object-src 'none'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # with no-referrer, browsers send `Origin: null` with our own forms
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
SAFE = ("GET", "HEAD", "OPTIONS")
BROKEN = "something broke inside the server; its log says more under this id"


class Guard:
    """An ASGI application around another."""

    def __init__(self, app: ASGIApp, settings: Settings, measures: Measures) -> None:
        self._app, self._settings, self._measures = app, settings, measures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] == "lifespan":
            return await self._app(scope, receive, send)
        if scope["type"] != "http":
            return None  # no WebSockets here: the server closes what nobody accepts
        scope.setdefault("state", {})["id"] = f"{random.getrandbits(48):012x}"
        answer = _Answer(send, scope["state"]["id"])
        start = time.perf_counter()
        try:
            await self._answer(scope, receive, answer)
        finally:
            route = getattr(scope.get("route"), "path", "none")
            self._measures.answered(route, scope["method"], answer.status, time.perf_counter() - start)
        return None

    async def _answer(self, scope: Scope, receive: Receive, answer: "_Answer") -> None:
        try:
            check(scope["method"], Headers(scope=scope), self._settings)
            await self._app(scope, receive, answer)
        except Refusal as refusal:
            await as_json(refusal, answer.id)(scope, receive, answer)
        except Exception:
            log.exception("request %s failed", answer.id)
            if not answer.status:
                await as_json(Refusal(500, BROKEN), answer.id)(scope, receive, answer)


class _Answer:
    """Sends what the application says, with our headers."""

    def __init__(self, send: Send, request_id: str) -> None:
        self._send, self.id = send, request_id
        self.status = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers[name] = value
            headers.setdefault("Cache-Control", "no-cache" if "ETag" in headers else "no-store")
            headers["X-Request-Id"] = self.id
        await self._send(message)


def as_json(refusal: Refusal, request_id: str) -> JSONResponse:
    """Say no to a program."""
    record = {"error": refusal.message, "id": request_id}
    return JSONResponse(record, status_code=refusal.status, headers=refusal.headers)


def check(method: str, headers: Mapping[str, str], settings: Settings) -> None:
    """Raise Refusal 421 for a foreign Host, 403 for a foreign Origin of a request that is no GET."""
    host = headers.get("host", "")
    if not is_ours(host, settings):
        raise Refusal(421, "this server does not go by that name; its owner may add it with hosts=[...]")
    if method in SAFE:
        return
    origin = headers.get("origin")
    foreign = origin is not None and urlsplit(origin).netloc.lower() != host.lower()
    if foreign or headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
        raise Refusal(403, "another site's page may not ask this server")


def is_ours(host: str, settings: Settings) -> bool:
    """Say whether a Host header names this server.

    A numeric address cannot be made to point elsewhere: where strangers are welcome, all of them are ours.
    """
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    if is_loopback(name) or name in settings.hosts:
        return True
    try:
        return settings.public and bool(ipaddress.ip_address(name))
    except ValueError:
        return False
