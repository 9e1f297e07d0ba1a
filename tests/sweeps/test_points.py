"""Points of a sweep by their settings: what is the same point, who trains it, what is trained again."""

import json
import signal
import time

import pytest
from runs import composed
from toy_sweeps import run, started, trainings

from fashion_lab.config import ConfigError
from fashion_lab.jobs import ERROR
from fashion_lab.sweeps.points import POINT, State, claim, identity, visited

SWEEP = ("-m", "hydra.sweep.dir=sweep")


def test_the_same_point_whatever_the_place(tmp_path):
    here = identity(composed(tmp_path, "threads=1", "logger=none", "cache=a"))
    assert (
        identity(composed(tmp_path / "b", "threads=2", "trainer.accelerator=cpu", "pixels.workers=3")) == here
    )
    for word in ("seed=1", "optimizer.lr=1", "trainer.max_epochs=2", "data.seed=1", "+data.more=1"):
        assert identity(composed(tmp_path, word)) != here, word


def test_a_parent_is_the_same_by_any_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ("stage=siamese", "ckpt=runs/one")
    one = identity(composed(tmp_path, *words))
    assert identity(composed(tmp_path, "stage=siamese", f"ckpt={tmp_path}/runs/two/../one")) == one
    assert identity(composed(tmp_path, "stage=siamese", "ckpt=runs/two")) != one


def test_a_point_keeps_its_number(tmp_path):
    assert [claim(tmp_path, name, []) for name in "abcab"] == ["0", "1", "2", "0", "1"]
    (tmp_path / "7").mkdir()
    assert claim(tmp_path, "d", ["seed=1"]) == "8"
    assert json.loads((tmp_path / "8" / POINT).read_text()) == {"recipe": "d", "overrides": ["seed=1"]}


def test_what_became_of_a_point(tmp_path):
    cfg, folder = composed(tmp_path), tmp_path / "0"
    folder.mkdir()
    for name, expected in {
        None: State.OPEN,
        ERROR: State.OPEN,
        "pruned.txt": State.PRUNED,
        "result.json": State.FINISHED,
    }.items():
        if name is not None:
            (folder / name).touch()
        with visited(folder, cfg, []) as state:
            assert state is expected
            with visited(folder, cfg, []) as other:
                assert other is State.ELSEWHERE
    with (
        pytest.raises(ConfigError, match="holds other settings"),
        visited(folder, composed(tmp_path, "seed=1"), []),
    ):
        pass


def test_seeds_are_a_sweep_with_a_leaderboard(tmp_path):
    done = run("seeds=3", "hydra.sweep.dir=sweep", cwd=tmp_path)
    assert done.returncode == 0, done.err
    assert [folder for folder, _ in trainings(tmp_path)] == ["0", "1", "2"]
    board = (tmp_path / "sweep/leaderboard.md").read_text()
    assert "| 3 | " in board
    assert "±" in board
    assert (tmp_path / "sweep/leaderboard.csv").read_text().startswith("study,")
    assert done.out.rstrip().endswith("leaderboard: sweep/leaderboard.md")


def test_folds_combine_with_seeds_and_more(tmp_path):
    words = ("data=clothing", "data.root=/nowhere", "folds=2", "seeds=2", "optimizer.lr=1e-2,1e-3")
    done = run(*words, "hydra.sweep.dir=sweep", cwd=tmp_path)
    assert done.returncode == 0, done.err
    assert len(set(trainings(tmp_path))) == 8
    points = [json.loads(path.read_text())["overrides"] for path in (tmp_path / "sweep").glob(f"*/{POINT}")]
    ends = sorted(tuple(point[-3:]) for point in points)
    assert ends[:2] == [("data.folds=2", "data.fold=0", "seed=0"), ("data.folds=2", "data.fold=0", "seed=0")]
    board = (tmp_path / "sweep/leaderboard.csv").read_text().splitlines()
    assert len(board) == 3  # two recipes, each over 2 folds and 2 seeds


def test_a_longer_or_reordered_command_trains_only_what_is_new(tmp_path):
    run(*SWEEP, "seed=0,1", "optimizer.lr=1e-2", cwd=tmp_path)
    done = run(*SWEEP, "optimizer.lr=1e-3,1e-2", "seed=2,1,0", "threads=1", cwd=tmp_path)
    assert done.returncode == 0, done.err
    found = trainings(tmp_path)
    assert [folder for folder, _ in found] == ["0", "1", "2", "3", "4", "5"]
    assert len({words for _, words in found}) == 6
    assert done.out.count("done before, val/accuracy 1.0000") == 2


def test_failed_points_are_tried_again(tmp_path):
    done = run(*SWEEP, "seed=0,1,2", cwd=tmp_path, toy="fail=1")
    assert done.returncode == 1
    assert "  python -m fashion_lab.train resume=sweep\n" in done.out
    again = run("resume=sweep", cwd=tmp_path)
    assert again.returncode == 0, again.err
    assert [folder for folder, _ in trainings(tmp_path)] == ["0", "1", "2", "1"]
    assert not list(tmp_path.glob(f"sweep/*/{ERROR}"))
    assert "go on" not in again.out


def test_ctrl_c_says_how_to_go_on(tmp_path):
    done = run(*SWEEP, "seed=0,1,2", cwd=tmp_path, toy="stop=1")
    assert done.returncode == 130
    assert done.out.endswith("\n  python -m fashion_lab.train resume=sweep\n")
    assert run("resume=sweep", cwd=tmp_path).returncode == 0
    assert [folder for folder, _ in trainings(tmp_path)] == ["0", "1", "1", "2"]


def test_a_killed_sweep_goes_on(tmp_path):
    assert run(*SWEEP, "seed=0,1,2", cwd=tmp_path, toy="kill=1").returncode == -signal.SIGKILL
    done = run(*SWEEP, "seed=0,1,2", cwd=tmp_path)
    assert done.returncode == 0, done.err
    assert [folder for folder, _ in trainings(tmp_path)] == ["0", "1", "1", "2"]


def test_two_processes_train_each_point_once(tmp_path):
    first = started([*SWEEP, "seed=0,1,2"], tmp_path, "wait=0")
    while not trainings(tmp_path):
        assert first.poll() is None
        time.sleep(0.05)
    second = run(*SWEEP, "seed=0,1,2,3", cwd=tmp_path)
    assert second.returncode == 0, second.err
    assert "another process trains this point; left to it" in second.out
    (tmp_path / "go").touch()
    _, err = first.communicate()
    assert first.returncode == 0, err
    assert "seed=3" not in err
    assert sorted(words.split()[0] for _, words in trainings(tmp_path)) == [
        "seed=0",
        "seed=1",
        "seed=2",
        "seed=3",
    ]
    assert "| 4 | " in (tmp_path / "sweep/leaderboard.md").read_text()


def test_a_folder_of_another_recipe_is_refused(tmp_path):
    words = (*SWEEP, "hydra.sweep.subdir=one")
    assert run(*words, "seed=0", cwd=tmp_path).returncode == 0
    done = run(*words, "seed=1", cwd=tmp_path)
    assert done.returncode == 1
    assert "sweep/one holds other settings (seed=0)" in done.out


def test_a_sweep_that_grew_goes_on_with_all_of_it(tmp_path):
    assert run(*SWEEP, "seed=0,1", "trainer.max_epochs=1", cwd=tmp_path, toy="fail=1").returncode == 1
    assert run(*SWEEP, "seed=2", "optimizer.lr=1e-3,1e-4", cwd=tmp_path, toy="fail=2").returncode == 1
    tried = len(trainings(tmp_path))
    done = run("resume=sweep", cwd=tmp_path)
    assert done.returncode == 0, done.err
    again = [words.split(" ")[0] for _, words in trainings(tmp_path)[tried:]]
    assert again == ["seed=1", "seed=2", "seed=2"]
    done = run("resume=sweep", cwd=tmp_path, toy="fail=1")
    assert (done.returncode, len(trainings(tmp_path))) == (0, tried + 3)


def test_what_fails_in_one_command_stops_no_other(tmp_path):
    run(*SWEEP, "seed=1", cwd=tmp_path, toy="fail=1")
    run(*SWEEP, "seed=2", "optimizer.lr=1e-3", cwd=tmp_path, toy="fail=2")
    done = run("resume=sweep", cwd=tmp_path, toy="fail=1")
    assert done.returncode == 1
    assert "error: 1 of 1 jobs failed" in done.err
    assert (tmp_path / "sweep/1/result.json").exists()
