import csv
import io
import json
import math
import re
import subprocess
import sys

import pytest
from omegaconf import OmegaConf

from fashion_lab.problems import ConfigError
from fashion_lab.results import write_result
from fashion_lab.studies.formats import FORMATS, print_report
from fashion_lab.studies.groups import studies_of
from fashion_lab.studies.intervals import estimate
from fashion_lab.studies.naming import name_of
from fashion_lab.studies.runs import find_runs
from fashion_lab.studies.tables import summary

CONFIG = {
    "seed": 0,
    "ckpt": None,
    "data": {"fold": None, "folds": None, "seed": 0},
    "optimizer": {"_target_": "torch.optim.AdamW", "lr": 0.006},
    "scheduler": {"max_lr": 0.006},
    "trainer": {"limit_val_batches": 1.0, "precision": "auto", "default_root_dir": ""},
    "logger": {"tensorboard": {"save_dir": ""}},
    "cache": None,
}


def save_run(folder, accuracy, *overrides, seed=0, config=None, metrics=None, **changes):
    """A finished run as training leaves it; `config` holds dotted keys."""
    folder.mkdir(parents=True)
    cfg = OmegaConf.create(CONFIG | {"folder": str(folder), "seed": seed})
    cfg.trainer.default_root_dir = cfg.logger.tensorboard.save_dir = str(folder)
    for key, value in (config or {}).items():
        OmegaConf.update(cfg, key, value, force_add=True)
    OmegaConf.save(cfg, folder / "config.yaml")
    result = {
        "stage": "classifier",
        "metrics": {"val/accuracy": accuracy, **(metrics or {})},
        "monitor": {"metric": "val/accuracy", "mode": "max"},
        "parameters": 1000,
        "multiply_adds": 2_500_000,
        "seconds": {"total": 90.0, "fit": 80.0},
        "seed": seed,
        "catalog": "clothing",
        "classes": ["dress", "hat"],
        "splits": {"train": 20, "validation": 10},
        "pixels": {"size": 64, "fit": "squash"},
        "parent": None,
        "precision": "32-true",
        "overrides": [*overrides, f"seed={seed}"],
        "git_commit": "abc",
        "hardware": {"processor": "a processor", "threads": 1, "gpu": None},
    }
    write_result(folder, result | changes)
    return folder


def studies(*folders):
    return studies_of(find_runs(folders)[0])


def lr_grid(root):
    number = 0
    for lr, values in ((0.01, (0.80, 0.82, 0.87)), (0.003, (0.90, 0.91, 0.92))):
        for seed, value in enumerate(values):
            config = {"optimizer.lr": lr, "scheduler.max_lr": lr}
            save_run(root / str(number), value, f"optimizer.lr={lr}", seed=seed, config=config)
            number += 1
    return root


@pytest.mark.parametrize(
    "values", [[0.8, 0.9], [0.8, 0.82, 0.87], [-3.0, 0.0, 5.0, 1e6], [0.1] * 4, list(range(40))]
)
def test_interval_is_that_of_scipy(values):
    from scipy import stats

    mean, half, count = estimate(values)
    assert (mean, count) == (pytest.approx(sum(values) / len(values)), len(values))
    error = stats.sem(values)
    low, high = stats.t.interval(0.95, len(values) - 1, loc=mean, scale=error) if error else (mean, mean)
    assert (mean - half, mean + half) == (pytest.approx(low), pytest.approx(high))


def test_interval_by_hand():
    # Student's t for 2 degrees of freedom is 4.302653; standard deviation 1, three values
    assert estimate([1.0, 2.0, 3.0]).half == pytest.approx(4.302653 / math.sqrt(3))


def test_one_value_has_no_interval_and_nan_stays_nan():
    assert estimate([0.5]) == (0.5, None, 1)
    assert math.isnan(estimate([0.5, math.nan]).mean)
    assert estimate([0.5, math.inf]).half is None


def test_seeds_are_pooled_by_recipe_and_the_best_is_first(tmp_path):
    (study,) = studies(lr_grid(tmp_path))
    assert study.keys == ["optimizer.lr"]  # not scheduler.max_lr, which follows it; not the seed
    assert [row.labels["optimizer.lr"] for row in study.rows] == ["0.003", "0.01"]
    assert [row.seeds for row in study.rows] == [[0, 1, 2], [0, 1, 2]]
    assert study.rows[0].estimate("val/accuracy").mean == pytest.approx(0.91)


def test_a_metric_where_less_is_better_sorts_the_other_way(tmp_path):
    for number, loss in enumerate((0.5, 0.2)):
        save_run(
            tmp_path / str(number),
            loss,
            f"optimizer.lr={number}",
            config={"optimizer.lr": number},
            monitor={"metric": "val/accuracy", "mode": "min"},
        )
    (study,) = studies(tmp_path)
    assert [row.labels["optimizer.lr"] for row in study.rows] == ["1", "0"]


def test_a_recipe_that_is_alone_in_its_study_keeps_its_name(tmp_path):
    save_run(tmp_path / "a", 0.8, "stage=classifier", "try=default")
    letterbox = {"size": 64, "fit": "letterbox"}
    save_run(tmp_path / "b", 0.9, "stage=classifier", "try=letterbox", "optimizer.lr=6e-3", pixels=letterbox)
    save_run(tmp_path / "c", 0.7, "stage=classifier", pixels={"size": 32, "fit": "squash"})
    names = {name_of(row) for study in studies(tmp_path) for row in study.rows}
    assert names == {"default", "letterbox, lr=0.006"}
    assert len(studies(tmp_path)) == 3


def test_naming_the_default_is_the_same_recipe(tmp_path):
    save_run(tmp_path / "a", 0.8, seed=0)
    save_run(tmp_path / "b", 0.9, "optimizer.lr=6e-3", seed=1)
    (study,) = studies(tmp_path)
    assert (len(study.rows), study.keys) == (1, [])


def test_a_default_that_changed_between_runs_is_told(tmp_path):
    save_run(tmp_path / "a", 0.8, seed=0)
    save_run(tmp_path / "b", 0.9, seed=1, config={"optimizer.lr": 0.001, "scheduler.max_lr": 0.001})
    (study,) = studies(tmp_path)
    assert study.keys == ["optimizer.lr"]
    assert [row.labels["optimizer.lr"] for row in study.rows] == ["0.001", "0.006"]


def test_a_group_that_nobody_chose_is_the_default(tmp_path):
    save_run(tmp_path / "a", 0.8)
    save_run(tmp_path / "b", 0.9, "optimizer=adam", config={"optimizer._target_": "torch.optim.Adam"})
    (study,) = studies(tmp_path)
    assert [row.labels for row in study.rows] == [{"optimizer": "adam"}, {"optimizer": "(default)"}]


def test_a_resumed_run_is_its_recipe(tmp_path):
    for number, (lr, words) in enumerate(((0.1, ["optimizer.lr=0.1"]), (0.2, [f"resume={tmp_path}/1"]))):
        save_run(tmp_path / str(number), 0.8, *words, config={"optimizer.lr": lr})
    (study,) = studies(tmp_path)
    assert sorted(row.labels["optimizer.lr"] for row in study.rows) == ["0.1", "0.2"]
    assert "resume" not in study.keys


def test_place_and_logging_make_no_recipe(tmp_path):
    save_run(tmp_path / "a", 0.8, "cache=/x", config={"cache": "/x"})
    save_run(tmp_path / "b", 0.9, "logger=none", seed=1, config={"logger": {}})
    (study,) = studies(tmp_path)
    assert len(study.rows) == 1


def test_repeats_of_a_seed_add_no_certainty(tmp_path):
    for number, (seed, value) in enumerate(((0, 0.8), (0, 0.8), (0, 0.8), (1, 0.9))):
        save_run(tmp_path / str(number), value, seed=seed)
    (study,) = studies(tmp_path)
    assert study.rows[0].estimate("val/accuracy") == pytest.approx(estimate([0.8, 0.9]))
    assert "2 runs repeat a seed" in FORMATS["table"](summary(*find_runs([tmp_path])))


def save_fold(folder, fold, seed, value):
    config = {"data.folds": 3, "data.fold": fold}
    words = ("data.folds=3", f"data.fold={fold}")
    splits = {"train": 20 - fold, "validation": 10 + fold}
    save_run(folder, value, *words, seed=seed, config=config, splits=splits)


def test_folds_are_pooled_and_kept_from_the_official_split(tmp_path):
    for fold in range(3):
        for seed in range(2):
            save_fold(tmp_path / f"{fold}-{seed}", fold, seed, 0.7 + fold / 10 + seed / 100)
    save_run(tmp_path / "official", 0.99)
    folds, official = studies(tmp_path)
    assert (folds.rows[0].folds, folds.rows[0].seeds) == ([0, 1, 2], [0, 1])
    assert folds.conditions["splits"] == "30 in 3 folds"
    assert folds.rows[0].estimate("val/accuracy") == pytest.approx(estimate([0.705, 0.805, 0.905]))
    assert official.rows[0].estimate("val/accuracy").mean == 0.99


@pytest.mark.parametrize(
    "changes",
    [
        {"stage": "siamese"},
        {"catalog": "clothing10"},
        {"classes": ["dress", "shoes"]},
        {"pixels": {"size": 96, "fit": "squash"}},
        {"pixels": {"size": 64, "fit": "pad"}},
        {"splits": {"train": 20, "validation": 9}},
        {"config": {"trainer.limit_val_batches": 2}},
        {"config": {"data.seed": 1}},
    ],
    ids=str,
)
def test_what_is_not_comparable_is_apart_and_said(changes, tmp_path):
    save_run(tmp_path / "a", 0.8)
    save_run(tmp_path / "b", 0.9, **changes)
    found = summary(*find_runs([tmp_path]))
    assert len(found.studies) == 2
    assert "2 tables: not comparable, they differ in" in FORMATS["table"](found)
    assert "2 tables: not comparable" in FORMATS["markdown"](found)
    assert "2 tables: not comparable" in json.loads(FORMATS["json"](found))["not_comparable"]
    lines = list(csv.DictReader(io.StringIO(FORMATS["csv"](found))))
    assert [line["study"] for line in lines] == ["1", "2"]


def test_stage_two_runs_are_pooled_over_their_own_stage_one_seeds(tmp_path):
    for seed in range(3):
        parent = save_run(tmp_path / f"one/{seed}", 0.8, seed=seed)
        save_run(
            tmp_path / f"two/{seed}",
            0.9 + seed / 100,
            f"ckpt={parent}",
            seed=seed,
            stage="siamese",
            config={"ckpt": str(parent)},
            parent={"path": str(parent / "checkpoints/best.ckpt"), "sha256": "0", "stage": "classifier"},
        )
    (study,) = studies(tmp_path / "two")
    assert (len(study.rows), study.rows[0].seeds) == (1, [0, 1, 2])


def test_stage_two_runs_from_other_recipes_are_other_rows(tmp_path):
    for number, lr in enumerate((0.1, 0.2)):
        parent = save_run(tmp_path / f"one/{number}", 0.8, config={"optimizer.lr": lr})
        path = {"path": str(parent / "checkpoints/best.ckpt")}
        save_run(tmp_path / f"two/{number}", 0.9, f"ckpt={parent}", config={"ckpt": str(parent)}, parent=path)
    (study,) = studies(tmp_path / "two")
    assert len(study.rows) == 2
    assert study.keys == ["ckpt"]
    assert sorted(row.labels["ckpt"][-5:] for row in study.rows) == ["one/0", "one/1"]


def test_runs_that_learnt_from_teachers_of_one_recipe_are_repeats(tmp_path):
    for number, (seed, lr) in enumerate([(0, 0.1), (1, 0.1), (2, 0.2)]):
        teacher = save_run(tmp_path / f"teachers/{number}", 0.9, seed=seed, config={"optimizer.lr": lr})
        save_run(
            tmp_path / f"students/{number}",
            0.8,
            f"teacher={teacher}",
            seed=seed,
            config={"teacher": str(teacher)},
            teacher={"path": str(teacher / "checkpoints/best.ckpt"), "sha256": "0"},
        )
    (study,) = studies(tmp_path / "students")
    assert sorted(row.seeds for row in study.rows) == [[0, 1], [2]]


def test_unfinished_runs_are_listed_with_their_state(tmp_path):
    for name in ("failed", "interrupted", "stopped"):
        (tmp_path / name / ".hydra").mkdir(parents=True)
        (tmp_path / name / ".hydra/overrides.yaml").write_text("- optimizer.lr=7\n- seed=0\n")
    (tmp_path / "failed/error.txt").write_text("the lr is too high\n\nTraceback")
    (tmp_path / "interrupted/checkpoints").mkdir()
    (tmp_path / "interrupted/checkpoints/last.ckpt").touch()
    save_run(tmp_path / "done", 0.8, "optimizer.lr=1")
    found = summary(*find_runs([tmp_path]))
    states = {run.folder.name: (run.state, run.advice) for run in found.unfinished}
    assert states["failed"] == ("failed", "the lr is too high")
    resume = f"python -m fashion_lab.train resume={tmp_path / 'interrupted'}"
    assert states["interrupted"] == ("interrupted", f"continue: {resume}")
    assert states["stopped"][0] == "stopped"
    text = FORMATS["table"](found)
    assert "optimizer.lr=7" in text
    assert "seed=0" not in text  # every run has it


def test_a_run_that_trains_now_is_running(tmp_path):
    (tmp_path / ".hydra").mkdir()
    hold = (
        "import fcntl, sys; f = open(sys.argv[1], 'w'); fcntl.flock(f, fcntl.LOCK_EX); "
        "print(1, flush=True); input()"
    )
    command = [sys.executable, "-c", hold, str(tmp_path / ".lock")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        process.stdout.readline()
        (run,) = find_runs([tmp_path])[1]
        process.communicate("\n")
    assert run.state == "running"
    assert find_runs([tmp_path])[1][0].state == "stopped"


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"stage": "classifier"}', "\x00", "null"])
def test_a_damaged_result_is_listed_and_the_others_reported(text, tmp_path):
    save_run(tmp_path / "good", 0.8)
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad/result.json").write_text(text)
    finished, (bad,) = find_runs([tmp_path])
    assert (len(finished), bad.state, bad.folder.name) == (1, "unreadable", "bad")


@pytest.mark.parametrize("value", [None, "text", -1, 2.5, [], ["x"], {}, {"x": None}, True], ids=str)
def test_a_result_of_the_wrong_kind_is_fatal_to_none(value, tmp_path):
    good = save_run(tmp_path / "good", 0.8, compared={"raw pixels": {"map_at_r": 0.1}})
    result = json.loads((good / "result.json").read_text())
    for name in result:
        bad = tmp_path / f"bad-{name}"
        bad.mkdir()
        (bad / "result.json").write_text(json.dumps(result | {name: value}))
    finished, unfinished = find_runs([tmp_path])
    assert len(finished) + len(unfinished) == 1 + len(result)
    assert all(run.state == "unreadable" for run in unfinished)
    for write in FORMATS.values():
        assert write(summary(finished, unfinished))


@pytest.mark.parametrize("damaged", [".hydra/overrides.yaml", "error.txt", "config.yaml"])
def test_damage_of_any_file_is_fatal_to_none(damaged, tmp_path):
    save_run(tmp_path / "good", 0.8)
    path = tmp_path / "bad" / damaged
    path.parent.mkdir(parents=True)
    (tmp_path / "bad/.hydra").mkdir(exist_ok=True)
    path.write_bytes(b"a: [\xff\x00")
    finished, (bad,) = find_runs([tmp_path])
    assert (len(finished), bad.folder.name) == (1, "bad")
    assert "bad" in FORMATS["table"](summary(finished, [bad]))


def test_each_run_is_found_once_at_any_depth(tmp_path):
    folder = save_run(tmp_path / "a/b/c/d", 0.8)
    finished, _ = find_runs([tmp_path, tmp_path / "a", folder, folder / "result.json"])
    assert len(finished) == 1
    with pytest.raises(ConfigError, match="nowhere does not exist"):
        find_runs([tmp_path / "nowhere"])


def test_a_run_without_its_config_is_told_by_its_overrides(tmp_path):
    for seed in range(2):
        for lr in ("0.1", "0.2"):
            folder = save_run(tmp_path / f"{lr}-{seed}", 0.8, f"optimizer.lr={lr}", seed=seed)
            (folder / "config.yaml").unlink()
    (study,) = studies(tmp_path)
    assert (study.keys, [row.seeds for row in study.rows]) == (["optimizer.lr"], [[0, 1], [0, 1]])


def test_metrics_that_no_run_has_are_an_error_with_the_nearest(tmp_path):
    save_run(tmp_path / "a", 0.8)
    with pytest.raises(ConfigError, match=r"metrics=val/acuracy: no run has it; did you mean val/accuracy\?"):
        summary(*find_runs([tmp_path]), ["val/acuracy"])


def test_a_metric_that_some_rows_lack_is_a_dash(tmp_path):
    save_run(tmp_path / "a", 0.8, "optimizer.lr=1", config={"optimizer.lr": 1}, metrics={"val/macro_f1": 0.7})
    save_run(tmp_path / "b", 0.9, "optimizer.lr=2", config={"optimizer.lr": 2})
    text = FORMATS["markdown"](summary(*find_runs([tmp_path])))
    assert "| 2 | 1 | 0.9000 | - | 1,000 | 2.5 M | 1.5 |" in text
    assert "| 1 | 1 | 0.8000 | 0.7000 | 1,000 | 2.5 M | 1.5 |" in text


def test_a_metric_that_some_seeds_lack_says_of_how_many_it_is(tmp_path):
    for seed in range(3):
        save_run(tmp_path / str(seed), 0.8, seed=seed, metrics={"val/macro_f1": 0.7} if seed else {})
    assert "0.7000 ± 0.0000 (2 of 3)" in FORMATS["table"](summary(*find_runs([tmp_path])))


def test_formats_agree(tmp_path):
    found = summary(*find_runs([lr_grid(tmp_path)]))
    best = json.loads(FORMATS["json"](found))["studies"][0]["rows"][0]
    assert best["settings"] == {"optimizer.lr": "0.003"}
    amount = best["metrics"]["val/accuracy"]
    assert {key: amount[key] for key in ("mean", "half", "values")} == pytest.approx(
        estimate([0.9, 0.91, 0.92])._asdict()
    )
    assert (amount["low"] + amount["high"]) / 2 == pytest.approx(amount["mean"])
    assert (amount["units"], amount["over"]) == (3, "seeds")
    assert len(best["runs"]) == 3
    line = next(csv.DictReader(io.StringIO(FORMATS["csv"](found))))
    assert float(line["val/accuracy_half"]) == pytest.approx(best["metrics"]["val/accuracy"]["half"])
    assert "| 0.003 | 3 | 0.9100 ± 0.0248 | 1,000 | 2.5 M | 1.5 |" in FORMATS["markdown"](found)
    assert "0.9100 ± 0.0248" in FORMATS["table"](found)


def test_a_narrow_terminal_keeps_every_number(tmp_path, monkeypatch, capsys):
    found = summary(*find_runs([lr_grid(tmp_path)]), baseline="0.01")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    wide = {}
    for columns in (80, 200):
        monkeypatch.setenv("COLUMNS", str(columns))
        print_report(found)
        wide[columns] = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)
        assert max(map(len, wide[columns].splitlines())) <= columns
        assert "0.9100" in wide[columns]
        assert "1,000" in wide[columns]
    assert "┃" in wide[200]
    assert "┃" not in wide[80]  # without lines there is room


def test_nan_is_shown_and_is_null_in_every_json(tmp_path):
    nan = save_run(tmp_path / "a", math.nan, "optimizer.lr=1", config={"optimizer.lr": 1})
    assert json.loads((nan / "result.json").read_text())["metrics"]["val/accuracy"] is None
    save_run(tmp_path / "b", 0.1, "optimizer.lr=2", config={"optimizer.lr": 2})
    found = summary(*find_runs([tmp_path]))
    assert [row.labels["optimizer.lr"] for row in found.studies[0].rows] == ["2", "1"]
    assert (
        json.loads(FORMATS["json"](found))["studies"][0]["rows"][1]["metrics"]["val/accuracy"]["mean"] is None
    )
    assert "nan" in FORMATS["table"](found)


def test_stage_two_after_teachers_of_one_recipe_is_one_recipe(tmp_path):
    """Each fold's stage 1 has a teacher of its own: two steps back they are repeats still."""
    for fold in range(3):
        repeat = {"data.fold": fold, "data.folds": 3}
        teacher = save_run(tmp_path / f"teachers/{fold}", 0.9, config=repeat)
        student = save_run(
            tmp_path / f"students/{fold}",
            0.8,
            config={"teacher": str(teacher), **repeat},
            teacher={"path": str(teacher / "checkpoints/best.ckpt"), "sha256": "0"},
        )
        save_run(
            tmp_path / f"two/{fold}",
            0.9,
            stage="siamese",
            config={"ckpt": str(student), **repeat},
            parent={"path": str(student / "checkpoints/best.ckpt")},
        )
    (study,) = studies(tmp_path / "two")
    assert [row.folds for row in study.rows] == [[0, 1, 2]]


def test_results_of_other_verbs_are_no_runs(tmp_path):
    save_run(tmp_path / "run", 0.8)
    for name in ("audit/shop", "evaluations/shop"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "result.json").write_text('{"command": "python -m fashion_lab.audit data=shop"}')
    found, unfinished = find_runs([tmp_path])
    assert ([run.folder.name for run in found], unfinished) == (["run"], [])
