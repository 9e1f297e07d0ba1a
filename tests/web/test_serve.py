"""The verb `serve` in a process of its own: fault W11, addresses, signals, a changing index."""

import re
import signal
import socket
import subprocess
import sys
import time

import httpx
import pytest
import store

READY = re.compile(r"^serving (http://\S+)/ \(Ctrl-C ends it\)$")


def command(home, verb, *words):
    return subprocess.run(
        line(verb, *words),
        cwd=home,
        capture_output=True,
        text=True,
        env=store.environment(home),
        timeout=100,
    )


def line(verb, *words):
    return [sys.executable, "-m", f"fashion_lab.{verb}", *words]


class Serving:
    """A running server; `before` is run in its process first."""

    def __init__(self, home, *words, before=""):
        script = f"import runpy, sys; {before}\nrunpy.run_module('fashion_lab.serve', run_name='__main__')"
        self.process = subprocess.Popen(
            [sys.executable, "-c", script, "index=index", "port=0", *words],
            cwd=home, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=store.environment(home),
        )  # fmt: skip
        said = self.process.stdout.readline().strip()
        assert READY.match(said), said + self.process.stderr.read()
        self.address = READY.match(said)[1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()

    def end(self, number):
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=20)
        return self.process.returncode, out, err


def test_it_serves_and_follows_its_index(home):
    before = {path.name for path in home.iterdir()}
    with Serving(home, "ckpt=run", "reload_seconds=0.1") as serving:
        health = httpx.get(f"{serving.address}/healthz").json()
        assert (health["status"], health["items"]) == ("ok", 12)
        assert "Find what looks like" in httpx.get(f"{serving.address}/").text
        files = {"picture": store.picture()}
        assert len(httpx.post(f"{serving.address}/api/search", files=files).json()["hits"]) == 5
        done = command(home, "index", "ckpt=run", "data=folder", "data.root=shop", "split=train", "out=index")
        assert done.returncode == 0, done.stderr
        store.wait_for(lambda: httpx.get(f"{serving.address}/healthz").json()["items"] < 12)
        code, out, err = serving.end(signal.SIGINT)
    assert (code, out) == (130, "")
    assert "Traceback" not in err
    assert {path.name for path in home.iterdir()} - {"outputs"} == before - {"outputs"}


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_w11_signals_end_it_at_once_also_with_clients_that_hang(home, number, code):
    """W11."""
    with Serving(home) as serving:
        host, port = serving.address.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as hanging:
            hanging.sendall(
                b"POST /api/search HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n"
                b"Content-Type: multipart/form-data; boundary=b\r\n\r\n--b"
            )
            httpx.get(f"{serving.address}/healthz")
            start = time.monotonic()
            ended, _, err = serving.end(number)
    assert ended == code
    assert "Traceback" not in err
    assert time.monotonic() - start < 10


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_w11_a_signal_while_it_loads(home, number, code):
    """W11: a large index takes its time."""
    script = (
        "import runpy, sys, time; from fashion_lab.visual_search import VisualSearch\n"
        "VisualSearch.load = lambda *_, **__: (print('loading', flush=True), time.sleep(60))\n"
        "sys.argv = ['serve', 'index=index', 'port=0']\n"
        "runpy.run_module('fashion_lab.serve', run_name='__main__')"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script], cwd=home, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "loading\n"
    process.send_signal(number)
    _, err = process.communicate(timeout=20)
    assert process.returncode == code
    assert "Traceback" not in err


def test_w11_a_reader_that_has_seen_enough(home):
    """W11: `serve | head -1` goes on serving."""
    with Serving(home) as serving:
        serving.process.stdout.close()
        assert httpx.get(f"{serving.address}/healthz").status_code == 200
        serving.process.send_signal(signal.SIGINT)
        assert serving.process.wait(20) == 130


REFUSED = {
    "index= is missing": [],
    "no index at nowhere": ["index=nowhere"],
    "no index at shop": ["index=shop"],
    "no index at größe ✂": ["index='größe ✂'"],
    "ckpt=nowhere": ["index=index", "ckpt=nowhere"],
    "port=x: give a number": ["index=index", "port=x"],
    "port=70000: give a number": ["index=index", "port=70000"],
    "host=no.such.host.invalid is no address": ["index=index", "host=no.such.host.invalid", "public=true"],
    "host=0.0.0.0 lets other machines in": ["index=index", "host=0.0.0.0"],
    "host=:: lets other machines in": ["index=index", "host='::'"],
    "sample=0: give 1 to 200": ["index=index", "sample=0"],
    "upload.max_mb=0: give": ["index=index", "upload.max_mb=0"],
    "upload.max_megapixels=50: give": ["index=index", "upload.max_megapixels=50"],
    "batch.size=0: give 1 or more": ["index=index", "batch.size=0"],
    "prot": ["index=index", "prot=1"],
}


@pytest.mark.parametrize("message", REFUSED)
def test_w11_what_cannot_work_is_one_line(home, message):
    """W11: a line, exit code 1, no traceback."""
    done = command(home, "serve", *REFUSED[message])
    assert done.returncode == 1
    assert done.stdout == ""
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) <= 2


def test_w11_a_port_in_use(home):
    """W11."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = command(home, "serve", "index=index", f"port={port}")
    assert done.returncode == 1
    assert (
        f"cannot listen on 127.0.0.1, port {port}: Address already in use; choose another port="
        in done.stderr
    )


def test_w11_without_the_extra(home):
    """W11: what is missing and how to get it."""
    code = (
        "import sys, runpy; sys.modules['uvicorn'] = None; sys.argv = ['serve', 'index=index']\n"
        "runpy.run_module('fashion_lab.serve', run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=home,
        capture_output=True,
        text=True,
        env=store.environment(home),
    )
    assert done.returncode == 1
    assert "serve needs uvicorn of the extra web: pip install 'fashion_lab[web]'" in done.stderr


def test_help_is_light():
    code = (
        "import sys, runpy; sys.argv = ['serve', '--help']\n"
        "try: runpy.run_module('fashion_lab.serve', run_name='__main__')\nexcept SystemExit: pass\n"
        "sys.exit(bool({'torch', 'fastapi', 'numpy'} & {*sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "reload_seconds" in done.stdout


def test_w8_a_public_bind_says_what_it_opens(home):
    """W8: no login, who comes in, what they see; on stderr."""
    with Serving(home, "host=0.0.0.0", "public=true") as serving:
        port = serving.address.rsplit(":", 1)[1]
        assert httpx.get(f"http://127.0.0.1:{port}/healthz").status_code == 200
        assert httpx.get(f"http://127.0.0.1:{port}/healthz", headers={"host": "10.0.0.7"}).status_code == 200
        assert httpx.get(f"http://127.0.0.1:{port}/healthz", headers={"host": "evil.com"}).status_code == 421
        _, _, err = serving.end(signal.SIGINT)
    assert "open to every machine that reaches this one. There is no login" in err
    assert "items of folder with ids" in err


def test_w10_nothing_is_left_after_a_kill(home, tmp_path):
    """W10: not even temporary files."""
    with Serving(home, f"hydra.run.dir={home}") as serving:
        before = store.listing(home)
        files = {"picture": store.picture(size=(2000, 2000))}
        for _ in range(5):
            assert httpx.post(f"{serving.address}/api/search", files=files).status_code == 200
        serving.process.kill()
        serving.process.wait()
        assert store.listing(home) == before


def test_a_bundle_is_served_without_torch(toy_home, tmp_path):
    bundle, data = (
        f"ckpt={toy_home / 'siamese-bundle'}",
        ("data=synthetic", "data.products=21", "data.views=2"),
    )
    done = command(tmp_path, "index", bundle, *data, "data.size=64", "out=index")
    assert done.returncode == 0, done.stderr
    absent = ("torch", "torchvision", "pytorch_lightning", "tensorboard", "matplotlib", "scipy", "onnx")
    with Serving(tmp_path, bundle, before=f"sys.modules.update(dict.fromkeys({absent}))") as serving:
        files, wanted = {"picture": store.picture()}, {"classes": "yes"}
        answer = httpx.post(f"{serving.address}/api/search", files=files, data=wanted).json()
        assert len(answer["hits"]) == 5
        assert len(answer["classes"]) == 3
        hit = httpx.get(f"{serving.address}{answer['hits'][0]['picture']}")
        assert hit.headers["content-type"] == "image/jpeg"
