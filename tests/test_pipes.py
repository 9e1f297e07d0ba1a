"""W11: what a verb does when nobody reads its output any more, as after `| head -1`."""

import os
import subprocess
import sys

import pytest

PRELUDE = "import os\nfrom rich.console import Console\nfrom fashion_lab.config import launch\n"
VERB = PRELUDE + "def verb(cfg):\n    {}\nlaunch(verb, 'search')"
BUFFERED = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}


def run(code: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a verb whose reader has gone before it starts."""
    read, write = os.pipe()
    os.close(read)
    try:
        command = [sys.executable, "-c", VERB.format(code), *words]
        return subprocess.run(command, stdout=write, stderr=subprocess.PIPE, text=True, env=BUFFERED)
    finally:
        os.close(write)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("print('short, written at the end')", []),
        ("print('x' * 1_000_000)", []),
        ("Console().print('x')", []),
        ("pass", ["--help"]),
        ("print('x', flush=True)", ["-m", "k=1,2", "hydra.sweep.dir=.", "hydra/hydra_logging=none"]),
        (
            "import logging; logging.getLogger().warning('x')",
            ["hydra.job_logging.handlers.console.stream=ext://sys.stdout"],
        ),
    ],
)
def test_w11_a_reader_that_has_gone(code, words, tmp_path, monkeypatch):
    """W11: exit code 141, not a word."""
    monkeypatch.chdir(tmp_path)
    done = run(code, *words)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("print('x'); raise ValueError('a picture is missing')", "error: a picture is missing\n"),
        ("raise BrokenPipeError('of a worker')", "BrokenPipeError: of a worker\n"),
    ],
)
def test_another_fault_is_told_all_the_same(code, said):
    command = [sys.executable, "-c", VERB.format(code)]
    done = run(code) if "print" in code else subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.endswith(said)
