"""`resume=<a sweep's folder>`: the command lines that a sweep was started with."""

from pathlib import Path

import pytest

from fashion_lab.sweeps.commands import commands, remember, resume_word

OWN = ["hydra.verbose=true", "threads=2", "seed=range(5)", "ckpt='a b'"]


@pytest.fixture
def sweep(tmp_path, monkeypatch):
    """A sweep's folder that knows what it was started with."""
    monkeypatch.chdir(tmp_path)
    remember(Path("my sweep"), ["-m", *OWN, "hydra.sweep.dir=old"])
    return "my sweep"


def test_a_sweep_goes_on_with_its_own_words(sweep):
    expected = [["-m", *OWN, f"hydra.sweep.dir='{sweep}'"]]
    assert commands([f"resume={sweep}"]) == expected
    assert commands([f"resume='{sweep}'", "-m"]) == expected


def test_a_sweep_that_grew_goes_on_with_all_of_it(sweep):
    for words in (["-m", "x=1,2"], ["-m", "threads=1", "x=1,2"], ["-m", "hydra.sweep.dir=old", *OWN]):
        remember(Path(sweep), words)
    assert [line[1:-1] for line in commands([f"resume={sweep}"])] == [OWN, ["x=1,2"]]


def test_another_command_is_its_own(sweep):
    assert commands(["seeds=2", "x=1"]) == [["-m", "x=1", "seed=range(2)"]]
    assert commands(["resume=nowhere"]) == [["resume=nowhere"]]


def test_configs_of_ones_own_are_found_again(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    remember(Path("sweep"), ["-m", "--config-dir", "mine", "+try=a,b"])
    with pytest.raises(ValueError, match=f"--config-dir={tmp_path}/mine, which is not there"):
        commands(["resume=sweep"])
    Path("moved").mkdir()
    moved = ["-m", "--config-dir", f"{tmp_path}/moved", "+try=a,b", "hydra.sweep.dir=sweep"]
    for given in (["--config-dir", "moved"], ["--config-dir=moved"], ["-cd", "moved"]):
        assert commands(["resume=sweep", *given]) == [moved]
    Path("mine").mkdir()
    assert commands(["resume=sweep"])[0][:3] == ["-m", "--config-dir", f"{tmp_path}/mine"]


def test_only_the_place_may_change(sweep):
    (words,) = commands([f"resume={sweep}", "threads=1", "hydra.sweeper.n_trials=9"])
    assert words[1:4] == ["hydra.verbose=true", "seed=range(5)", "ckpt='a b'"]
    assert words[4:6] == ["threads=1", "hydra.sweeper.n_trials=9"]
    for other in ("optimizer.lr=1", "seeds=3", "seed=0"):
        with pytest.raises(ValueError, match=f"{other} cannot change on resume=my sweep"):
            commands([f"resume={sweep}", other])


def test_the_word_to_go_on_with(sweep, tmp_path):
    assert resume_word(tmp_path / sweep) == "\"resume='my sweep'\""
    assert resume_word(tmp_path) is None
