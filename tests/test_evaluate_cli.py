"""The verb `evaluate`, on real runs of seconds: numbers that hold, and a page that anybody may open."""

import json
import re
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from hydra import compose, initialize_config_dir
from PIL import Image
from runs import TINY, trained

from fashion_lab.config import CONF
from fashion_lab.evaluate import evaluate
from fashion_lab.evaluation import means_of
from fashion_lab.outcomes import Outcomes
from fashion_lab.studies.draws import paired_difference
from fashion_lab.studies.runs import find_runs
from fashion_lab.studies.tables import summary

ODD = "größe&<script>alert(1)<!script>"
QUICK = (*(word for word in TINY if not word.startswith("data.")), "trainer.max_epochs=2", "logger=none")


def plant(root: Path) -> None:
    """Two classes that colour tells, one of them with a name that a page must not run."""
    rng = np.random.default_rng(0)
    for split, count in {"train": 14, "validation": 10, "test": 6}.items():
        for number, name in enumerate((ODD, "b")):
            folder = root / split / name
            folder.mkdir(parents=True)
            for picture in range(count):
                pixels = rng.integers(0, 256, (24, 24, 3)) // 2
                pixels[..., number] += 60
                Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{picture}.png")
    (root / "validation" / "b" / "broken.png").write_bytes(b"no")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        plant(Path("shop"))
        data = ("data=folder", f"data.root={home / 'shop'}")
        trained(Path("classifier"), *data, "stage=classifier", tiny=QUICK)
        trained(Path("siamese"), *data, "stage=siamese", "ckpt=classifier", tiny=QUICK)
    return home


@pytest.fixture(autouse=True)
def there(home, monkeypatch):
    monkeypatch.chdir(home)


def evaluated(*overrides):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        evaluate(compose("evaluate", list(overrides)))


def result_of(folder):
    return json.loads((Path(folder) / "result.json").read_text())


@pytest.mark.parametrize("stage", ["classifier", "siamese"])
def test_outcomes_are_what_the_metrics_are_means_of(stage):
    metrics = result_of(stage)["metrics"]
    outcomes = Outcomes.load(Path(stage), "validation")
    assert len(outcomes) == 20
    for name, mean in means_of(outcomes).items():
        assert metrics[f"val/{name}"] == pytest.approx(mean, abs=1e-6), name
    for name, mean in means_of(Outcomes.load(Path(stage), "validation-last")).items():
        assert metrics[f"val_last/{name}"] == pytest.approx(mean, abs=1e-6), name
    assert not any(name.startswith("test/") for name in metrics)


def test_a_training_says_whether_stage_2_helped():
    result = result_of("siamese")
    assert list(result["compared"]) == ["raw pixels", "stage 1", "stage 2"]
    for key in ("map_at_r", "precision_at_1", "precision_at_5"):
        assert result["compared"]["stage 1"][key] == pytest.approx(result["metrics"][f"val_start/{key}"])
        assert result["compared"]["stage 2"][key] == pytest.approx(result["metrics"][f"val/{key}"])
        gain = result["metrics"][f"val/{key}"] - result["metrics"][f"val_start/{key}"]
        assert result["gained"]["stage 1"][key]["value"] == pytest.approx(gain, abs=1e-6)
    after = Outcomes.load(Path("siamese"), "validation")
    for name, split in (("stage 1", "validation-stage_1"), ("raw pixels", "validation-raw")):
        before = Outcomes.load(Path("siamese"), split)
        assert before.same_pictures(after)
        expected = paired_difference(after.scores["map_at_r"], before.scores["map_at_r"])
        assert result["gained"][name]["map_at_r"] == pytest.approx(asdict(expected))


@pytest.mark.parametrize("stage", ["classifier", "siamese"])
def test_on_validation_it_says_what_the_training_said(stage, capsys):
    evaluated(f"ckpt={stage}")
    result, trained_to = result_of(f"{stage}/evaluation/validation"), result_of(stage)
    shared = [name for name in result["metrics"] if name != "loss"]
    assert len(shared) >= 3
    for name in shared:  # the loss is the recipe's own in training: smoothed, weighted
        found = result["metrics"][name]
        assert found["value"] == pytest.approx(trained_to["metrics"][f"val/{name}"], abs=1e-6)
        assert found["low"] <= found["value"] <= found["high"]
    assert (result["pictures"], result["senders"]) == (20, None)
    out = capsys.readouterr().out
    assert "95% interval" in out
    assert f"page: {stage}/evaluation/validation/index.html" in out
    if stage == "siamese":
        assert result["compared"]["stage 1"] == pytest.approx(trained_to["compared"]["stage 1"], abs=1e-6)
        assert result["gained"].keys() == trained_to["gained"].keys() == {"raw pixels", "stage 1"}


def test_the_test_split_is_measured_here_only():
    evaluated("ckpt=classifier", "split=test")
    result = result_of("classifier/evaluation/test")
    assert (result["split"], result["pictures"]) == ("test", 12)
    assert np.sum(result["confusion_counts"]) == 12
    assert "for the end" in Path("classifier/evaluation/test/index.html").read_text()
    assert len(Outcomes.load(Path("classifier"), "test")) == 12


def test_another_checkpoint_leaves_what_is_known_of_the_best():
    evaluated("ckpt=classifier")
    paths = [
        Path("classifier", name) for name in ("outcomes/validation.npz", "evaluation/validation/result.json")
    ]
    before = [path.read_bytes() for path in paths]
    evaluated("ckpt=classifier/checkpoints/last.ckpt")
    assert [path.read_bytes() for path in paths] == before
    metrics = result_of("classifier/evaluation/validation-last")["metrics"]
    trained_to = result_of("classifier")["metrics"]["val_last/accuracy"]
    assert metrics["accuracy"]["value"] == pytest.approx(trained_to)
    outcomes = Outcomes.load(Path("classifier"), "validation-last")
    assert outcomes.scores["accuracy"].mean() == pytest.approx(trained_to)
    (table,) = summary(
        *find_runs([Path("classifier")]), ["validation-last/accuracy"], split="validation-last"
    ).tables
    amount = table.lines[0].amounts["validation-last/accuracy"]
    assert (amount.value, amount.over) == (pytest.approx(trained_to), "pictures")


@pytest.mark.parametrize("stage", ["classifier", "siamese"])
def test_the_page_asks_nobody_and_runs_nothing(stage):
    evaluated(f"ckpt={stage}", "split=train", f"out={stage}-page")
    page = Path(f"{stage}-page/index.html").read_text()
    assert "<script" not in page
    assert "größe&amp;&lt;script&gt;alert(1)" in page
    assert all(kind == "data:image" for kind in re.findall(r'(?:src|href)="([^/"]*)', page))
    assert not re.findall(r"https?://|url\(", page)
    assert "flatter" in page
    if stage == "siamese":
        assert page.count('src="data:image/jpeg') >= 7


def test_what_stage_2_is_compared_with_is_kept_by_picture_too():
    evaluated("ckpt=siamese", "split=test")
    result, after = result_of("siamese/evaluation/test"), Outcomes.load(Path("siamese"), "test")
    for name, split in (("stage 1", "test-stage_1"), ("raw pixels", "test-raw")):
        before = Outcomes.load(Path("siamese"), split)
        assert before.same_pictures(after)
        assert np.nanmean(before.scores["map_at_r"]) == pytest.approx(result["compared"][name]["map_at_r"])
    (table,) = summary(*find_runs([Path("siamese")]), split="test").tables
    gain = next(one for one in table.helped if one.metric == "test/map_at_r").gains["stage 1"].amount
    assert gain.value == pytest.approx(result["gained"]["stage 1"]["map_at_r"]["value"])
    assert gain.over == "pictures"


def test_a_run_of_elsewhere_leaves_its_outcomes_with_out():
    evaluated("ckpt=classifier/checkpoints/best.ckpt", "split=test", "out=apart")
    assert Path("apart/outcomes/test.npz").is_file()
    assert result_of("apart")["checkpoint"]["path"] == "classifier/checkpoints/best.ckpt"


def test_without_its_stage_1_stage_2_is_still_evaluated(home, tmp_path):
    moved = home / "classifier-moved"
    (home / "classifier").rename(moved)
    try:
        evaluated("ckpt=siamese", f"out={tmp_path}")
    finally:
        moved.rename(home / "classifier")
    assert list(result_of(tmp_path)["compared"]) == ["raw pixels", "stage 2"]
    assert list(result_of(tmp_path)["gained"]) == ["raw pixels"]
    assert "no longer there" in (tmp_path / "index.html").read_text()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "ckpt= is missing"),
        (["ckpt=nowhere"], "does not exist"),
        (["ckpt=shop"], "holds no checkpoints"),
        (["ckpt=classifier", "split=tset"], r"split=tset.*choose one of train, validation, test"),
    ],
)
def test_what_cannot_work_is_one_line(words, message):
    with pytest.raises(ValueError, match=message) as told:
        evaluated(*words)
    assert "\n" not in str(told.value)


def test_evaluating_changes_nothing_of_the_run():
    before = Path("classifier/checkpoints/best.ckpt").read_bytes()
    evaluated("ckpt=classifier", "out=again")
    assert Path("classifier/checkpoints/best.ckpt").read_bytes() == before
