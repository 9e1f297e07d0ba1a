"""Sweeps of real trainings: what was killed ends bitwise as if nobody had; two stages, repeated."""

import json
import shutil
import signal
import subprocess
import sys
import time

import programs
import pytest
from runs import TINY

from fashion_lab.checkpoint import digest, read
from fashion_lab.jobs import PRUNED

EPOCHS = 6  # enough to be cut short in
WORDS = (*TINY, f"trainer.max_epochs={EPOCHS}", "logger=none", "~callbacks.dashboard")


def started(*words, cwd):
    command = [sys.executable, "-m", "fashion_lab.train", *words]
    return subprocess.Popen(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def train(*words, cwd):
    done = programs.run("fashion_lab.train", *words, cwd=cwd)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def weights(folder):
    return digest(read(folder / "checkpoints/last.ckpt")["state_dict"])


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    train("seeds=2", *WORDS, "hydra.sweep.dir=sweep", cwd=folder)
    return folder / "sweep"


def interrupted(number, run, *words, cwd):
    """Start, and send a signal when a run has its first checkpoint."""
    process = started(*words, cwd=cwd)
    last = cwd / "sweep" / run / "checkpoints/last.ckpt"
    while not last.exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    process.send_signal(number)
    out, _ = process.communicate()
    assert read(last)["epoch"] < EPOCHS - 1, "it was over before it was interrupted"
    return process.returncode, out


def test_an_interrupted_sweep_ends_as_if_it_had_not_been(whole, tmp_path):
    words = ("seeds=2", *WORDS, "hydra.sweep.dir=sweep")
    code, _ = interrupted(signal.SIGKILL, "0", *words, cwd=tmp_path)
    assert code == -signal.SIGKILL
    code, out = interrupted(signal.SIGINT, "1", "resume=sweep", cwd=tmp_path)
    assert code == 130
    assert out.endswith("\n  python -m fashion_lab.train resume=sweep\n")
    assert "sweep/0: done before" in train(*words, cwd=tmp_path)
    for name in "01":
        assert weights(tmp_path / "sweep" / name) == weights(whole / name)
        results = [
            json.loads((folder / name / "result.json").read_text()) for folder in (whole, tmp_path / "sweep")
        ]
        assert results[0]["metrics"] == results[1]["metrics"]
    assert not (tmp_path / "sweep/2").exists()


def test_code_that_a_recipe_trusts_is_trusted_when_it_goes_on(tmp_path):
    """A try's file may say `trusted:`; the checkpoint's own word for it never counts."""
    (tmp_path / "odd.py").write_text(
        "import pytorch_lightning as pl\n\n\nclass Odd(pl.Callback):\n    pass\n"
    )
    (tmp_path / "mine/try").mkdir(parents=True)
    (tmp_path / "mine/try/odd.yaml").write_text(
        "# @package _global_\ntrusted: [odd]\ncallbacks: {odd: {_target_: odd.Odd}}\n"
    )
    words = ("--config-dir", "mine", "-m", "+try=odd", *WORDS, "hydra.sweep.dir=sweep")
    interrupted(signal.SIGKILL, "0", *words, cwd=tmp_path)
    train("resume=sweep", cwd=tmp_path)
    assert (tmp_path / "sweep/0/result.json").exists()


def test_each_repeat_of_stage_2_starts_from_its_own_stage_1(whole, tmp_path):
    train(
        "seeds=2",
        *WORDS,
        "stage=siamese",
        "trainer=smoke",
        f"ckpt={whole}",
        "hydra.sweep.dir=two",
        cwd=tmp_path,
    )
    for name in "01":
        parent = json.loads((tmp_path / "two" / name / "result.json").read_text())["parent"]["path"]
        assert parent == str(whole / name / "checkpoints/best.ckpt")
    assert "| 2 | " in (tmp_path / "two/leaderboard.md").read_text()  # one recipe, two repeats


def test_a_damaged_point_is_trained_anew(whole, tmp_path):
    folder = shutil.copytree(whole, tmp_path / "sweep") / "0"  # a sweep may move
    (folder / "result.json").unlink()
    for path in (folder / "checkpoints").iterdir():
        path.write_bytes(b"cut off")
    assert "trained anew" in train("resume=sweep", cwd=tmp_path)
    assert weights(folder) == weights(whole / "0")


def test_a_search_gives_up_a_training(tmp_path):
    pytest.importorskip("optuna")
    out = train(
        *("-m", "sweep=optuna", *WORDS, "trainer.max_epochs=3", "hydra.sweep.dir=sweep"),
        *("hydra.sweeper.space=null", "optimizer.lr=choice(1e-9,6e-3)", "hydra.sweeper.n_trials=6"),
        "hydra.sweeper.pruner={startup: 1, warmup: 1}",
        cwd=tmp_path,
    )
    pruned = [path.read_text() for path in (tmp_path / "sweep").glob(f"*/{PRUNED}")]
    finished = list((tmp_path / "sweep").glob("*/result.json"))
    assert len(pruned) + len(finished) == 2, out  # a point that is drawn again is not trained again
    assert finished
    assert all(text.startswith("val/accuracy 0.") and "of 3" in text for text in pruned)
