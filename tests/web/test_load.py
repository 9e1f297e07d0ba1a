"""The load test of experiments/search, in short: it runs, and nothing in it fails."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import store

SCRIPT = Path(__file__).parents[2] / "experiments" / "search" / "load.py"


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")
def test_the_load_test_in_short(home, tmp_path):
    words = ["index=index", "pictures=shop", "clients=8", "seconds=2", "rounds=1", f"out={tmp_path}"]
    done = subprocess.run(
        [sys.executable, SCRIPT, *words],
        cwd=home,
        capture_output=True,
        text=True,
        env=store.environment(home),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads((tmp_path / "load.json").read_text())
    assert result["load"]["errors"] == 0
    assert result["load"]["requests"] > 8
    assert result["load"]["memory_last_third_mb"] < result["load"]["memory_first_third_mb"] + 100
    assert set(result["batching"]) == {"8", "1"}
    assert "**0 errors**" in (tmp_path / "load.md").read_text()


def test_a_socket_says_that_it_is_tcp():
    """Or asyncio keeps small answers back for 40 ms."""
    import socket

    from fashion_lab.web import server

    with server.bound("127.0.0.1", 0, public=False) as listener:
        assert listener.proto == socket.IPPROTO_TCP
