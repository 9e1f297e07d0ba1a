"""Clients that send pictures to a server as fast as it answers: plain sockets, so that they cost little."""

import asyncio
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple


class Told(NamedTuple):
    """One answer: when it came, what it cost, its status (0: none came)."""

    at: float
    seconds: float
    status: int


def queries(folder: Path, most: int = 200) -> list[bytes]:
    """Every picture below a folder as a whole request."""
    files = sorted(
        path for path in folder.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png", ".webp")
    )
    if not files:
        raise SystemExit(f"no picture below {folder}")
    return [_request(path.read_bytes()) for path in files[:: max(1, len(files) // most)]]


def _request(picture: bytes) -> bytes:
    part = b'--b\r\nContent-Disposition: form-data; name="picture"; filename="q"\r\n\r\n'
    k = b'\r\n--b\r\nContent-Disposition: form-data; name="k"\r\n\r\n12'
    body = part + picture + k + b"\r\n--b--\r\n"
    head = "POST /api/search HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=b\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


async def crowd(port: int, requests: list[bytes], clients: int, seconds: float) -> list[Told]:
    """Let so many clients ask for so long, each again as soon as it is answered."""
    end = time.perf_counter() + seconds
    told: list[Told] = []
    await asyncio.gather(
        *(_client(port, requests[n % len(requests) :] + requests, end, told) for n in range(clients))
    )
    return told


async def _client(port: int, requests: list[bytes], end: float, told: list[Told]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    number = 0
    while (start := time.perf_counter()) < end:
        try:
            writer.write(requests[number % len(requests)])
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 30)
            length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
            await asyncio.wait_for(reader.readexactly(length), 30)
            status = int(head.split()[1])
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            status = 0
            writer.close()
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        now = time.perf_counter()
        told.append(Told(now, now - start, status))
        number += 1
    writer.close()


@contextmanager
def serving(words: list[str]):
    """A server in a process of its own: (process, port)."""
    command = [sys.executable, "-m", "fashion_lab.serve", "port=0", *words]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        line = process.stdout.readline()
        if "serving http" not in line:
            raise SystemExit(f"the server did not start: {' '.join(command)}")
        yield process, int(line.split("/ (")[0].rsplit(":", 1)[1])
    finally:
        process.terminate()
        process.wait()
