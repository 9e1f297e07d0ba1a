import os
from functools import partial
from pathlib import Path

import pytest

from fashion_lab.benchmarks.apart import Apart


def note(path):
    """Write down which process calls, and what it was made in."""
    here = os.getpid()

    def call():
        with path.open("a") as file:
            file.write(f"{here} {os.getpid()}\n")

    return call


def refuse():
    def call():
        raise ValueError("no such picture")

    return call


def test_every_call_is_in_the_same_other_process(tmp_path: Path):
    with Apart(partial(note, tmp_path / "calls")) as way:
        way(), way()
    processes = {int(word) for word in (tmp_path / "calls").read_text().split()}
    assert len((tmp_path / "calls").read_text().splitlines()) == 2
    assert len(processes) == 1
    assert os.getpid() not in processes


def test_what_fails_there_fails_here():
    with pytest.raises(ValueError, match="no such picture"), Apart(refuse) as way:
        way()
