"""Which stage 1 run a repeat of stage 2 starts from, where `ckpt=` names a sweep's folder."""

import json

import pytest
from omegaconf import OmegaConf
from toy_sweeps import run, trainings

from fashion_lab.config import ConfigError
from fashion_lab.sweeps.parents import parent_of


def stage1(folder, seed, fold=None, stage="classifier", **settings):
    """A finished run, as far as a report reads it."""
    (folder / "checkpoints").mkdir(parents=True)
    folds = {} if fold is None else {"folds": 3, "fold": fold}
    OmegaConf.save({"stage": stage, "seed": seed, "data": folds, **settings}, folder / "config.yaml")
    result = {
        "stage": stage,
        "seed": seed,
        "metrics": {"val/accuracy": 0.5},
        "monitor": {"metric": "val/accuracy", "mode": "max"},
        "parameters": 10,
        "seconds": {"total": 1.0},
        "catalog": "toy",
        "classes": ["hat"],
        "splits": {"train": 1},
        "pixels": {"size": 8, "fit": "squash"},
    }
    (folder / "result.json").write_text(json.dumps(result))
    return folder


@pytest.fixture
def sweep(tmp_path):
    for number, (seed, fold) in enumerate([(0, 0), (0, 1), (1, 0), (1, 1)]):
        stage1(tmp_path / "sweep" / str(number), seed, fold)
    stage1(tmp_path / "sweep/9", 0, 0, "siamese")
    return tmp_path / "sweep"


def test_a_teacher_is_found_likewise_and_named_as_what_it_is(sweep):
    assert parent_of("teacher", str(sweep), {"seed": 1, "data.folds": 3, "data.fold": 0}) == str(sweep / "2")
    with pytest.raises(ConfigError, match=r"teacher=.*: no finished stage 1 run with seed=5 in it"):
        parent_of("teacher", str(sweep), {"seed": 5})


def test_the_run_of_the_same_seed_and_fold(sweep):
    for number, (seed, fold) in enumerate([(0, 0), (0, 1), (1, 0), (1, 1)]):
        repeat = {"seed": seed, "data.folds": 3, "data.fold": fold}
        assert parent_of("ckpt", str(sweep), repeat) == str(sweep / str(number))


@pytest.mark.parametrize(
    "repeat",
    [
        {"seed": 2, "data.folds": 3, "data.fold": 0},
        {"seed": 0, "data.folds": 5, "data.fold": 0},
        {"seed": 0},
    ],
    ids=str,
)
def test_a_run_that_is_missing_is_named(sweep, repeat):
    with pytest.raises(ConfigError) as caught:
        parent_of("ckpt", str(sweep), repeat)
    wanted = " ".join(f"{key}={value}" for key, value in repeat.items())
    assert f"no finished stage 1 run with {wanted} in it; there are seed=0 data.folds=3" in str(caught.value)
    assert f"hydra.sweep.dir={sweep}" in str(caught.value)


def test_several_recipes_are_not_guessed_at(sweep):
    stage1(sweep / "5", 0, 1, optimizer={"lr": 1})
    with pytest.raises(
        ConfigError, match=r"2 stage 1 runs with seed=0 data.folds=3 data.fold=1, of different"
    ):
        parent_of("ckpt", str(sweep), {"seed": 0, "data.folds": 3, "data.fold": 1})


def test_a_run_or_a_file_is_itself(sweep, tmp_path):
    for given in (str(sweep / "0"), str(tmp_path / "x.ckpt"), str(tmp_path / "nowhere")):
        assert parent_of("ckpt", given, {"seed": 7}) == given
    (tmp_path / "empty").mkdir()
    assert parent_of("ckpt", str(tmp_path / "empty"), {"seed": 7}) == str(tmp_path / "empty")


def test_two_stages_in_two_commands(tmp_path):
    assert run("seeds=2", "hydra.sweep.dir=one", cwd=tmp_path).returncode == 0
    done = run("stage=siamese", "ckpt=one", "seeds=3", "hydra.sweep.dir=two", cwd=tmp_path)
    assert done.returncode == 1
    assert [words.split()[-1] for _, words in trainings(tmp_path)[2:]] == ["ckpt=one/0", "ckpt=one/1"]
    assert "ckpt=one: no finished stage 1 run with seed=2 in it; there are seed=0; seed=1" in done.out
    assert run("seeds=3", "hydra.sweep.dir=one", cwd=tmp_path).returncode == 0
    assert run("resume=two", cwd=tmp_path).returncode == 0
    assert [words for _, words in trainings(tmp_path)[5:]] == ["seed=2 lr=0.002 ckpt=one/2"]
