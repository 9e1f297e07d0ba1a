"""Counts of repeats, as Hydra takes them."""

import pytest

from fashion_lab.sweeps.words import sweep_words


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


def test_a_sweeper_sweeps():
    assert sweep_words(["sweep=optuna", "x=1"]) == ["-m", "sweep=optuna", "x=1"]
    assert sweep_words(["sweep=null"]) == ["sweep=null"]


@pytest.mark.parametrize("flag", ["-m", "--multirun"])
def test_the_flag_may_stand_anywhere(flag):
    assert sweep_words(["stage=siamese", flag, "seed=0,1"]) == ["-m", "stage=siamese", "seed=0,1"]
