"""The verb: its command line, what it prints and what it refuses. What it computes is in test_studies.py."""

import json
import os
import subprocess
import sys
import time

import hydra
import pytest
from test_studies import lr_grid, save_run

from fashion_lab.commandline import as_text, quoted, shown, with_key
from fashion_lab.config import CONF

ODD_NAMES = [
    "outputs/classifier",
    "with space",
    "a,b",
    "lr=0.1",
    "it's",
    'say "x"',
    "[list]",
    "{brace}",
    "(1)",
    "back\\slash",
    "back\\'quote",
    "end\\",
    "007",
    "null",
    "${x}",
    "~home",
    "ünï",
    "a:b",
    "",
]


def report(*words, cwd, expect=0):
    command = [sys.executable, "-m", "fashion_lab.report", *map(str, words)]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    assert done.returncode == expect, f"{command}\n{done.stdout}\n{done.stderr}"
    return done


@pytest.mark.parametrize("name", ODD_NAMES)
def test_hydra_reads_quoted_words_as_they_are(name):
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = hydra.compose("report", [f"runs=[{quoted(name)},{quoted(name)}]"])
    assert list(cfg.runs) == [name, name]


def test_words_become_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lr=0.1").mkdir()
    assert with_key(["a", "format=csv", "b c"], "runs") == ["format=csv", "runs=['a','b c']"]
    assert with_key(["lr=0.1"], "runs") == ["runs=['lr=0.1']"]
    assert with_key(["--cfg", "job"], "runs") == ["--cfg", "job"]
    assert with_key(["--help"], "runs") == ["--help"]
    assert with_key(["a", "-c", "job"], "runs") == ["-c", "job", "runs=['a']"]
    assert with_key(["runs=[a]"], "runs") == ["runs=[a]"]
    with pytest.raises(ValueError, match="both a and runs= are given"):
        with_key(["a", "runs=[b]"], "runs")


@pytest.mark.parametrize("name", ODD_NAMES)
def test_texts_arrive_as_they_were_typed(name):
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = hydra.compose("report", as_text([f"baseline={name}"], ["baseline"]))
    expected = None if name in ("null", "") else name
    assert (cfg.baseline or None) == expected


def test_only_plain_texts_are_quoted():
    words = ["baseline=lr=0.1", "baseline='a b'", "baseline=null", "format=csv", "a b", "--help"]
    assert as_text(words, ["baseline"]) == ["baseline='lr=0.1'", *words[1:]]


def test_a_command_to_type_survives_the_shell():
    assert (
        shown("resume", "outputs/classifier/2026-01-01_00-00-00")
        == "resume=outputs/classifier/2026-01-01_00-00-00"
    )
    line = shown("runs", "it's a=b")
    assert subprocess.run(f"printf %s {line}", shell=True, capture_output=True, text=True).stdout == (
        f"runs={quoted('it' + chr(39) + 's a=b')}"
    )


def test_the_folder_alone_is_enough(tmp_path):
    lr_grid(tmp_path / "outputs/some runs, lr=all")
    text = report("outputs/some runs, lr=all", cwd=tmp_path).stdout
    assert "0.9100 ± 0.0248" in text
    assert "optimizer.lr" in text
    assert sorted(path.name for path in tmp_path.iterdir()) == ["outputs"]  # leaves nothing behind


def test_keys_as_in_every_verb(tmp_path):
    lr_grid(tmp_path / "outputs")
    assert json.loads(report("format=json", cwd=tmp_path).stdout)["studies"]
    done = report("runs=[outputs]", "format=markdown", "out=table.md", "metrics=[val/accuracy]", cwd=tmp_path)
    assert done.stdout == "6 runs: table.md\n"
    assert (tmp_path / "table.md").read_text().startswith("**classifier")


def test_compared_and_drawn(tmp_path):
    lr_grid(tmp_path / "outputs")
    done = report("outputs", "baseline=optimizer.lr=0.01", "plot=a, b.png", cwd=tmp_path)
    assert "+0.0800 ±" in done.stdout
    assert done.stderr == "plot: a, b.png\n"
    assert (tmp_path / "a, b.png").stat().st_size > 10_000


def test_a_baseline_elsewhere_is_read_too(tmp_path):
    lr_grid(tmp_path / "outputs")
    save_run(tmp_path / "first", 0.5, config={"optimizer.lr": 7})
    found = json.loads(report("outputs", "baseline=first", "format=json", cwd=tmp_path).stdout)
    assert found["studies"][0]["baseline"] == "lr=7"
    assert len(found["studies"][0]["rows"]) == 3


def test_several_studies_are_told_where_the_file_is(tmp_path):
    save_run(tmp_path / "a", 0.8)
    save_run(tmp_path / "b", 0.9, stage="siamese")
    done = report(".", "format=csv", "out=table.csv", cwd=tmp_path)
    assert done.stdout == "2 runs: table.csv (2 tables: not comparable, they differ in stage)\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere"], "nowhere does not exist"),
        (["empty"], "no run below empty; train one: python -m fashion_lab.train"),
        (["runs", "format=xml"], "format=xml: choose one of table, markdown, csv, json"),
        (["runs", "metrics=[val/acuracy]"], "did you mean val/accuracy?"),
        (["runs", "out=no/such/folder.md"], "give a file in a folder that exists"),
        (["runs", "plot=plot.docx"], "give a file that ends in .png, .pdf, .svg"),
        (["runs", "baseline=lr=2"], "baseline=lr=2: no recipe is called so"),
        (["runs", "split=test"], "split=test: no run was evaluated on it"),
        (["runs", "formt=csv"], "did you mean format?"),
        (["runs", "runs=[empty]"], "name all folders in one way"),
    ],
    ids=str,
)
def test_what_cannot_work_is_one_line(words, said, tmp_path):
    (tmp_path / "empty").mkdir()
    save_run(tmp_path / "runs/a", 0.8)
    done = report(*words, cwd=tmp_path, expect=1)
    assert said in done.stderr
    assert done.stderr.startswith("error: ")
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == ""


def test_help_is_quick_and_nothing_heavy_is_imported(tmp_path):
    save_run(tmp_path / "a", 0.8)
    code = (
        "import sys, runpy; sys.argv = ['report', *sys.argv[1:]]\n"
        "try: runpy.run_module('fashion_lab.report', run_name='__main__')\n"
        "except SystemExit: pass\n"
        "print([m for m in ('torch', 'pytorch_lightning', 'torchvision', 'matplotlib') if m in sys.modules])"
    )
    for words in ("--help", str(tmp_path)):
        started = time.perf_counter()
        command = [sys.executable, "-c", code, words]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=dict(os.environ))
        print(f"{words}: {time.perf_counter() - started:.1f} s")
        assert done.stdout.endswith("[]\n"), done.stdout + done.stderr
