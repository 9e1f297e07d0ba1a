"""The dashboard: what it writes for both stages, which pictures it chooses, and that it can be left out."""

import re
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from runs import trained
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import metadata

from fashion_lab.callbacks.augmented import augmented_sheet
from fashion_lab.callbacks.boards import BEST, charts
from fashion_lab.callbacks.dashboard import Dashboard
from fashion_lab.callbacks.hyperparameters import METRICS, NUMBERS, WORDS, hyperparameters
from fashion_lab.callbacks.queries import find_queries
from fashion_lab.callbacks.showcase import THUMBNAIL, Shown
from fashion_lab.contracts.batch import IMAGES, LABELS, TARGETS, TRIPLETS

SHORT = ("callbacks.dashboard.confusion_every=1", "callbacks.dashboard.points=20")


def events(folder):
    accumulator = EventAccumulator(str(folder / "tensorboard"), size_guidance={"images": 0, "scalars": 0})
    accumulator.Reload()
    return accumulator


def row(accumulator):
    """The hyperparameters of a run as TensorBoard reads them."""
    content = accumulator.summary_metadata[metadata.SESSION_START_INFO_TAG].plugin_data.content
    values = metadata.parse_session_start_info_plugin_data(content).hparams
    return {name: getattr(value, value.WhichOneof("kind")) for name, value in values.items()}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Both stages, tiny: their folders."""
    classifier, siamese = (tmp_path_factory.mktemp(name) for name in ("classifier", "siamese"))
    trained(classifier, "trainer.max_epochs=2", "optimizer.lr=6e-3", "seed=3", *SHORT)
    trained(
        siamese, "stage=siamese", f"ckpt={classifier}", "optimizer.lr=1e-3", "trainer.max_epochs=2", *SHORT
    )
    return {"classifier": classifier, "siamese": siamese}


def test_stage_1(runs):
    written = events(runs["classifier"])
    tags = written.Tags()
    best = {"pictures/confusion_best"}
    assert set(tags["images"]) == best | {
        "pictures/augmented",
        "pictures/confusion",
        "pictures/predictions_best",
    }
    assert len(written.Images("pictures/confusion")) == 2
    assert len(written.Images("pictures/augmented")) == 1
    assert {"train/loss", "train/learning_rate", "train/epoch", "val/accuracy", "val/recall/hat"} <= set(
        tags["scalars"]
    )
    assert "epoch" not in tags["scalars"]
    rates = [event.value for event in written.Scalars("train/learning_rate")]
    assert len(rates) > 5
    assert max(rates) > 2 * rates[-1], "the curve of one-cycle has its summit inside"


def test_stage_2(runs):
    written = events(runs["siamese"])
    tags = written.Tags()
    assert set(tags["images"]) == {
        "pictures/augmented",
        "pictures/queries_worst_best",
        "pictures/queries_random_best",
    }
    assert "train/positive_distance" in tags["scalars"]
    assert not [tag for tag in tags["scalars"] if tag.endswith("num_queries")]
    steps = sorted(event.step for event in written.Scalars("val/map_at_r"))
    assert len(steps) == 3, "two epochs, and before them the embedding that it starts from"
    assert steps[0] == 0 < steps[2]


@pytest.mark.parametrize("stage", ["classifier", "siamese"])
def test_hyperparameters_and_final_metrics(runs, stage):
    written = events(runs[stage])
    values = row(written)
    assert set(values) <= {*WORDS, *NUMBERS}
    assert values["stage"] == stage
    assert values["seed"] == ("3" if stage == "classifier" else "0")
    assert values["optimizer.lr"] == pytest.approx(6e-3 if stage == "classifier" else 1e-3)
    content = written.summary_metadata[metadata.EXPERIMENT_TAG].plugin_data.content
    table = metadata.parse_experiment_plugin_data(content)
    assert {info.name for info in table.hparam_infos} == {*WORDS, *NUMBERS}
    assert [info.name.tag for info in table.metric_infos] == [f"{BEST}/{name}" for name in METRICS]
    final = {tag for tag in written.Tags()["scalars"] if tag.startswith(BEST)}
    shown = "val/accuracy" if stage == "classifier" else "val/map_at_r"
    assert f"{BEST}/{shown}" in final
    assert final < {f"{BEST}/{name}" for name in METRICS}


@pytest.mark.parametrize("stage", ["classifier", "siamese"])
def test_projector(runs, stage):
    (folder,) = (runs[stage] / "tensorboard").glob("*/validation_20_of_*")
    lines = (folder / "metadata.tsv").read_text().splitlines()
    assert lines[0].split("\t") == ["class", "item", "product", "sender"]
    assert len(lines) == 1 + 20
    vectors = np.loadtxt(folder / "tensors.tsv")
    assert len(vectors) == 20
    assert vectors.std(0).max() > 0
    assert Image.open(folder / "sprite.png").size == (5 * THUMBNAIL, 5 * THUMBNAIL)  # 5 x 5 places for 20


def test_the_charts_name_scalars_that_exist(runs):
    for stage, folder in runs.items():
        scalars = events(folder).Tags()["scalars"]
        for category in charts(stage == "classifier").values():
            for title, (_, patterns) in category.items():
                missing = [one for one in patterns if not any(re.search(one, tag) for tag in scalars)]
                expected = ["^val/loss$"] if (stage, title) == ("siamese", "loss") else []
                assert missing == expected, title


def test_no_logger_no_dashboard(tmp_path):
    folder = trained(tmp_path / "run", "logger=none", "trainer.max_epochs=1", "trainer.limit_train_batches=2")
    assert (folder / "result.json").exists()
    assert not (folder / "tensorboard").exists()


@pytest.mark.parametrize("name", ["confusion_every", "per_class", "queries", "hits", "points"])
def test_counts_are_checked(name):
    with pytest.raises(ValueError, match=f"dashboard.{name} is 0"):
        Dashboard(**{name: 0})


def test_worst_queries_against_a_naive_loop():
    generator = torch.Generator().manual_seed(1)
    vectors, labels = torch.randn(30, 4, generator=generator), torch.randint(0, 5, (30,), generator=generator)
    labels[7] = 99  # alone in its class: cannot be asked for
    scores = {}
    for query in range(30):
        order = sorted(
            (other for other in range(30) if other != query),
            key=lambda other: float((vectors[query] - vectors[other]).norm()),
        )
        right = [float(labels[other] == labels[query]) for other in order]
        total = int(sum(right))
        if total:
            parts = [right[k] * sum(right[: k + 1]) / (k + 1) for k in range(total)]
            scores[query] = (sum(parts) / total, order)
    found = find_queries(vectors, labels, 6, 4, worst=True)
    expected = sorted(score for score, _ in scores.values())[:6]
    assert found.scores.tolist() == pytest.approx(expected)
    for query, hits, score in zip(found.queries, found.hits, found.scores, strict=True):
        assert score == pytest.approx(scores[query][0])
        assert hits.tolist() == scores[query][1][:4]
    picked = find_queries(vectors, labels, 29, 4, worst=False)
    assert sorted(picked.queries) == sorted(scores)


def test_fewer_pictures_than_hits():
    found = find_queries(torch.eye(3), torch.tensor([0, 0, 1]), 8, 6, worst=True)
    assert sorted(found.queries) == [0, 1]
    assert found.hits.shape == (2, 3)
    assert np.isinf(found.distances[:, 2]).all(), "the query itself is no hit"
    assert len(find_queries(torch.eye(2), torch.tensor([0, 1]), 8, 6, worst=True).queries) == 0


def batch(count, **more):
    return {IMAGES: torch.zeros(count, 3, 8, 8), LABELS: torch.zeros(count, dtype=torch.int64), **more}


def test_triplets_are_shown_below_each_other():
    drawn = augmented_sheet(batch(6, **{TRIPLETS: torch.arange(6).view(3, 2)}), ["hat", "dress"])
    mined = augmented_sheet(batch(6, **{TRIPLETS: torch.tensor([[0, 1], [1, 0], [3, 3]])}), ["hat", "dress"])
    assert drawn.height > drawn.width
    assert mined.width > mined.height


def test_a_blend_shows_both_shares():
    plain = augmented_sheet(batch(2), ["hat", "dress"])
    blended = augmented_sheet(batch(2, **{TARGETS: torch.tensor([[0.7, 0.3], [1.0, 0.0]])}), ["hat", "dress"])
    assert blended.height > plain.height


def test_hyperparameters_leave_out_what_a_run_has_not():
    config = {
        "stage": "siamese",
        "seed": 0,
        "ckpt": None,
        "backbone": {"_target_": "a.MobileNetBackbone", "depthwise": False},
        "optimizer": {"_target_": "torch.optim.AdamW", "lr": 0.1},
        "scheduler": None,
        "loss": {"_target_": "a.InBatch", "loss": {"_target_": "b.TripletMarginLoss", "margin": 0.3}},
        "pixels": {"size": 64, "fit": "crop"},
    }
    config["loss"]["miner"] = {"_target_": "b.BatchHardMiner"}
    overrides = ["stage=siamese", "ckpt=null", "augment.flip=0", "hydra.run.dir=x"]
    assert hyperparameters(config, catalog="toy", overrides=overrides) == {
        "stage": "siamese",
        "catalog": "toy",
        "seed": "0",
        "backbone": "MobileNet, dense 3x3",
        "optimizer": "AdamW",
        "scheduler": "none",
        "loss": "TripletMargin + BatchHard",
        "pixels.fit": "crop",
        "starts from": "scratch",
        "command line": "augment.flip=0",
        "optimizer.lr": 0.1,
        "pixels.size": 64,
        "loss.margin": 0.3,
    }


def test_names_without_products_and_senders():
    catalog = SimpleNamespace(
        classes=("hat", "dress"), labels=np.array([0, 1, 1]), item="a\tb{}".format, products=None, groups=None
    )
    header, lines = Shown(catalog, None, np.array([2, 0]), "best").names()
    assert header == ["class", "item"]
    assert lines == [["dress", "a b2"], ["hat", "a b0"]]


def test_a_draw_is_repeated():
    shown = Shown(None, None, np.arange(100, 200), "best")
    assert shown.drawn(100) is shown
    assert len(set(shown.drawn(10).rows.tolist())) == 10
    assert np.array_equal(shown.drawn(10).rows, shown.drawn(10).rows)


def test_a_pretrained_backbone_is_named():
    plain = {"stage": "classifier", "seed": 0, "ckpt": None, "pixels": {"fit": "squash"}}
    nodes = {key: {"_target_": f"x.{key}"} for key in ("optimizer", "loss")}
    backbone = {"_target_": "fashion_lab.backbones.timm.TimmBackbone", "name": "resnet18", "pretrained": True}
    values = hyperparameters(plain | nodes | {"backbone": backbone}, catalog="c", overrides=[])
    assert values["backbone"] == "resnet18"
    assert values["starts from"] == "pretrained"
    for change, origin in (
        ({"pretrained": False}, "scratch"),
        ({"pretrained": "a.safetensors"}, "pretrained"),
    ):
        given = plain | nodes | {"backbone": backbone | change}
        assert hyperparameters(given, catalog="c", overrides=[])["starts from"] == origin
    given = plain | nodes | {"backbone": backbone, "ckpt": "run"}
    assert hyperparameters(given, catalog="c", overrides=[])["starts from"] == "stage 1"
