"""Downloads from a server on this machine: checked, safe, whole or not at all."""

import hashlib
import io
import os
import signal
import stat
import subprocess
import sys
import threading
import time
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

import fashion_lab
from fashion_lab.catalogs import archive, download
from fashion_lab.catalogs.archive import ArchiveError, unpack
from fashion_lab.catalogs.download import DownloadError, Source, fetch

FILES = {
    "train/hat/a.jpg": b"one",
    "train/hat/B.jpg": b"two",
    "train/t-shirt/c.jpg": b"three",
    "validation/hat/d.jpg": b"four",
    "README.md": b"read me",
}
CSV = b"image,sender_id\na,1\n"


def zipped(files, top="clothing-1196/", edit=None):
    """Pack files below one top folder, as GitHub does; `edit` may add members of its own."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as bundle:
        bundle.writestr(top, b"")
        for name, content in files.items():
            bundle.writestr(top + name, content)
        if edit:
            edit(bundle)
    return buffer.getvalue()


def digest(split):
    lines = [f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in FILES.items()]
    inside = sorted(
        (line for line in lines if f"  {split}/" in line), key=lambda line: line.split("  ")[1].encode()
    )
    return hashlib.sha256("".join(inside).encode()).hexdigest()


class Server(ThreadingHTTPServer):
    """Serves bytes by path; `cut` answers stop half-way, `slow` ones trickle, `moved` ones redirect."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Answer)
        self.pages, self.cut, self.slow, self.moved, self.asked = {}, set(), set(), {}, []
        self.address = f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request, client_address):
        """A client that hangs up early is what these tests are about."""

    def source(self, content=None):
        self.pages = {"/zip": zipped(FILES) if content is None else content, "/csv": CSV}
        files = {"images.csv": (f"{self.address}/csv", hashlib.sha256(CSV).hexdigest())}
        splits = {"train": (3, digest("train")), "validation": (1, digest("validation"))}
        return Source(archive=f"{self.address}/zip", files=files, splits=splits)


class Answer(BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        server.asked.append(self.path)
        if self.path in server.moved:
            self.send_response(302)
            self.send_header("Location", server.moved[self.path])
            self.end_headers()
            return
        content = server.pages.get(self.path)
        if content is None:
            self.send_error(404)
            return
        self.send_response(200)
        if "chunked" not in server.cut:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        for start in range(0, len(content), 64):
            if self.path in server.cut and start > len(content) / 2:
                return
            if self.path in server.slow:
                self.wfile.flush()
                time.sleep(0.05)
            self.wfile.write(content[start : start + 64])

    def log_message(self, *args):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def left(target):
    """What is there beside the lock."""
    return [path.name for path in target.parent.iterdir() if path.suffix != ".lock"]


def test_a_good_archive_is_there_as_a_whole(server, tmp_path):
    target = tmp_path / "cache" / "set"
    fetch(server.source(), target)
    found = {
        path.relative_to(target).as_posix(): path.read_bytes() for path in target.rglob("*") if path.is_file()
    }
    assert found == {**FILES, "images.csv": CSV}
    assert left(target) == ["set"]


def test_what_is_there_is_not_fetched_again(server, tmp_path):
    source = server.source()
    fetch(source, tmp_path / "set")
    fetch(source, tmp_path / "set")
    assert server.asked == ["/zip", "/csv"]


def test_two_at_once_fetch_it_once(server, tmp_path):
    source = server.source()
    server.slow.add("/csv")
    threads = [threading.Thread(target=fetch, args=(source, tmp_path / "set")) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert server.asked == ["/zip", "/csv"]
    assert left(tmp_path / "set") == ["set"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"train/hat/a.jpg": b"ONE"}, "split 'train'.*sha256"),
        ({"validation/hat/d.jpg": b""}, "split 'validation'.*sha256"),
        ({"train/hat/extra.jpg": b"more"}, "split 'train'.*sha256"),
    ],
)
def test_changed_pictures_are_refused(server, tmp_path, change, message):
    with pytest.raises(DownloadError, match=message):
        fetch(server.source(zipped({**FILES, **change})), tmp_path / "set")
    assert left(tmp_path / "set") == []


def test_missing_pictures_and_a_changed_table_are_refused(server, tmp_path):
    fewer = {name: content for name, content in FILES.items() if name != "train/hat/B.jpg"}
    with pytest.raises(DownloadError, match="split 'train'"):
        fetch(server.source(zipped(fewer)), tmp_path / "set")
    source = server.source()
    server.pages["/csv"] += b"b,2\n"
    with pytest.raises(DownloadError, match=r"images\.csv.*sha256"):
        fetch(source, tmp_path / "set")
    assert left(tmp_path / "set") == []


@pytest.mark.parametrize("path", ["/zip", "/csv"])
@pytest.mark.parametrize("kind", ["length", "chunked"])
def test_cut_off_answers_are_refused(server, tmp_path, path, kind):
    source = server.source(zipped({**FILES, "noise.bin": os.urandom(3000)}))
    server.pages["/csv"] = CSV * 30
    server.cut = {path, kind}
    with pytest.raises(DownloadError, match="cut off" if kind == "length" else "broken|sha256"):
        fetch(source, tmp_path / "set")
    assert left(tmp_path / "set") == []


@pytest.mark.parametrize("content", [b"", b"<html>busy</html>", zipped(FILES)[:-30], zipped(FILES)[60:]])
def test_what_is_no_archive_is_refused(server, tmp_path, content):
    with pytest.raises(DownloadError, match=r"archive is broken|sha256"):
        fetch(server.source(content), tmp_path / "set")
    assert left(tmp_path / "set") == []


def test_an_archive_with_a_wrong_checksum_is_refused(server, tmp_path):
    packed = bytearray(zipped({**FILES, "noise.bin": bytes(range(256)) * 9}))
    packed[packed.index(b"clothing-1196/noise.bin") + 40] ^= 0xFF
    with pytest.raises(DownloadError, match="archive is broken"):
        fetch(server.source(bytes(packed)), tmp_path / "set")


@pytest.mark.parametrize(
    "name", ["../evil.txt", "top/../../evil.txt", "/evil.txt", "top/..\\evil.txt", "C:/evil.txt", "top/a\0b"]
)
def test_members_that_lead_out_are_refused(server, tmp_path, name):
    def plant(bundle):
        info = zipfile.ZipInfo("placeholder")
        info.filename = info.orig_filename = name
        bundle.writestr(info, b"evil")

    with pytest.raises(DownloadError, match="unsafe member"):
        fetch(server.source(zipped(FILES, edit=plant)), tmp_path / "cache" / "set")
    assert not list(tmp_path.rglob("*evil*"))
    assert left(tmp_path / "cache" / "set") == []


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO])
def test_links_and_devices_are_refused(server, tmp_path, kind):
    def plant(bundle):
        info = zipfile.ZipInfo("top/odd")
        info.external_attr = (kind | 0o777) << 16
        bundle.writestr(info, b"/etc/passwd")

    with pytest.raises(DownloadError, match="unsafe member 'top/odd'"):
        fetch(server.source(zipped(FILES, edit=plant)), tmp_path / "set")


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("name", ["README.md", "README.md/below", ".archive.zip"])
def test_a_name_twice_is_refused(server, tmp_path, name):
    packed = zipped(FILES, edit=lambda bundle: bundle.writestr(f"clothing-1196/{name}", b"again"))
    with pytest.raises(DownloadError, match="twice"):
        fetch(server.source(packed), tmp_path / "set")


def test_bombs_are_refused_before_they_are_unpacked(tmp_path, monkeypatch):
    (tmp_path / "many.zip").write_bytes(zipped({f"{number}": b"" for number in range(50)}))
    (tmp_path / "large.zip").write_bytes(zipped({"zeros": bytes(3_000_000)}))
    monkeypatch.setattr(archive, "MAX_FILES", 40)
    monkeypatch.setattr(archive, "MAX_UNPACKED", 2_000_000)
    for name in ("many.zip", "large.zip"):
        with pytest.raises(ArchiveError, match="too much"):
            unpack(tmp_path / name, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_mutated_archives_unpack_inside_or_are_refused(tmp_path):
    rng = np.random.default_rng(0)
    good = np.frombuffer(zipped(FILES), np.uint8)
    refused = 0
    for number in range(300):
        bad = good.copy()
        bad[rng.integers(0, len(bad), 3)] = rng.integers(0, 256, 3)
        place = tmp_path / str(number)
        place.mkdir()
        (place / "zip").write_bytes(bad.tobytes())
        try:
            unpack(place / "zip", place / "out")
        except ArchiveError:
            refused += 1
        assert {path.name for path in place.iterdir()} <= {"zip", "out"}
    assert 50 < refused < 300
    assert len(list(tmp_path.iterdir())) == 300


def test_an_endless_answer_is_stopped(server, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "MAX_BYTES", 100)
    with pytest.raises(DownloadError, match="larger than 100"):
        fetch(server.source(), tmp_path / "set")
    assert left(tmp_path / "set") == []


def test_redirects_stay_on_the_server_or_on_https(server, tmp_path):
    source = server.source()
    server.pages["/moved"] = server.pages["/zip"]
    server.moved["/zip"] = f"{server.address}/moved"
    fetch(source, tmp_path / "good")
    with Server() as other:
        for place in (f"{other.address}/zip", "ftp://127.0.0.1/zip", f"file://{tmp_path}/good/README.md"):
            server.moved["/zip"] = place
            with pytest.raises(DownloadError):
                fetch(source, tmp_path / "bad")
        assert other.asked == []
    assert left(tmp_path / "bad") == ["good"]


@pytest.mark.parametrize(
    "address", ["http://example.invalid/zip", "file:///etc/passwd", "ftp://127.0.0.1/zip"]
)
def test_other_schemes_are_refused(tmp_path, address):
    with pytest.raises(DownloadError, match="not https"):
        download.download(address, tmp_path / "file")
    assert not (tmp_path / "file").exists()


@pytest.mark.parametrize("path", ["/none", "port"])
def test_unreachable_addresses_are_named(server, tmp_path, path):
    address = "http://127.0.0.1:9/zip" if path == "port" else server.address + path
    with pytest.raises(DownloadError, match=f"cannot fetch {address}"):
        download.download(address, tmp_path / "file")


def test_kill_9_leaves_a_temporary_folder_that_the_next_start_sweeps(server, tmp_path):
    source = server.source(zipped({**FILES, "noise.bin": os.urandom(20_000)}))
    server.slow.add("/zip")
    code = "import sys; from pathlib import Path; from fashion_lab.catalogs.download import Source, fetch\n"
    code += f"fetch({source!r}, Path({str(tmp_path / 'set')!r}))"
    environment = {**os.environ, "PYTHONPATH": str(Path(fashion_lab.__file__).parents[1])}
    child = subprocess.Popen([sys.executable, "-c", code], env=environment)
    while not (tmp_path / ".set.building" / ".archive.zip").exists():
        assert child.poll() is None, "the child ended before it could be killed"
        time.sleep(0.01)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert left(tmp_path / "set") == [".set.building"]
    server.slow.clear()
    fetch(source, tmp_path / "set")
    assert left(tmp_path / "set") == ["set"]
    assert (tmp_path / "set" / "train/hat/a.jpg").read_bytes() == b"one"
