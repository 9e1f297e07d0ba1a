"""Sweeps through the command line, all their jobs in one process each; what stays of a job that fails."""

import json
import subprocess
import sys

import programs
import pytest
from runs import TINY, composed

from fashion_lab.check import check
from fashion_lab.config import ConfigError
from fashion_lab.jobs import ERROR

ONE_EPOCH = (*TINY, "trainer=smoke", "trainer.max_epochs=1", "logger=none")


TOY = """
import sys
import fashion_lab.train  # whose resolvers the config asks for
from fashion_lab.config import launch

class Model:
    alive = 0
    def __init__(self):
        Model.alive += 1
    def __del__(self):
        Model.alive -= 1

def task(cfg):
    print("alive:", Model.alive)
    model = Model()
    if cfg.seed == 1:
        raise RuntimeError("out of memory")
    if cfg.seed == 2:
        raise KeyboardInterrupt
    if cfg.seed == 3:
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt:
            sys.exit(1)  # as Lightning does

launch(task, "train", lambda sweeps: print("table of", *sweeps))
"""


def toy(*words, cwd):
    command = [sys.executable, "-c", TOY, *words]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True)


def train(*words, cwd):
    return programs.run("fashion_lab.train", *words, cwd=cwd)


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    """Seeds 1 and 0 of a recipe that works and of one that fails."""
    folder = tmp_path_factory.mktemp("sweep")
    done = train(
        "-m",
        *ONE_EPOCH,
        "backbone.width=0.5,0",
        "seed=1,0",
        "hydra.sweep.dir=sweep",
        cwd=folder,
    )
    return folder / "sweep", done


def test_a_failed_job_does_not_stop_the_others(sweep):
    folder, done = sweep
    finished = sorted(path.parent.name for path in folder.glob("*/result.json"))
    assert finished == ["0", "1"], done.stdout + done.stderr
    assert sorted(path.parent.name for path in folder.glob(f"*/{ERROR}")) == ["2", "3"]
    assert done.returncode == 1


def test_the_sweep_ends_with_its_table_and_a_count(sweep):
    _, done = sweep
    end = done.stdout[done.stdout.index("\nsweep: sweep\n") :]
    assert "val/accuracy" in end
    assert "±" in end  # two seeds
    assert "sweep/2" in end
    assert "backbone.width=0 seed=1" in end
    assert done.stderr.splitlines()[-1] == f"error: 2 of 4 jobs failed; each one's {ERROR} says where"
    assert "Traceback" not in done.stdout + done.stderr


def test_the_reason_is_kept_with_its_traceback(sweep):
    folder, done = sweep
    first, _, rest = (folder / "2" / ERROR).read_text().partition("\n")
    assert first.startswith("backbone.width is 0")
    assert "Traceback" in rest
    assert f"failed: {first}" in done.stdout


def test_what_is_not_for_users_keeps_its_traceback(tmp_path):
    done = toy("seed=1", "hydra.run.dir=run", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.endswith("RuntimeError: out of memory\n")
    assert (tmp_path / "run" / ERROR).read_text().startswith("RuntimeError: out of memory\n\nTraceback")
    assert toy("seed=0", "hydra.run.dir=run", cwd=tmp_path).returncode == 0
    assert not (tmp_path / "run" / ERROR).exists()


def test_a_failed_job_holds_no_memory(tmp_path):
    done = toy("-m", "seed=1,1,0", "hydra.sweep.dir=sweep", cwd=tmp_path)
    assert done.stdout.count("alive: 0") == 3, done.stdout
    assert done.stdout.endswith("table of sweep\n")
    assert done.stderr.splitlines()[-1].startswith("error: 2 of 3 jobs failed")


@pytest.mark.parametrize("seed", [2, 3])
def test_ctrl_c_ends_a_sweep_with_its_table(seed, tmp_path):
    done = toy("-m", f"seed=0,{seed},0", "hydra.sweep.dir=sweep", cwd=tmp_path)
    assert done.returncode == 130
    assert done.stdout.count("alive:") == 2
    assert done.stdout.endswith("table of sweep\n")


def test_a_word_that_no_job_understands_stops_the_sweep_before_its_first_job(tmp_path):
    done = toy("-m", "optimizer=adamw,adan", "hydra.sweep.dir=sweep", cwd=tmp_path)
    assert done.returncode == 1
    assert "alive:" not in done.stdout
    assert "optimizer/adan'; there are adam, adamw; did you mean" in done.stderr


def test_a_job_in_a_sweep_is_the_same_as_alone(sweep, tmp_path):
    """Seed 0 came after seed 1 in the same process; nothing of that may be left (digest of the weights)."""
    from fashion_lab.checkpoint import digest, read

    folder, _ = sweep
    words = (*ONE_EPOCH, "seed=0", "backbone.width=0.5", "hydra.run.dir=alone")
    done = train(*words, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    alone = read(tmp_path / "alone/checkpoints/best.ckpt")["state_dict"]
    within, other = (read(folder / name / "checkpoints/best.ckpt")["state_dict"] for name in "10")
    assert json.loads((folder / "1/result.json").read_text())["seed"] == 0
    assert digest(within) == digest(alone)
    assert digest(other) != digest(alone)


def test_sweep_seeds_is_three_seeds(tmp_path):
    """`-m sweep=seeds` is three jobs; each fails before anything is imported."""
    done = train("-m", "sweep=seeds", "batch_size=0", "hydra.sweep.dir=sweep", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("error: 3 of 3 jobs failed")
    seeds = [line for line in done.stdout.splitlines() if "batch_size=0;" in line and "seed=" in line]
    assert len(seeds) == 3, done.stdout


def test_what_a_sweep_cannot_do_is_said(tmp_path):
    cfg = composed(tmp_path, f"resume={tmp_path}")
    with pytest.raises(ConfigError, match=r"resume=.* in a sweep"):
        check(cfg, multirun=True)
