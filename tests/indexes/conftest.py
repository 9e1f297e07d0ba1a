"""Engines to try the contract with, each in its own place, and a Milvus server on loopback."""

import os
import socket
import subprocess
import sys
import time
import uuid

import pytest
from engine_cases import CLUSTER, CLUSTER_TOKEN, CLUSTER_URI, FILE, NEEDS, SERVER, build, cases


@pytest.fixture(scope="session")
def milvus_server(tmp_path_factory):
    """The address of `milvus-lite server`, spoken to over gRPC."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = tmp_path_factory.mktemp("milvus")
    command = [sys.executable, "-m", "milvus_lite", "server", "--data-dir", str(folder / "data")]
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--port", str(port)], stdout=log, stderr=log
        )
    try:
        wait_for(port, server, folder / "log")
        yield f"http://127.0.0.1:{port}"
    finally:
        server.kill()
        server.wait()


def wait_for(port, server, log):
    for _ in range(600):
        assert server.poll() is None, log.read_text()
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise AssertionError(log.read_text())


@pytest.fixture(params=cases())
def settings(request, tmp_path, tmp_path_factory):
    """An engine's name and options, complete: what another process needs to know of it."""
    stem, options = request.param
    if stem in NEEDS:
        pytest.importorskip(NEEDS[stem], reason=f"engine={stem} needs the extra {stem}")
    options = dict(options)
    if stem == "milvus":
        options["collection"] = f"test_{uuid.uuid4().hex[:12]}"
        if options["uri"] == FILE:  # one for all tests would be quicker, but a file is one process's
            options["uri"] = str(tmp_path / "milvus.db")
        elif options["uri"] == SERVER:
            options["uri"] = request.getfixturevalue("milvus_server")
        elif options["uri"] == CLUSTER:
            options["uri"] = os.environ[CLUSTER_URI]
            options["token_from"] = CLUSTER_TOKEN if CLUSTER_TOKEN in os.environ else None
    return stem, options


@pytest.fixture
def make(settings):
    """Builds engines with the same settings, as another start of a program would."""
    made = []

    def another():
        made.append(build(*settings))
        return made[-1]

    yield another
    for index in made:
        tidy(index)


def tidy(index):
    server = getattr(index, "_server", None)
    if server is not None:
        for own in server.collections(index._name):
            server.drop(own)
    index.close()


@pytest.fixture
def index(make):
    return make()
