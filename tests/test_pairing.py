"""Differences of recipes: what is paired with what, and what the interval is over."""

import csv
import io
import json

import numpy as np
import pytest
from outcome_runs import recipe_run, save_outcomes
from test_studies import save_run

from fashion_lab.problems import ConfigError
from fashion_lab.studies.draws import paired_difference
from fashion_lab.studies.formats import FORMATS
from fashion_lab.studies.intervals import estimate
from fashion_lab.studies.resampling import bootstrap, mcnemar, mean_of
from fashion_lab.studies.runs import find_runs
from fashion_lab.studies.tables import summary

N = 120
GROUPS = np.arange(N) // 3


def coins(seed, share=0.8, count=N):
    return (np.random.default_rng(seed).random(count) < share).astype(float)


def report(root, baseline="1", **more):
    return summary(*find_runs([root]), baseline=baseline, **more)


def lines(found, table=0):
    return {line.row.labels.get("optimizer.lr"): line for line in found.tables[table].lines}


def test_without_outcomes_runs_of_equal_seed_are_paired(tmp_path):
    for seed, (theirs, ours) in enumerate(((0.5, 0.6), (0.7, 0.9), (0.9, 1.0))):
        recipe_run(tmp_path, 1, seed, theirs)
        recipe_run(tmp_path, 2, seed, ours)
    found = lines(report(tmp_path))["2"].difference
    mean, half, _ = estimate([0.1, 0.2, 0.1])
    assert (found.amount.value, found.amount.half) == pytest.approx((mean, half))
    assert (found.amount.units, found.amount.over, found.repeats) == (3, "seeds", None)
    assert lines(report(tmp_path))["1"].difference is None


def test_folds_count_once_however_many_seeds(tmp_path):
    for fold in range(3):
        for seed in range(2):
            recipe_run(tmp_path, 1, seed, 0.5, fold=fold)
            recipe_run(tmp_path, 2, seed, 0.5 + fold / 10 + seed / 100, fold=fold)
    found = lines(report(tmp_path))["2"].difference
    mean, half, _ = estimate([0.005, 0.105, 0.205])
    assert (found.amount.value, found.amount.half) == pytest.approx((mean, half))
    assert (found.amount.units, found.amount.over, found.pairs) == (3, "folds", 6)


def test_only_what_both_have_is_paired(tmp_path):
    for seed in (0, 1, 2):
        recipe_run(tmp_path, 1, seed, 0.5 + seed / 10)
    for seed in (1, 2, 7):
        recipe_run(tmp_path, 2, seed, 0.6 + seed / 10 if seed != 7 else 0.0)
    recipe_run(tmp_path, 3, 99, 0.9)
    found = report(tmp_path)
    assert lines(found)["2"].difference.amount.value == pytest.approx(0.1)
    assert (lines(found)["2"].difference.pairs, lines(found)["2"].difference.unpaired) == (2, 2)
    assert lines(found)["3"].difference is None
    text = FORMATS["table"](found)
    assert "(2 of 4 paired)" in text
    assert "no seed and fold in common with the baseline" in text


def test_the_same_pictures_are_paired_over_senders(tmp_path):
    for seed in range(2):
        recipe_run(tmp_path, 1, seed, coins(seed), groups=GROUPS)
        recipe_run(tmp_path, 2, seed, coins(10 + seed, 0.9), groups=GROUPS)
    found = lines(report(tmp_path))["2"].difference
    ours, theirs = (coins(10, 0.9) + coins(11, 0.9)) / 2, (coins(0) + coins(1)) / 2
    expected = paired_difference(ours, theirs, GROUPS)
    assert (found.amount.value, found.amount.low, found.amount.high) == pytest.approx(
        (expected.value, expected.low, expected.high)
    )
    assert (found.amount.units, found.amount.over) == (40, "senders")
    by_seed = [coins(10 + seed, 0.9).mean() - coins(seed).mean() for seed in range(2)]
    assert found.repeats.half == pytest.approx(estimate(by_seed).half)
    assert found.p_values == pytest.approx(
        [mcnemar(coins(10 + seed, 0.9) > 0.5, coins(seed) > 0.5) for seed in range(2)]
    )


def test_the_last_epoch_is_compared_without_choosing_by_what_is_reported(tmp_path):
    for name, seed in ((1, 0), (2, 10)):
        folder = recipe_run(tmp_path, name, 0, coins(seed), groups=GROUPS)
        save_outcomes(folder, coins(seed + 1), groups=GROUPS, split="validation-last")
    found = lines(report(tmp_path, metrics=["val_last/accuracy"]))["2"].difference
    expected = paired_difference(coins(11), coins(1), GROUPS)
    assert (found.amount.value, found.amount.half) == pytest.approx((expected.value, expected.half))
    assert found.amount.over == "senders"


def test_folds_are_put_together_and_each_picture_counts_once(tmp_path):
    both, groups, sizes = [], [], (30, 60, 90)
    for fold, size in enumerate(sizes):
        items = [f"{fold}/{number}" for number in range(size)]
        senders = 1000 * fold + np.arange(size) // 2
        ours, theirs = coins(fold + 20, 0.9, size), coins(fold, 0.7, size)
        recipe_run(tmp_path, 1, 0, theirs, fold=fold, groups=senders, items=items)
        recipe_run(tmp_path, 2, 0, ours, fold=fold, groups=senders, items=items)
        both.append(ours - theirs)
        groups.append(senders)
    found = lines(report(tmp_path))["2"].difference
    values_N, groups_N = np.concatenate(both), np.concatenate(groups)
    expected = bootstrap(mean_of(values_N), len(values_N), groups_N)
    assert (found.amount.value, found.amount.half) == pytest.approx((expected.value, expected.half))
    assert (found.amount.units, len(found.p_values)) == (90, 1)


def test_pictures_stand_in_where_nobody_knows_senders(tmp_path):
    recipe_run(tmp_path, 1, 0, coins(0))
    recipe_run(tmp_path, 2, 0, coins(1, 0.9))
    found = report(tmp_path)
    amount = lines(found)["2"].difference.amount
    assert (amount.over, amount.units) == ("pictures", N)
    text = FORMATS["table"](found)
    assert "over pictures: outcomes of the same pictures" in text
    assert "what another training would change is not in it" in text


@pytest.mark.parametrize("damage", ["other pictures", "one without", "damaged", "shared between folds"])
def test_what_cannot_be_paired_by_picture_is_paired_by_run_and_said(damage, tmp_path):
    fold = 0 if damage == "shared between folds" else None
    for seed in range(2):
        here = seed if fold == 0 else None
        items = [f"other-{number}" for number in range(N)] if damage == "other pictures" else None
        recipe_run(tmp_path, 1, 0 if fold == 0 else seed, coins(seed), fold=here, items=items)
        ours = recipe_run(tmp_path, 2, 0 if fold == 0 else seed, coins(10 + seed, 0.9), fold=here)
    path = ours / "outcomes/validation.npz"
    if damage == "one without":
        path.unlink()
    if damage == "damaged":
        path.write_bytes(path.read_bytes()[:100])
    found = report(tmp_path)
    difference = lines(found)["2"].difference
    by_run = [coins(10 + seed, 0.9).mean() - coins(seed).mean() for seed in range(2)]
    assert difference.amount.half == pytest.approx(estimate(by_run).half)
    assert difference.p_values == ()
    text = FORMATS["markdown"](found)
    assert "a run lacks outcomes of the same pictures" in text
    assert ("validation.npz is damaged" in text) == (damage == "damaged")
    assert ("were measured on other pictures: not comparable" in text) == (damage == "other pictures")


def test_queries_without_an_answer_do_not_count(tmp_path):
    theirs, ours = np.random.default_rng(0).random((2, N))
    theirs[:40] = ours[:40] = np.nan
    monitor = {"metric": "val/map_at_r", "mode": "max"}
    for name, scores in ((1, theirs), (2, ours)):
        folder = save_run(
            tmp_path / str(name), 0.5, config={"optimizer.lr": name}, stage="siamese", monitor=monitor
        )
        save_outcomes(folder, scores, groups=GROUPS, metric="map_at_r")
    found = lines(report(tmp_path))["2"].difference
    assert found.amount.value == pytest.approx((ours - theirs)[40:].mean())
    assert found.p_values == []  # no McNemar for what is not right or wrong


def test_one_run_has_the_interval_of_its_pictures(tmp_path):
    recipe_run(tmp_path, 1, 0, coins(0), groups=GROUPS)
    found = report(tmp_path, baseline=None)
    amount = lines(found)[None].amounts["val/accuracy"]
    expected = bootstrap(mean_of(coins(0)), N, GROUPS)
    assert (amount.value, amount.low, amount.high) == pytest.approx(
        (expected.value, expected.low, expected.high)
    )
    text = FORMATS["table"](found)
    assert f"{expected.value:.4f} ± {expected.half:.4f}" in text
    assert "40 senders" in text
    assert "95 % bootstrap interval over its senders; what another seed would change is not in it" in text


def crossed(root, *, other=False):
    """Two recipes that see the same pictures at two sizes, or other pictures."""
    for name, size in ((1, 64), (2, 96)):
        folder = recipe_run(root, name, 0, coins(name), groups=GROUPS)
        path = folder / "result.json"
        path.write_text(path.read_text().replace('"size": 64', f'"size": {size}'))
    if other:
        save_outcomes(folder, coins(2), groups=GROUPS, items=[f"other-{number}" for number in range(N)])


def test_sizes_of_the_same_pictures_are_compared_where_that_is_asked_for(tmp_path):
    crossed(tmp_path)
    assert len(report(tmp_path, None).tables) == 2
    found = report(tmp_path, across=["pixels"])
    difference = lines(found)["2"].difference
    expected = paired_difference(coins(2), coins(1), GROUPS)
    assert (difference.amount.value, difference.amount.half) == pytest.approx((expected.value, expected.half))
    for name in ("table", "markdown", "json"):
        assert "of different pixels, as asked: " in FORMATS[name](found)
    assert "of different pixels" not in FORMATS["table"](report(tmp_path, None))


def test_other_pictures_are_never_paired_across_sizes(tmp_path):
    crossed(tmp_path, other=True)
    found = report(tmp_path, across=["pixels"])
    assert not lines(found)["2"].difference.amount.is_over_pictures
    assert "were measured on other pictures: not comparable" in FORMATS["table"](found)


def test_only_pixels_may_differ(tmp_path):
    crossed(tmp_path)
    with pytest.raises(ConfigError, match=r"across=classes; allowed is pixels"):
        report(tmp_path, across=["classes"])


def test_a_single_sender_has_no_interval(tmp_path):
    recipe_run(tmp_path, 1, 0, coins(0), groups=np.zeros(N, dtype=int))
    assert lines(report(tmp_path, baseline=None))[None].amounts["val/accuracy"].half is None


def test_every_format_has_the_difference(tmp_path):
    for seed in range(2):
        recipe_run(tmp_path, 1, seed, coins(seed), groups=GROUPS)
        recipe_run(tmp_path, 2, seed, coins(10 + seed, 0.9), groups=GROUPS)
    found = report(tmp_path)
    difference = lines(found)["2"].difference
    written = f"{difference.amount.value:+.4f} ± {difference.amount.half:.4f}"
    for name in ("table", "markdown"):
        assert written in FORMATS[name](found)
        assert "baseline" in FORMATS[name](found)
    row = json.loads(FORMATS["json"](found))["studies"][0]["rows"][0]
    assert row["difference"]["low"] == pytest.approx(difference.amount.low)
    assert row["difference"]["repeats"]["over"] == "seeds"
    assert row["difference"]["mcnemar_p"] == pytest.approx(difference.p_values)
    record = next(csv.DictReader(io.StringIO(FORMATS["csv"](found))))
    assert float(record["difference_half"]) == pytest.approx(difference.amount.half)
    assert (record["baseline"], record["difference_over"]) == ("lr=1", "40 senders")
    assert float(record["p_highest"]) == pytest.approx(max(difference.p_values))


@pytest.mark.parametrize(
    "name", ["1", "lr=1", "optimizer.lr=1", "{root}/1-None-0", "{root}/1-None-0/", "{root}/group"]
)
def test_a_baseline_by_many_names(name, tmp_path):
    for seed in range(2):
        recipe_run(tmp_path, 1, seed, 0.5)
        recipe_run(tmp_path, 2, seed, 0.6)
    recipe_run(tmp_path / "group", 1, 5, 0.5)
    (table,) = report(tmp_path, name.format(root=tmp_path)).tables
    assert table.baseline.labels == {"optimizer.lr": "1"}


def test_the_notebook_is_the_baseline_of_a_study_that_has_it(tmp_path):
    save_run(tmp_path / "a", 0.5, "experiment=notebook", config={"optimizer.lr": 1})
    save_run(tmp_path / "b", 0.6)
    save_run(tmp_path / "c", 0.6, stage="siamese")
    found = report(tmp_path, None)
    assert [table.baseline is not None for table in found.tables] == [True, False]
    assert "less that of notebook" in FORMATS["table"](found)
    assert all(table.baseline is None for table in report(tmp_path, "none").tables)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("lr=7", "no recipe is called so, and no run is at or below it; did you mean lr=2 or lr=1"),
        ("{root}", "fits 2 recipes \\(lr=2; lr=1\\); name one of them"),
        ("nonsense", "there are lr=2; lr=1$"),
    ],
)
def test_a_baseline_that_is_none_is_an_error(name, said, tmp_path):
    recipe_run(tmp_path, 1, 0, 0.5)
    recipe_run(tmp_path, 2, 0, 0.6)
    with pytest.raises(ConfigError, match=said):
        report(tmp_path, name.format(root=tmp_path))


def test_the_default_is_who_was_asked_for_nothing(tmp_path):
    save_run(tmp_path / "a", 0.5, "threads=1", config={"optimizer.lr": 1})
    for lr in (2, 3):
        save_run(tmp_path / f"{lr}", 0.6, f"optimizer.lr={lr}", config={"optimizer.lr": lr})
    save_run(tmp_path / "b", 0.5, "experiment=notebook", config={"optimizer.lr": 4})
    (table,) = report(tmp_path, "default").tables
    assert [run.folder.name for run in table.baseline.runs] == ["a"]
