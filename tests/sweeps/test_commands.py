"""`resume=<a sweep's folder>`: the command lines that a sweep was started with."""

from pathlib import Path

import programs
import pytest

from fashion_lab.sweeps.commands import check_resume, commands, remember, resume_word

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


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        (["0/config.yaml"], "give the whole one with hydra.sweep.dir="),
        (["notes.txt"], "neither a run nor a sweep"),
        ([], "no such folder"),
    ],
)
def test_what_is_no_run_is_left_as_it_is(tmp_path, files, reason):
    folder = tmp_path / "run"
    plant(folder, *files)
    done = programs.run("fashion_lab.train", f"resume={folder}", cwd=tmp_path)
    assert done.returncode != 0
    assert reason in done.stderr
    assert [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()] == files


@pytest.mark.parametrize(
    "name", ["config.yaml", ".hydra/config.yaml", "checkpoints/last.ckpt", "result.json"]
)
def test_any_file_of_a_run_makes_a_folder_one(tmp_path, name):
    plant(tmp_path, name)
    check_resume([f"resume='{tmp_path}'"])
    check_resume([f"resume={tmp_path / name}"])


def test_nothing_and_a_known_sweep_need_no_run(sweep):
    for words in (["seed=1"], ["resume=null"], [f"resume={sweep}"]):
        check_resume(words)


def plant(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


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
