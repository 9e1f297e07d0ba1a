"""What clients send, most of it hostile: faults W1 to W3, W6, W10."""

import asyncio
import io
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

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
    before = store.resident()
    big = (b"x" * 2**16 for _ in range(10**9 // 2**16))
    announced = talk(address, HEAD, b"Content-Length: 1000000000\r\n\r\n", PART, big)
    assert status(announced) == 413
    assert b"10 MB may be sent" in announced
    start = b"%x\r\n" % len(PART) + PART + b"\r\n"
    unannounced = talk(address, HEAD, b"Transfer-Encoding: chunked\r\n\r\n", start, chunked(10**9))
    assert status(unannounced) in (413, 408)
    assert store.resident() < before + 60


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
