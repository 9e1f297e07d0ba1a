"""Did stage 2 help? What is compared with what, and what is shown of it."""

import csv
import io
import json

import numpy as np
import pytest
from outcome_runs import save_outcomes
from test_studies import save_run

from fashion_lab.studies.draws import paired_difference
from fashion_lab.studies.formats import FORMATS
from fashion_lab.studies.intervals import estimate
from fashion_lab.studies.runs import find_runs
from fashion_lab.studies.tables import summary

N = 90
GROUPS = np.arange(N) // 3
START, AFTER = (0.50, 0.55, 0.52), (0.60, 0.58, 0.66)


def stage_two(folder, seed=0, *, start=0.5, after=0.6, lr=1, parent=True, **changes):
    metrics = {"val/map_at_r": after, "val_start/map_at_r": start}
    metrics |= {"val/precision_at_1": 0.9, "val_start/precision_at_1": 0.8}
    metrics |= {"val/other_senders/map_at_r": after / 2, "val_start/other_senders/map_at_r": start / 2}
    given = {
        "stage": "siamese",
        "monitor": {"metric": "val/map_at_r", "mode": "max"},
        "parent": {"path": "gone/best.ckpt"} if parent else None,
        "config": {"optimizer.lr": lr},
    }
    return save_run(folder, 0.0, seed=seed, metrics=metrics, **given | changes)


def helped(root):
    (table,) = summary(*find_runs([root])).tables
    return {one.metric: one for one in table.helped}


def test_stage_one_has_nothing_to_tell(tmp_path):
    save_run(tmp_path / "a", 0.8)
    found = summary(*find_runs([tmp_path]))
    assert found.tables[0].helped == []
    assert "Did stage 2 help?" not in FORMATS["table"](found)


def test_start_and_end_of_a_run_are_paired(tmp_path):
    for seed, (start, after) in enumerate(zip(START, AFTER, strict=True)):
        stage_two(tmp_path / str(seed), seed, start=start, after=after)
    one = helped(tmp_path)["map_at_r"]
    gains = [after - start for start, after in zip(START, AFTER, strict=True)]
    assert one.values["stage 1"].value == pytest.approx(np.mean(START))
    assert one.values["stage 2"].half == pytest.approx(estimate(AFTER).half)
    gain = one.gains["stage 1"].amount
    assert (gain.value, gain.half) == pytest.approx(estimate(gains)[:2])
    assert (gain.over, gain.units) == ("seeds", 3)
    assert set(helped(tmp_path)) == {"map_at_r", "precision_at_1", "other_senders/map_at_r"}


def test_outcomes_make_it_a_difference_over_senders(tmp_path):
    before, after = np.random.default_rng(0).random((2, N))
    folder = stage_two(tmp_path / "a")
    for split, scores in (("validation-start", before), ("validation", after)):
        save_outcomes(folder, scores, split=split, metric="map_at_r", groups=GROUPS)
    one = helped(tmp_path)["map_at_r"]
    expected = paired_difference(after, before, GROUPS)
    gain = one.gains["stage 1"].amount
    assert (gain.value, gain.low, gain.high) == pytest.approx((expected.value, expected.low, expected.high))
    assert (gain.over, one.values["stage 1"].over) == ("senders", "senders")
    text = FORMATS["table"](summary(*find_runs([tmp_path])))
    assert f"{gain.value:+.4f} ± {gain.half:.4f}" in text


def test_raw_pixels_are_paired_by_picture_too(tmp_path):
    name, (before, after) = "other_senders/map_at_r", np.random.default_rng(0).random((2, N))
    folder = stage_two(tmp_path / "a", compared={"raw pixels": {name: float(before.mean())}})
    for split, scores in (("validation-raw", before), ("validation", after)):
        save_outcomes(folder, scores, split=split, metric=name, groups=GROUPS)
    gain = helped(tmp_path)[name].gains["raw pixels"].amount
    expected = paired_difference(after, before, GROUPS)
    assert (gain.value, gain.low, gain.high) == pytest.approx((expected.value, expected.low, expected.high))
    assert gain.over == "senders"


def test_on_another_split_it_is_what_evaluate_found(tmp_path):
    rng, means = np.random.default_rng(0), []
    for seed in range(3):
        folder = stage_two(tmp_path / str(seed), seed)
        scores = {"test-stage_1": rng.random(N), "test-raw": rng.random(N), "test": rng.random(N)}
        for split, values in scores.items():
            save_outcomes(folder, values, split=split, metric="map_at_r", groups=GROUPS)
        before, raw, after = (float(values.mean()) for values in scores.values())
        compared = {"raw pixels": raw, "stage 1": before, "stage 2": after}
        path = folder / "evaluation/test/result.json"
        path.parent.mkdir(parents=True)
        interval = {"value": after, "low": 0.0, "high": 1.0, "units": 30}
        others = {name: {"map_at_r": value} for name, value in compared.items()}
        path.write_text(json.dumps({"metrics": {"map_at_r": interval}, "compared": others}))
        means.append((before, raw, after, list(scores.values())))
    (table,) = summary(*find_runs([tmp_path]), split="test").tables
    (one,) = table.helped
    assert (one.metric, list(one.values)) == ("test/map_at_r", ["raw pixels", "stage 1", "stage 2"])
    assert one.values["stage 1"].value == pytest.approx(np.mean([mean[0] for mean in means]))
    assert one.values["raw pixels"].value == pytest.approx(np.mean([mean[1] for mean in means]))
    pictures = np.mean([mean[3] for mean in means], axis=0)  # of three seeds
    expected = paired_difference(pictures[2], pictures[0], GROUPS)
    gain = one.gains["stage 1"]
    assert (gain.amount.value, gain.amount.low) == pytest.approx((expected.value, expected.low))
    assert gain.repeats.half == pytest.approx(estimate([mean[2] - mean[0] for mean in means]).half)
    assert set(helped(tmp_path)) == {"map_at_r", "precision_at_1", "other_senders/map_at_r"}


def test_other_embeddings_stand_beside(tmp_path):
    for seed, (start, after) in enumerate(zip(START, AFTER, strict=True)):
        compared = {
            "raw pixels": {"map_at_r": 0.1 + seed / 100},
            "pretrained": {"map_at_r": 0.7},
            "stage 1": {"map_at_r": start},
        }
        stage_two(tmp_path / str(seed), seed, start=0.0, after=after, compared=compared)
    found = summary(*find_runs([tmp_path]))
    one = helped(tmp_path)["map_at_r"]
    assert list(one.values) == ["raw pixels", "pretrained", "stage 1", "stage 2"]
    gains = [after - 0.1 - seed / 100 for seed, after in enumerate(AFTER)]
    assert one.gains["raw pixels"].amount[:2] == pytest.approx(
        (np.mean(gains), np.mean(gains) - estimate(gains).half)
    )
    assert one.values["stage 1"].value == pytest.approx(np.mean(START))
    head = next(line for line in FORMATS["markdown"](found).splitlines() if "raw pixels" in line)
    assert [cell.strip() for cell in head.split("|")[1:-1]] == [
        *("metric", "raw pixels", "pretrained", "stage 1", "stage 2"),
        *("stage 2 − raw pixels", "stage 2 − pretrained", "stage 2 − stage 1"),
    ]
    assert "- difference over 3 seeds" in FORMATS["markdown"](found)
    rows = json.loads(FORMATS["json"](found))["studies"][0]["did_stage_2_help"]["rows"]
    assert rows[0]["embeddings"]["pretrained"]["mean"] == pytest.approx(0.7)
    record = next(csv.DictReader(io.StringIO(FORMATS["csv"](found))))
    assert float(record["stage 2 - raw pixels/map_at_r"]) == pytest.approx(np.mean(gains))
    assert float(record["raw pixels/map_at_r"]) == pytest.approx(0.11)


def test_a_metric_that_an_embedding_lacks_is_a_dash(tmp_path):
    stage_two(tmp_path / "a", compared={"raw pixels": {"map_at_r": 0.1}})
    one = helped(tmp_path)["precision_at_1"]
    assert (one.values["raw pixels"], one.gains["raw pixels"]) == (None, None)
    assert "| precision_at_1 | - | 0.8000 | 0.9000 | - | +0.1000 |" in FORMATS["markdown"](
        summary(*find_runs([tmp_path]))
    )


def test_from_scratch_there_is_no_stage_one(tmp_path):
    stage_two(tmp_path / "a", parent=False)
    assert list(helped(tmp_path)["map_at_r"].values) == ["untrained", "stage 2"]


def test_of_many_recipes_only_the_monitored_metric_is_shown(tmp_path):
    for lr in range(4):
        stage_two(tmp_path / str(lr), lr=lr)
    found = summary(*find_runs([tmp_path]))
    assert {one.metric for one in found.tables[0].helped} == {"map_at_r"}
    assert len(found.tables[0].helped) == 4
    assert "more than 3 recipes: the monitored metric only" in FORMATS["table"](found)


@pytest.mark.parametrize(
    "compared", [None, {}, {"raw pixels": {}}, {"raw pixels": {"map_at_r": "x"}}], ids=str
)
def test_nothing_to_compare_with(compared, tmp_path):
    stage_two(tmp_path / "a", compared=compared)
    assert FORMATS["table"](summary(*find_runs([tmp_path])))


def test_unlike_intervals_say_whose_they_are(tmp_path):
    folder = stage_two(tmp_path / "a", compared={"raw pixels": {"map_at_r": 0.1}})
    for split, seed in (("validation-start", 0), ("validation", 1)):
        scores = np.random.default_rng(seed).random(N)
        save_outcomes(folder, scores, split=split, metric="map_at_r", groups=GROUPS)
    text = FORMATS["markdown"](summary(*find_runs([tmp_path])))
    assert "- difference over stage 1: 30 senders" in text
