from pathlib import Path

import pytest

from fashion_lab.benchmarks.processes import ROOT, TRAIN, run
from fashion_lab.benchmarks.start import Start
from fashion_lab.benchmarks.step_clock import StepClock
from fashion_lab.benchmarks.timing import seconds

SMALL = [
    "data.products=21",
    "data.views=2",
    "data.size=32",
    "pixels.size=16",
    "backbone=mobilenet",
    "logger=none",
]


NOTHING_IMPORTED = "import sys, time; open(sys.argv[1], 'w').write(repr(time.time()))"


def test_the_way_to_an_answer_and_to_the_first_step(monkeypatch):
    def once(ways, *, rounds):
        return {name: work() for name, work in ways.items()}

    def timed_once(ways, *, rounds):
        return {name: seconds(work) for name, work in ways.items()}

    monkeypatch.setattr("fashion_lab.benchmarks.start.medians", once)
    monkeypatch.setattr("fashion_lab.benchmarks.start.in_turns", timed_once)
    monkeypatch.setattr("fashion_lab.benchmarks.start.IMPORTED", NOTHING_IMPORTED)
    rows = list(Start(rounds=1, overrides=SMALL, demo=False).rows())
    hit = "search with a bundle, first hit"
    assert [row.what for row in rows] == ["--help", "--cfg job", "first training step done", hit]
    assert (rows[-1].theirs, rows[-1].at_least) == (1.5, 1)
    assert all(row.ours > 0 and row.theirs > 0 for row in rows), "a busy machine may turn them round"


def test_the_demo_is_what_the_makefile_runs(monkeypatch, tmp_path):
    commands = []
    monkeypatch.setattr("fashion_lab.benchmarks.start.run", lambda folder, command: commands.append(command))
    from fashion_lab.benchmarks.start import _demo

    (tmp_path / "pixels").mkdir()
    row = _demo(tmp_path)
    assert (row.what, row.theirs) == ("make demo", 180)
    assert commands[0][:3] == ["make", "--no-print-directory", "demo"]
    makefile = (ROOT / "Makefile").read_text()
    for word in commands[0][3:]:
        name = word.partition("=")[0]
        assert f"\n{name} :=" in makefile, f"the Makefile has no {name} to set"


def test_a_command_that_fails_says_what_it_said(tmp_path):
    with pytest.raises(RuntimeError, match="no key of a training"):
        run(tmp_path, [*TRAIN, "+optimiser=adam", f"hydra.run.dir={tmp_path / 'run'}"])


def test_a_step_clock_counts_from_one(tmp_path):
    with pytest.raises(ValueError, match="1 or more"):
        StepClock(path=str(Path(tmp_path, "stamps")), steps=0)
