"""What clients send: counted while it arrives, taken apart in memory, never written anywhere.

A body counts twice: for the limit of one request (413), and for the room of all requests at once (503).
"""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from fashion_lab.web.refusals import Busy, Refusal, clip
from fashion_lab.web.settings import MEGA, Upload

FILES, FIELDS = 2, 16  # parts of a form; the page has two ways to choose a file, one of them stays empty
DRAINED = 5  # times the limit that is read on and dropped; assumption
CLOSE = {"Connection": "close"}
MAX_TEXT = 10_000  # letters of a field, bytes of JSON; assumption
KEPT = ("seen", "shown")  # fields in which the page sends back a picture that it was sent
FORM, JSON = "multipart/form-data", "application/json"


@dataclass(frozen=True)
class Sent:
    """A request's body.

    Attributes:
        picture: bytes of the one file in it; None where there is none. Its name is not looked at.
        fields: the rest; the last one counts where a name comes twice.
    """

    picture: bytes | None
    fields: Mapping[str, Any]


class _Parser(MultiPartParser):
    """Starlette's, with files that stay in memory."""

    spool_max_size = 2**62


class Intake:
    """Reads bodies.

    Attributes:
        held: bytes in memory now, of all requests.
    """

    def __init__(self, settings: Upload) -> None:
        self._settings = settings
        self.held = 0

    @asynccontextmanager
    async def read(self, request: Request) -> AsyncIterator[Sent]:
        """Read a form or a JSON object; its bytes count as held until the context ends.

        Raises:
            Refusal: 400 for what is neither, 408 too slow, 413 too large, 415 another type.
            Busy: no room for it now.
        """
        body = _Body(request, self)
        try:
            yield await self._in_time(body)
        finally:
            self.held -= body.count

    async def _in_time(self, body: "_Body") -> Sent:
        try:
            async with asyncio.timeout(self._settings.seconds):
                return await self._read(body)
        except TimeoutError:
            raise Refusal(
                408, f"the body took longer than {self._settings.seconds:g} seconds", CLOSE
            ) from None
        except ClientDisconnect:
            raise Refusal(400, "the body ended too soon", CLOSE) from None

    async def _read(self, body: "_Body") -> Sent:
        kind = body.request.headers.get("content-type", "").partition(";")[0].strip().lower()
        try:
            if kind not in (FORM, JSON):
                raise Refusal(415, f"send {FORM} (a field `picture` with the file) or {JSON}")
            self.check(body.declared())
            return await (_form(body, self._settings.max_bytes) if kind == FORM else _object(body))
        except Refusal:
            await body.drain(DRAINED * self._settings.max_bytes)
            raise

    def check(self, count: int) -> None:
        """Refuse a body of that many bytes, or any for which there is no room now."""
        if count > self._settings.max_bytes:
            limit = f"{self._settings.max_bytes / MEGA:g} MB"
            raise Refusal(413, f"too large: {limit} may be sent; make the picture smaller", CLOSE)
        if self.held > self._settings.held_mb * MEGA:
            raise Busy


class _Body:
    """A request's bytes as they come in."""

    def __init__(self, request: Request, intake: Intake) -> None:
        self.request, self._intake = request, intake
        self._stream = request.stream()
        self.count = 0

    def declared(self) -> int:
        """Give the length that the client claims, or 0. The bytes are counted all the same."""
        text = self.request.headers.get("content-length", "0")
        if not (text.isascii() and text.isdigit() and len(text) < 20):
            raise Refusal(400, "Content-Length is no number of bytes", CLOSE)
        return int(text)

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """Give them one by one. Raises Refusal as soon as they are too many."""
        async for chunk in self._stream:
            self.count += len(chunk)
            self._intake.held += len(chunk)
            self._intake.check(self.count)
            yield chunk

    async def drain(self, most: int) -> None:
        """Read on and drop it, for a while: a client that still sends would not see the answer."""
        async for chunk in self._stream:
            most -= len(chunk)
            if most < 0:
                return


async def _form(body: _Body, limit: int) -> Sent:
    headers, chunks = body.request.headers, body.chunks()
    parser = _Parser(headers, chunks, max_files=FILES, max_fields=FIELDS, max_part_size=limit)
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise Refusal(400, f"this form cannot be read: {error.message}") from None
    files = [value for _, value in form.multi_items() if isinstance(value, UploadFile)]
    pictures = [data for data in [await file.read() for file in files] if data]
    await form.close()
    if len(pictures) > 1:
        raise Refusal(400, "two pictures at once: send one")
    fields = {name: value for name, value in form.multi_items() if isinstance(value, str)}
    for name, value in fields.items():
        if len(value) > MAX_TEXT and name not in KEPT:
            raise Refusal(400, f"{clip(name)} has {len(value):,} letters; {MAX_TEXT:,} are read")
    return Sent(pictures[0] if pictures else None, fields)


async def _object(body: _Body) -> Sent:
    text = b""
    async for chunk in body.chunks():
        text += chunk
        if len(text) > MAX_TEXT:
            raise Refusal(413, f"JSON of more than {MAX_TEXT:,} bytes is not read")
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise Refusal(400, "this is no JSON") from None
    if not isinstance(found, dict):
        raise Refusal(400, 'send a JSON object, such as {"item": "...", "k": 5}')
    return Sent(None, found)
