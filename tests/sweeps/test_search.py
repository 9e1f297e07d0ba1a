"""Searches with Optuna: draws, totals, failures, pruning, and going on; trainings here take no time."""

import logging
import math
import signal

import pytest
from hydra.core.utils import JobReturn, JobStatus
from toy_sweeps import run, trainings

from fashion_lab.config import ConfigError
from fashion_lab.jobs import PRUNED, Pruned
from fashion_lab.sweeps.space import Choices, Span
from fashion_lab.sweeps.trials import TRIAL, current_trial

optuna = pytest.importorskip("optuna")
from fashion_lab.sweeps.search import Search  # noqa: E402
from fashion_lab.sweeps.study import STUDY, held_study, load_study  # noqa: E402

SPACE = {
    "lr": Span(1e-4, 1.0, log=True),
    "depth": Span(1, 4),
    "width": Span(0.5, 2.0, step=0.25),
    "loss": Choices(("a", "'b c'")),
}


def search(**changed):
    given = {
        "words": ["stage=x"],
        "recipe": "r",
        "space": SPACE,
        "metric": "val/x",
        "mode": "max",
        "trials": 4,
        "seed": 0,
        "startup": 2,
        "pruner": None,
    }
    return Search(**given | changed)


class Launches:
    """Stands for Hydra's launcher: gives each job's score, or raises for it."""

    def __init__(self, outcome=lambda number: 1.0 / (1 + number)):
        self.outcome, self.points = outcome, []

    def __call__(self, words, number):
        self.points.append(tuple(words[:-1]))
        self.word = words[-1]
        try:
            return JobReturn(status=JobStatus.COMPLETED, _return_value=self.outcome(number))
        except Exception as error:
            return JobReturn(status=JobStatus.FAILED, _return_value=error)


def failing(*numbers, error=RuntimeError):
    def outcome(number):
        if number in numbers:
            raise error("out of memory")
        return float(number)

    return outcome


def states(folder):
    return [trial.state.name for trial in load_study(folder / STUDY).trials]


def test_words_are_drawn_from_the_space(tmp_path):
    launches = Launches()
    search(trials=12).run(tmp_path, launches)
    for stage, lr, depth, width, loss in launches.points:
        assert stage == "stage=x"
        assert 1e-4 <= float(lr.removeprefix("lr=")) <= 1
        assert depth in [f"depth={n}" for n in (1, 2, 3, 4)]
        assert (float(width.removeprefix("width=")) / 0.25).is_integer()
        assert loss in ("loss=a", "loss='b c'")
    assert len({loss for *_, loss in launches.points}) == 2


def test_a_later_session_draws_on_and_the_number_is_a_total(tmp_path):
    whole, first, second, third = Launches(), Launches(), Launches(), Launches()
    search(trials=8).run(tmp_path / "whole", whole)
    for launches, trials in ((first, 4), (second, 8), (third, 8)):
        search(trials=trials).run(tmp_path / "parts", launches)
    assert first.points == whole.points[:4]
    assert (len(second.points), len(third.points)) == (4, 0)
    assert not {*first.points} & {*second.points}


def test_failed_trials_count_and_are_tried_again_later(tmp_path):
    first, second, third = Launches(failing(1, 3)), Launches(failing(4)), Launches()
    with pytest.raises(RuntimeError, match="out of memory"):
        search().run(tmp_path, first)
    assert len(first.points) == 4
    with pytest.raises(RuntimeError, match="out of memory"):
        search().run(tmp_path, second)
    assert second.points == [first.points[1], first.points[3]]
    search().run(tmp_path, third)
    assert third.points == [first.points[1]]
    assert states(tmp_path).count("COMPLETE") == 4
    search().run(tmp_path, last := Launches())
    assert last.points == []


def test_a_value_that_is_none_fails(tmp_path):
    search(trials=2).run(tmp_path, Launches(lambda number: math.nan if number == 0 else 1.0))
    assert states(tmp_path) == ["FAIL", "COMPLETE"]


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_is_tried_again_first(stop, tmp_path):
    first, second = Launches(failing(2, error=stop)), Launches()
    with pytest.raises(stop):
        search().run(tmp_path, first)
    search().run(tmp_path, second)
    assert second.points[0] == first.points[2]
    assert len(second.points) == 2
    assert states(tmp_path) == ["COMPLETE", "COMPLETE", "FAIL", "COMPLETE", "COMPLETE"]


def test_a_trial_left_running_is_failed_and_tried_again(tmp_path):
    search(trials=2).run(tmp_path, first := Launches())
    study = load_study(tmp_path / STUDY)
    left = study.ask()
    left.suggest_float("lr", 1e-4, 1.0, log=True)
    search(trials=4).run(tmp_path, second := Launches())
    assert states(tmp_path)[2] == "FAIL"
    assert second.points[0][1] == f"lr={left.params['lr']!r}"
    assert len(first.points) + len(second.points) == 4


@pytest.mark.parametrize(("mode", "hopeless"), [("max", 0.0), ("min", 1.0)])
def test_hopeless_trials_are_given_up(mode, hopeless, tmp_path, monkeypatch):
    def outcome(number):
        monkeypatch.setenv(TRIAL, launches.word.partition("=")[2].strip("'"))
        for epoch in range(4):
            value = hopeless if number == 3 else 0.5 + 0.01 * number
            if current_trial().given_up(epoch, value):
                given_up.append((number, epoch))
                raise Pruned("no hope")
        return value

    given_up, launches = [], Launches(outcome)
    search(mode=mode, pruner={"startup": 2, "warmup": 2}).run(tmp_path, launches)
    assert (3, 2) in given_up
    assert states(tmp_path)[3] == "PRUNED"
    assert states(tmp_path)[:2] == ["COMPLETE", "COMPLETE"]
    search(mode=mode, pruner={"startup": 2, "warmup": 2}).run(tmp_path, again := Launches())
    assert again.points == []  # a pruned trial counts, and is not tried again


def test_nothing_is_given_up_without_a_pruner(tmp_path, monkeypatch):
    def outcome(number):
        monkeypatch.setenv(TRIAL, launches.word.partition("=")[2].strip("'"))
        assert not any(current_trial().given_up(epoch, -float(number)) for epoch in range(3))
        return -float(number)

    launches = Launches(outcome)
    search().run(tmp_path, launches)
    assert states(tmp_path) == ["COMPLETE"] * 4
    monkeypatch.delenv(TRIAL)
    assert current_trial() is None


def test_another_recipe_or_space_is_refused(tmp_path):
    search().run(tmp_path, Launches())
    narrower = SPACE | {"depth": Span(1, 3)}
    for changed, said in (
        ({"recipe": "other"}, "the recipe differs"),
        ({"space": narrower}, "the space of depth differs"),
        ({"space": {"lr": SPACE["lr"]}}, "the space of depth, loss, width differs"),
    ):
        with pytest.raises(ConfigError, match=said):
            search(**changed).run(tmp_path, Launches())


def test_a_study_without_a_finished_trial_may_change(tmp_path):
    with pytest.raises(RuntimeError):
        search(trials=1).run(tmp_path, Launches(failing(0)))
    search(trials=2, space={"lr": SPACE["lr"]}).run(tmp_path, launches := Launches())
    assert [len(point) for point in launches.points] == [2, 2]


def test_two_processes_do_not_search_in_one_folder(tmp_path):
    with held_study(tmp_path), pytest.raises(ConfigError, match="another process searches there"):
        search().run(tmp_path, Launches())


def test_the_end_says_the_best_and_draws_plots(tmp_path, caplog):
    folder = tmp_path / "is this odd? 100%"
    with caplog.at_level(logging.INFO):
        search(mode="min", words=["sweep=optuna", "stage=x"], trials=6).run(folder, launches := Launches())
    assert "best of 6 trials: val/x 0.1667" in caplog.text
    best = launches.points[-1]
    assert caplog.text.count("python -m fashion_lab.train stage=x lr=") == 1
    assert best[2] in caplog.text
    assert sorted(path.name for path in (folder / "study").iterdir()) == [
        "history.png",
        "importances.png",
        "slice.png",
    ]


def test_too_few_trials_still_end_in_order(tmp_path, caplog):
    search(trials=1).run(tmp_path, Launches())
    assert [path.name for path in (tmp_path / "study").iterdir()] == ["history.png"]
    with pytest.raises(RuntimeError):
        search(trials=1).run(tmp_path / "none", Launches(failing(0)))
    assert "no trial was finished" in caplog.text


WORDS = ("-m", "sweep=optuna", "hydra.sweep.dir=sweep", "trainer.max_epochs=4")


def test_a_killed_search_goes_on_in_the_folder_that_it_was_in(tmp_path):
    words = (*WORDS, "hydra.sweeper.n_trials=5", "hydra.sweeper.pruner=null")
    assert run(*words, cwd=tmp_path, toy="kill=#3").returncode == -signal.SIGKILL
    assert states(tmp_path / "sweep") == ["COMPLETE", "COMPLETE", "RUNNING"]
    done = run("resume=sweep", cwd=tmp_path)
    assert done.returncode == 0, done.err
    found = trainings(tmp_path)
    assert [folder for folder, _ in found] == ["0", "1", "2", "2", "3", "4"]
    assert found[2] == found[3]
    assert len(set(found)) == 5
    assert "seeds=5" in done.out
    assert run("resume=sweep", "hydra.sweeper.n_trials=6", cwd=tmp_path).returncode == 0
    assert [folder for folder, _ in trainings(tmp_path)][6:] == ["5"]


def test_a_pruned_run_is_neither_failed_nor_finished(tmp_path):
    words = (*WORDS, "hydra.sweeper.n_trials=8", "hydra.sweeper.pruner={startup: 1, warmup: 1}")
    done = run(*words, cwd=tmp_path)
    assert done.returncode == 0, done.err
    given_up = sorted(path.parent.name for path in (tmp_path / "sweep").glob(f"*/{PRUNED}"))
    assert given_up
    assert not list((tmp_path / "sweep").glob("*/error.txt"))
    board = (tmp_path / "sweep/leaderboard.md").read_text()
    assert board.count("| pruned | val/accuracy 0.") == len(given_up)
    assert states(tmp_path / "sweep").count("PRUNED") == len(given_up)
    assert "go on with" not in done.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["hydra.sweeper.n_trials=0"], "hydra.sweeper.n_trials=0; it must be a whole number of at least 1"),
        (["+hydra.sweeper.pruner.warm=1"], "give startup and warmup, or null"),
        (["hydra.sweeper.space.optimizer.lr.high=1e-9"], "optimizer.lr: low=0.001 is not below high=1e-09"),
        (["seeds=3"], "seed is what a recipe is repeated over"),
        (["batch_sise=8,16"], "batch_sise is no setting of this training; did you mean batch_size"),
        (["optimizer.lr=0.1"], "optimizer.lr is fixed on the command line and searched"),
    ],
    ids=str,
)
def test_what_is_wrong_is_one_line_before_any_run(words, said, tmp_path):
    done = run(*WORDS, *words, cwd=tmp_path)
    assert done.returncode == 1
    assert said in done.err
    assert len(done.err.splitlines()) == 1, done.err
    assert not trainings(tmp_path)


def test_without_optuna_a_search_says_what_it_needs(tmp_path):
    import subprocess
    import sys

    code = (
        "import sys, runpy; sys.modules['optuna'] = None\n"
        "sys.argv = ['train', '-m', 'sweep=optuna']\n"
        "runpy.run_module('fashion_lab.train', run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == (
        "error: sweep=optuna needs optuna of the extra optuna: pip install 'fashion_lab[optuna]'\n"
    )
