"""Counts of repeats and `resume=<a sweep's folder>`, as Hydra takes them."""

from pathlib import Path

import pytest
from omegaconf import OmegaConf

from fashion_lab.sweeps.words import MULTIRUN, resume_words, sweep_words


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("stage=siamese", "stage=siamese"),
        ("seeds=5", "-m seed=range(5)"),
        ("optimizer.lr=1,2 -m seeds=1", "-m optimizer.lr=1,2 seed=range(1)"),
        ("seeds=2 x=1 folds=3", "-m x=1 data.folds=3 data.fold=range(3) seed=range(2)"),
        ("--multirun folds=2 seed=7", "-m seed=7 data.folds=2 data.fold=range(2)"),
        ("resume=nowhere", "resume=nowhere"),
    ],
    ids=str,
)
def test_counts_are_written_out(words, expected):
    assert " ".join(sweep_words(words.split())) == expected


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("seeds=0", "seeds=0: give their number, 1 or more; chosen ones are -m seed=0,3,7"),
        ("seeds=", "give their number"),
        ("seeds=-1", "give their number"),
        ("seeds=1,2", "chosen ones are -m seed=0,3,7"),
        (
            "folds=1",
            "folds=1: give their number, 2 or more; chosen ones are -m data.fold=0,3,7 with data.folds=",
        ),
        ("seeds=2 seed=1", "both seed=1 and seeds=2"),
        ("folds=2 data.fold=1", "both data.fold=1 and folds=2"),
        ("folds=2 data.folds=3", "both data.folds=3 and folds=2"),
        ("seeds=2 seeds=3", "seeds=2 and seeds=3: give seeds= once"),
    ],
    ids=str,
)
def test_what_is_no_count_is_said(words, said):
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        sweep_words(words.split())
    assert said in str(caught.value)


@pytest.fixture
def sweep(tmp_path, monkeypatch):
    """A sweep's folder with the words that it was started with."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "my sweep"
    folder.mkdir()
    hydra = ["hydra.mode=MULTIRUN", "hydra.sweep.dir=old", "hydra.verbose=true"]
    overrides = {"hydra": hydra, "task": ["threads=2", "seed=range(5)", "ckpt='a b'"]}
    OmegaConf.save({"hydra": {"overrides": overrides, "run": {"dir": "${gone:}"}}}, folder / MULTIRUN)
    return "my sweep"


def test_a_sweep_goes_on_with_its_own_words(sweep):
    own = ["hydra.verbose=true", "threads=2", "seed=range(5)", "ckpt='a b'"]
    assert sweep_words([f"resume={sweep}"]) == ["-m", *own, f"hydra.sweep.dir='{sweep}'"]
    assert sweep_words([f"resume='{sweep}'", "-m"]) == ["-m", *own, f"hydra.sweep.dir='{sweep}'"]


def test_configs_of_ones_own_are_found_again(sweep, tmp_path):
    saved = OmegaConf.load(Path(sweep) / MULTIRUN)
    mine = {"path": str(tmp_path / "mine"), "schema": "file", "provider": "command-line"}
    saved.hydra.runtime = {"config_sources": [{"path": "conf", "schema": "file", "provider": "main"}, mine]}
    OmegaConf.save(saved, Path(sweep) / MULTIRUN)
    with pytest.raises(ValueError, match=f"--config-dir={tmp_path}/mine, which is not there"):
        sweep_words([f"resume={sweep}"])
    for given in (["--config-dir", "moved"], ["--config-dir=moved"], ["-cd", "moved"]):
        assert sweep_words([f"resume={sweep}", *given])[1:-1][: len(given)] == given
    (tmp_path / "mine").mkdir()
    words = sweep_words([f"resume={sweep}"])
    assert words[:4] == ["-m", "--config-dir", str(tmp_path / "mine"), "hydra.verbose=true"]


def test_only_the_place_may_change(sweep):
    words = sweep_words([f"resume={sweep}", "threads=1", "hydra.sweeper.n_trials=9"])
    assert words[1:4] == ["hydra.verbose=true", "seed=range(5)", "ckpt='a b'"]
    assert words[4:6] == ["threads=1", "hydra.sweeper.n_trials=9"]
    for other in ("optimizer.lr=1", "seeds=3", "seed=0"):
        with pytest.raises(ValueError, match=f"{other} cannot change on resume=my sweep"):
            sweep_words([f"resume={sweep}", other])


def test_the_word_to_go_on_with(sweep, tmp_path):
    assert resume_words(tmp_path / sweep) == "\"resume='my sweep'\""
    assert resume_words(tmp_path) is None


@pytest.mark.parametrize("flag", ["-m", "--multirun"])
def test_the_flag_may_stand_anywhere(flag):
    assert sweep_words(["stage=siamese", flag, "seed=0,1", "x=1"]) == [
        flag,
        "stage=siamese",
        "seed=0,1",
        "x=1",
    ]
