"""What `evaluate` found of a split, in a report: beside validation, never in its place."""

import json

import numpy as np
import pytest
from outcome_runs import save_outcomes
from test_studies import save_run

from fashion_lab.problems import ConfigError
from fashion_lab.studies.draws import paired_difference
from fashion_lab.studies.formats import FORMATS
from fashion_lab.studies.runs import find_runs
from fashion_lab.studies.tables import summary


def evaluated(folder, lr, accuracy, test, *, seed=0):
    save_run(folder, accuracy, f"optimizer.lr={lr}", seed=seed, config={"optimizer.lr": lr})
    path = folder / "evaluation/test/result.json"
    path.parent.mkdir(parents=True)
    value = {
        "value": test,
        "low": None if test is None else test - 0.02,
        "high": test and test + 0.04,
        "units": 33,
    }
    path.write_text(json.dumps({"metrics": {"accuracy": value, "ece": {**value, "value": 1.0}}}))
    return folder


@pytest.fixture
def root(tmp_path):
    evaluated(tmp_path / "a", 1, 0.9, 0.5)
    evaluated(tmp_path / "b", 2, 0.8, 0.7)
    return tmp_path


def shown(root, **asked):
    (table,) = summary(*find_runs([root]), **asked).tables
    return table


def test_a_split_is_shown_only_where_it_is_asked_for(root):
    assert "test/" not in FORMATS["table"](summary(*find_runs([root])))
    table = shown(root, split="test")
    assert table.metrics == ["val/accuracy", "test/accuracy"]
    amount = table.lines[0].amounts["test/accuracy"]
    assert (amount.value, amount.low, amount.high, amount.units) == pytest.approx((0.5, 0.48, 0.54, 33))
    assert "0.5000 ± 0.0300" in FORMATS["table"](summary(*find_runs([root]), split="test"))


def test_rows_are_ordered_by_it_only_where_it_is_asked_for_first(root):
    best = [
        shown(root, split="test", **asked).lines[0].row.labels["optimizer.lr"]
        for asked in ({}, {"metrics": ["val/accuracy", "test/accuracy"]}, {"metrics": ["test/accuracy"]})
    ]
    assert best == ["1", "1", "2"]
    text = FORMATS["table"](summary(*find_runs([root]), ["test/accuracy"], split="test"))
    assert "ordered by test/accuracy, as asked: choose no recipe by it" in text


def test_less_is_better_for_an_error(root):
    evaluated(root / "c", 3, 0.1, 0.5)
    path = root / "c/evaluation/test/result.json"
    path.write_text(path.read_text().replace("1.0", "0.1"))
    assert shown(root, split="test", metrics=["test/ece"]).lines[0].row.labels["optimizer.lr"] == "3"


def test_its_difference_is_that_of_its_own_pictures(root):
    groups, (ours, theirs) = (
        np.arange(60) // 2,
        (np.random.default_rng(0).random((2, 60)) < 0.7).astype(float),
    )
    for name, scores in (("a", theirs), ("b", ours)):
        save_outcomes(root / name, scores, split="test", groups=groups)
    table = shown(root, split="test", metrics=["test/accuracy"], baseline="1")
    found = next(line.difference for line in table.lines if line.difference is not None)
    expected = paired_difference(ours, theirs, groups)
    assert (found.amount.value, found.amount.half) == pytest.approx((expected.value, expected.half))


def test_several_seeds_have_the_interval_of_seeds(tmp_path):
    for seed in range(3):
        evaluated(tmp_path / str(seed), 1, 0.9, 0.5 + seed / 10, seed=seed)
    amount = shown(tmp_path, split="test").lines[0].amounts["test/accuracy"]
    assert (amount.value, amount.over) == (pytest.approx(0.6), "seeds")


def test_a_split_that_nobody_evaluated_is_an_error_with_the_command(root):
    with pytest.raises(
        ConfigError, match=r"there are evaluations of test: python -m fashion_lab\.evaluate ckpt="
    ):
        shown(root, split="official")
    with pytest.raises(ConfigError, match=r"metrics=test/accuracy: no run has it; .* needs split=test"):
        shown(root, metrics=["test/accuracy"])


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"metrics": {"accuracy": 1}}', '{"metrics": [1]}'])
def test_a_damaged_evaluation_is_listed(text, root):
    (root / "a/evaluation/test/result.json").write_text(text)
    found = summary(*find_runs([root]), split="test")
    assert len(found.tables[0].lines) == 2
    for name in ("table", "markdown", "json"):
        assert "evaluation/test/result.json cannot be used" in FORMATS[name](found)


def test_a_metric_without_a_value_is_nan(tmp_path):
    evaluated(tmp_path / "a", 1, 0.9, None)
    assert "nan" in FORMATS["table"](summary(*find_runs([tmp_path]), split="test"))
