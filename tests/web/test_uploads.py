"""What clients send, most of it hostile: faults W1 to W3, W6, W10, D1 to D8."""

import asyncio
import io
import json
import os
import random
import socket
import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import store
from PIL import Image

MB = 1_000_000
HEAD = b"POST /api/search HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=b\r\n"
PART = b'--b\r\nContent-Disposition: form-data; name="picture"; filename="x.jpg"\r\n\r\n'
END = b"\r\n--b--\r\n"


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    items = store.stock(tmp_path_factory.mktemp("uploads") / "shop")
    with store.served(store.live(store.finder(items)), upload={"seconds": 1.5}) as address:
        yield address


def resident() -> float:
    """Megabytes of this process, in which the server runs."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / MB


def talk(address, *sent, patience=20) -> bytes:
    """Say these bytes (or what a generator gives) and return the answer."""
    host, port = address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=patience) as line:
        answer = b""
        try:
            for part in sent:
                for chunk in [part] if isinstance(part, bytes) else part:
                    line.sendall(chunk)
        except OSError:
            pass  # the server has heard enough
        try:
            while chunk := line.recv(65536):
                answer += chunk
                head, found, body = answer.partition(b"\r\n\r\n")
                if found and b"content-length: %d\r\n" % len(body) in head.lower() + b"\r\n":
                    break
        except ConnectionError:
            pass
    return answer


def status(answer: bytes) -> int:
    assert answer.startswith(b"HTTP/1.1 "), answer[:200]
    return int(answer.split()[1])


def chunked(total, size=2**16):
    for _ in range(0, total, size):
        yield b"%x\r\n" % size + b"x" * size + b"\r\n"
    yield b"0\r\n\r\n"


def test_w1_a_body_of_a_gigabyte_is_refused_and_memory_stays_flat(address):
    """W1: announced or not, whatever comes is counted."""
    before = resident()
    big = (b"x" * 2**16 for _ in range(10**9 // 2**16))
    announced = talk(address, HEAD, b"Content-Length: 1000000000\r\n\r\n", PART, big)
    assert status(announced) == 413
    assert b"10 MB may be sent" in announced
    start = b"%x\r\n" % len(PART) + PART + b"\r\n"
    unannounced = talk(address, HEAD, b"Transfer-Encoding: chunked\r\n\r\n", start, chunked(10**9))
    assert status(unannounced) in (413, 408)
    assert resident() < before + 60


def test_w1_a_body_slightly_too_large_is_answered_after_all_of_it(address):
    """W1: a browser that is still sending would not show the answer."""
    response = talk(
        address, HEAD, b"Content-Length: %d\r\n\r\n" % (20 * MB), PART, (b"x" * MB for _ in range(20))
    )
    assert status(response) == 413


@pytest.mark.parametrize(
    ("length", "statuses"),
    [
        (b"Content-Length: -1\r\n", {400}),
        (b"Content-Length: ten\r\n", {400}),
        (b"Content-Length: 5\r\nContent-Length: 6\r\n", {400}),
        (b"Content-Length: 99999999999999999999999\r\n", {400, 413}),
        (b"Content-Length: 9999999\r\n", {408}),  # more than what comes
        (b"", {400, 411}),
        (b"Transfer-Encoding: gzip\r\n", {400, 411, 501}),
        (b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", {400, 408, 200, 411}),
    ],
)
def test_w1_lengths_that_are_not_true(address, length, statuses):
    answer = talk(address, HEAD, length, b"\r\n", PART, b"short", END)
    assert status(answer) in statuses
    assert b"Traceback" not in answer


def test_w2_parts_without_end_headers_without_end_and_no_boundary(client):
    """W2: each is refused quickly."""
    kind = {"content-type": "multipart/form-data; boundary=b"}
    field = b'--b\r\nContent-Disposition: form-data; name="x"\r\n\r\ny\r\n'
    long_header = b"--b\r\nX-Long: " + b"x" * MB + b"\r\n\r\n\r\n"
    many_headers = b"--b\r\n" + b"X-A: b\r\n" * 100_000 + b"\r\n\r\n"
    nameless = b"--b\r\nContent-Disposition: form-data\r\n\r\ny\r\n--b--\r\n"
    start = time.monotonic()
    for body in (
        field * 10_000,
        PART + b"x\r\n" + PART * 50,
        long_header,
        many_headers,
        nameless,
        b"\r\n" * MB,
        b"-" * MB,
    ):
        response = client.post("/api/search", content=body + b"--b--\r\n", headers=kind)
        assert response.status_code == 400, body[:80]
        assert set(response.json()) == {"error", "id"}
    for odd in (
        "multipart/form-data",
        "multipart/form-data; boundary=",
        f"multipart/form-data; boundary={'b' * 5000}",
    ):
        response = client.post("/api/search", content=field, headers={"content-type": odd})
        assert response.status_code == 400, odd[:80]
    assert time.monotonic() - start < 20


NAMES = [
    "../../x", "/etc/passwd", "..\\..\\x", "a\x00b", "x" * 5000, "<script>alert(1)</script>", "", ".", "..",
    "con", "nul.jpg", "a/b/c.jpg", "~/x", "$(id)", "`id`", "%2e%2e%2f", "a;b", "a|b", "-rf", "größe.jpg",
    "\N{RIGHT-TO-LEFT OVERRIDE}gpj.exe", "\N{PILE OF POO}.png", "a\r\nX-Evil: 1", "\"quoted\"", "'",
    "{{7*7}}", "${7*7}", "file:///etc/passwd", "http://127.0.0.1/", "C:\\x.jpg",
]  # fmt: skip


def test_w3_the_name_of_a_file_is_never_used(client, tmp_path):
    """W3: thirty names; the answer does not have them, the disk does not either."""
    before = store.listing(tmp_path)
    for name in NAMES:
        for path, headers in (("/api/search", {}), ("/", {"accept": "text/html"})):
            files = {"picture": (name or "x", store.picture())}
            response = client.post(path, files=files, headers=headers)
            assert response.status_code == (400 if len(name) == 5000 else 200), name[:50]
            assert "alert(1)" not in response.text
            assert "x-evil" not in response.headers
    assert store.listing(tmp_path) == before


def test_w6_a_slow_client_is_told_so_and_others_do_not_wait(address):
    """W6."""
    slow = socket.create_connection(("127.0.0.1", int(address.rsplit(":", 1)[1])), timeout=20)
    slow.sendall(HEAD + b"Content-Length: 1000\r\n\r\n" + PART)
    start = time.monotonic()
    body = PART + store.picture() + END
    quick = talk(address, HEAD, b"Content-Length: %d\r\n\r\n" % len(body), body)
    assert status(quick) == 200
    assert time.monotonic() - start < 1.4  # the slow one's time is not up yet
    assert status(slow.recv(9999)) == 408
    slow.close()


def test_w6_clients_that_go_away_leave_nothing_behind(address):
    """W6: half a body, then silence."""
    threads = threading.active_count()
    for _ in range(50):
        with socket.create_connection(("127.0.0.1", int(address.rsplit(":", 1)[1]))) as line:
            line.sendall(HEAD + b"Content-Length: 100000\r\n\r\n" + PART + b"x" * 1000)
    body = PART + store.picture() + END
    assert status(talk(address, HEAD, b"Content-Length: %d\r\n\r\n" % len(body), body)) == 200
    assert threading.active_count() <= threads + 4


class SlowEncoder(store.MeanColour):
    """Takes its time, so that a queue builds up."""

    def embed(self, pixels_NCHW):
        time.sleep(0.1)
        return super().embed(pixels_NCHW)


def test_w6_fifty_uploads_at_once_are_answered_or_told_to_come_again(items):
    """W6: the queue has an end, and says so with Retry-After."""
    search = store.finder(items, SlowEncoder())
    with (
        store.client(search, batch={"size": 2, "waiting": 4}) as client,
        ThreadPoolExecutor(50) as threads,
    ):
        files = {"picture": store.picture()}
        answers = list(threads.map(lambda _: client.post("/api/search", files=files), range(50)))
        statuses = {answer.status_code for answer in answers}
        assert statuses == {200, 503}
        for answer in answers:
            assert answer.status_code == 200 or answer.headers["retry-after"] == "1"
        wait_until_empty(client)
        assert client.post("/api/search", files=files).status_code == 200


def wait_until_empty(client):
    def empty():
        lines = client.get("/metrics").text.splitlines()
        return all(f"fashion_lab_queue_{name} 0.0" in lines for name in ("decode", "embed"))

    store.wait_for(empty)


def test_w6_bodies_share_the_room_in_memory(items):
    """W6: many large uploads at once do not add up without end."""
    with store.served(store.live(store.finder(items)), upload={"held_mb": 10}) as address:
        port = int(address.rsplit(":", 1)[1])
        lines = [socket.create_connection(("127.0.0.1", port), timeout=10) for _ in range(4)]
        for line in lines:
            line.sendall(HEAD + b"Content-Length: 9000000\r\n\r\n" + PART + b"x" * 4 * MB)
        time.sleep(0.3)
        body = PART + store.picture() + END
        assert status(talk(address, HEAD, b"Content-Length: %d\r\n\r\n" % len(body), body)) == 503
        for line in lines:
            line.close()
        store.wait_for(
            lambda: status(talk(address, HEAD, b"Content-Length: %d\r\n\r\n" % len(body), body)) == 200
        )


def test_w10_nothing_that_was_sent_is_kept(client, tmp_path, monkeypatch):
    """W10: no temporary file, not even while a large picture is read."""
    import tempfile

    monkeypatch.setattr(tempfile, "TemporaryFile", None)  # what a spooled file becomes when it grows
    noise = np.random.default_rng(0).integers(0, 256, (1500, 1500, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).save(file, "PNG")
    assert len(file.getvalue()) > 5 * MB
    before = store.listing(tmp_path)
    for path in ("/api/search", "/api/embed", "/"):
        assert client.post(path, files={"picture": file.getvalue()}).status_code == 200
    assert store.listing(tmp_path) == before


def ask(client, data: bytes, **fields):
    return client.post("/api/embed", files={"picture": data}, data=fields)


def test_d1_cut_off_and_flipped_pictures(client):
    """D1: never a crash; cut off is refused."""
    draw, noise = random.Random(0), np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    whole = io.BytesIO()
    Image.fromarray(noise).save(whole, "JPEG")
    data = whole.getvalue()
    for _ in range(100):
        assert ask(client, data[: draw.randrange(1, len(data) - 2)]).status_code == 400
        flipped = bytearray(data)
        flipped[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
        assert ask(client, bytes(flipped)).status_code in (200, 400)


def bomb(side: int) -> bytes:
    """A black 1-bit PNG of side x side pixels in a few kB."""

    def chunk(kind, data):
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    packer = zlib.compressobj(9)
    row = b"\0" * (side // 8 + 1)
    pixels = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    head = side.to_bytes(4, "big") * 2 + b"\1\0\0\0\0"
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [5000, 9400, 13000, 20000])
def test_d2_a_bomb_is_refused_by_its_size(client, side):
    """D2: before anything is decoded."""
    before = resident()
    response = ask(client, bomb(side))
    assert response.status_code == 400
    assert "pixels" in response.json()["error"]
    assert resident() < before + 30


def test_d3_a_turned_picture_is_upright(client):
    """D3: all eight orientations of EXIF give one vector."""
    plain = Image.new("RGB", (40, 60), (200, 20, 20))
    plain.paste((20, 20, 200), (0, 0, 20, 30))
    turn = Image.Transpose
    turns = {
        1: None, 2: turn.FLIP_LEFT_RIGHT, 3: turn.ROTATE_180, 4: turn.FLIP_TOP_BOTTOM,
        5: turn.TRANSPOSE, 6: turn.ROTATE_90, 7: turn.TRANSVERSE, 8: turn.ROTATE_270,
    }  # fmt: skip
    seen = set()
    for orientation, turned in turns.items():
        exif, file = Image.Exif(), io.BytesIO()
        exif[0x0112] = orientation
        (plain if turned is None else plain.transpose(turned)).save(file, "PNG", exif=exif)
        seen.add(tuple(ask(client, file.getvalue()).json()["embedding"]))
        page = client.post("/", files={"picture": file.getvalue()}).text
        assert page.count("data:image/jpeg") == 1
    assert len(seen) == 1


def test_d4_sixteen_bits_are_scaled(client):
    """D4: a ramp stays a ramp."""
    ramp = np.linspace(0, 65535, 64 * 64).reshape(64, 64).astype(np.uint16)
    file = io.BytesIO()
    Image.fromarray(ramp).save(file, "PNG")
    assert ask(client, file.getvalue()).json()["embedding"] == pytest.approx([127.5] * 3, abs=2)


def test_d5_transparent_is_white(client):
    """D5."""
    for mode, value in (("RGBA", (0, 0, 0, 0)), ("LA", (0, 0))):
        file = io.BytesIO()
        Image.new(mode, (20, 20), value).save(file, "PNG")
        assert ask(client, file.getvalue()).json()["embedding"] == [255] * 3


@pytest.mark.parametrize(
    ("kind", "mode"),
    [
        ("JPEG", "CMYK"),
        ("JPEG", "L"),
        ("PNG", "P"),
        ("PNG", "1"),
        ("PNG", "L"),
        ("PNG", "RGBA"),
        ("WEBP", "RGB"),
    ],
)
def test_d6_every_mode(client, kind, mode):
    """D6."""
    assert ask(client, store.picture((250, 250, 250), kind=kind, mode=mode)).status_code == 200


def test_d6_of_many_frames_the_first_counts(client):
    """D6."""
    file = io.BytesIO()
    frames = [Image.new("RGB", (20, 20), (shade,) * 3) for shade in (0, 255)]
    frames[0].save(file, "WEBP", save_all=True, append_images=frames[1:], lossless=True)
    assert max(ask(client, file.getvalue()).json()["embedding"]) < 5


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1), (80, 80)])
def test_d7_little_to_see_is_answered_and_said(client, size):
    """D7."""
    data = store.picture(size=size)
    assert ask(client, data).json()["low_information"] is True
    assert client.post("/api/search", files={"picture": data}).json()["low_information"] is True
    assert "There is little to see" in client.post("/", files={"picture": data}).text


def test_d7_a_real_picture_is_not_called_so(client):
    noise, file = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8), io.BytesIO()
    Image.fromarray(noise).resize((320, 320), Image.Resampling.NEAREST).save(file, "JPEG")
    assert ask(client, file.getvalue()).json()["low_information"] is False


SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<html><script>alert(1)</script></html>",
        SVG,
        store.picture(kind="GIF"),
        store.picture(kind="TIFF"),
        store.picture(kind="BMP"),
        b"%PDF-1.4",
        b"\0" * 1000,
    ],
)
def test_d8_only_pictures_whatever_they_are_called(client, data):
    """D8: by content; the name says .jpg."""
    response = client.post("/api/search", files={"picture": ("x.jpg", data, "image/jpeg")})
    assert response.status_code == 400
    assert "alert" not in json.dumps(response.json())
    page = client.post("/", files={"picture": ("x.jpg", data)}, headers={"accept": "text/html"})
    assert page.status_code == 400
    assert "alert(1)" not in page.text
    assert "That did not work" in page.text


def test_two_pictures_are_one_too_many(client):
    files = [("picture", store.picture()), ("picture", store.picture())]
    assert client.post("/api/search", files=files).status_code == 400


def test_the_other_way_to_choose_a_picture_may_stay_empty(client):
    files = [("picture", ("", b"")), ("picture", ("x.jpg", store.picture()))]
    assert client.post("/api/search", files=files).status_code == 200


def test_a_pool_counts_calls_whose_client_has_gone():
    from fashion_lab.web.pool import Pool
    from fashion_lab.web.refusals import Busy

    async def play():
        pool, gate = Pool("x", threads=1, waiting=0), threading.Event()
        call = asyncio.create_task(pool.run(gate.wait))
        await asyncio.sleep(0.01)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        with pytest.raises(Busy):
            await pool.run(int)
        gate.set()
        while pool.waiting:
            await asyncio.sleep(0.01)
        assert await pool.run(int) == 0
        pool.close()

    asyncio.run(play())
