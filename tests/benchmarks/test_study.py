import csv
import json
import subprocess
import sys

import pytest

from fashion_lab.benchmarks.rows import Part, Row, Unavailable
from fashion_lab.benchmarks.study import Study

ROWS = [
    Row(what="an epoch", ours=1.0, theirs=9.0, than="before", at_least=8.0),
    Row(what="a start", ours=5.0, theirs=1.0, than="nothing", at_least=1.0),
    Row(what="alone", ours=1234.5, unit="pictures/s"),
]


class Canned(Part):
    """Canned rows."""

    def __init__(self, rows, fails=False):
        self.found, self.fails = rows, fails

    def rows(self):
        yield from self.found
        if self.fails:
            raise Unavailable("no wheels here")


def test_rows_are_printed_kept_tabled_and_drawn(tmp_path, capsys):
    study = Study(tmp_path / "speed")
    assert study.measure("first", Canned(ROWS))
    study.close()
    printed = capsys.readouterr().out
    assert "an epoch: 1 s; before: 9 s; 9 times as good (target 8: met)" in printed
    assert "1 of 2 targets met" in printed
    assert "(target 1: MISSED)" in printed
    table = (tmp_path / "speed/table.md").read_text()
    assert "| an epoch | 1 s | 9 s | before | 9 | 8 met |" in table
    assert "| alone | 1,234 pictures/s |  |  |  |  |" in table
    assert "`python -m fashion_lab.bench parts=[first]`" in table
    assert [float(line["ours"]) for line in csv.DictReader((tmp_path / "speed/table.csv").open())] == [
        1,
        5,
        1234.5,
    ]
    assert (tmp_path / "speed/plot.png").read_bytes().startswith(b"\x89PNG")


def test_parts_that_are_not_measured_again_stay(tmp_path):
    Study(tmp_path).measure("first", Canned(ROWS[:1]))
    later = Study(tmp_path)
    later.measure("second", Canned(ROWS[1:]))
    later.measure("first", Canned(ROWS, fails=True))
    found = json.loads((tmp_path / "results.json").read_text())
    assert {name: len(part["rows"]) for name, part in found.items()} == {"first": 1, "second": 2}
    assert {"command", "when", "seconds", "versions", "git_commit", "hardware"} <= found["first"].keys()


def test_a_part_that_is_not_here_says_why(tmp_path, capsys):
    study = Study(tmp_path)
    assert not study.measure("first", Canned([], fails=True))
    assert "not measured: no wheels here" in capsys.readouterr().out
    assert not (tmp_path / "results.json").exists()


def test_results_that_cannot_be_read_are_not_overwritten(tmp_path):
    (tmp_path / "results.json").write_text('{"first": {"rows": [{"speed": 3}]}}')
    with pytest.raises(ValueError, match=r"results\.json cannot be read .* another out="):
        Study(tmp_path)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["parts=[overhed]"], "did you mean overhead?"),
        (["parts=[]"], "parts=[] measures nothing"),
        (["rounds=0"], "rounds=0: give 1 or more"),
        (["parts=[decode]", 'catalog=["data=folder","data.root=nowhere"]'], "nothing was measured"),
    ],
)
def test_a_part_that_is_misspelt_gets_its_name(words, expected, tmp_path):
    command = [sys.executable, "-m", "fashion_lab.bench", *words, f"out={tmp_path}"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert expected in done.stderr
    assert "Traceback" not in done.stderr
