"""Runs as a whole: repeated, interrupted, continued, refused."""

import contextlib
import json
import os
import signal

import pytest
import pytorch_lightning as pl
import torch
from runs import TINY, composed, trained

from fashion_lab.callbacks.run import Clock
from fashion_lab.checkpoint import digest, find, read
from fashion_lab.config import ConfigError
from fashion_lab.modules.base import DivergedError
from fashion_lab.training import Training

EPOCHS = "trainer.max_epochs=3"


def state(folder):
    """Everything that training goes on from: weights, averaged weights, optimizer, schedule."""
    last = torch.load(folder / "checkpoints/last.ckpt", weights_only=True)
    return digest(
        [last[key] for key in ("state_dict", "current_model_state", "optimizer_states", "lr_schedulers")]
    )


class SignalAt(pl.Callback):
    """Sends this process a signal while the first batch of a step is running."""

    def __init__(self, step, number):
        self.step, self.number, self.sent = step, number, False

    def on_before_backward(self, trainer, pl_module, loss):
        if trainer.global_step == self.step and not self.sent:
            self.sent = True
            os.kill(os.getpid(), self.number)


def interrupted(folder, step, number, monkeypatch, *overrides):
    """Start a run, send it the signal in that step, and give the exit code."""
    training = Training(composed(folder, *TINY, EPOCHS, *overrides), folder)
    build_trainer = training._trainer

    def with_signal(**kwargs):
        kwargs["callbacks"] = [*kwargs["callbacks"], SignalAt(step, number)]
        return build_trainer(**kwargs)

    monkeypatch.setattr(training, "_trainer", with_signal)
    with pytest.raises(SystemExit) as stopped:
        training.run()
    return stopped.value.code


def resumed(folder, *overrides):
    cfg = composed(folder, *TINY, EPOCHS, f"resume={folder}", *overrides)
    Training(cfg, folder, overrides=[f"resume={folder}", *overrides]).run()


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return trained(tmp_path_factory.mktemp("runs") / "whole", EPOCHS)


# 14 pictures a batch: two steps an epoch
STAGE_TWO = (EPOCHS, "stage=siamese", "sampler.pictures_per_class=2")


@pytest.fixture(scope="module")
def whole_siamese(tmp_path_factory, whole):
    return trained(tmp_path_factory.mktemp("runs") / "siamese", *STAGE_TWO, f"ckpt={whole}")


def test_same_seed_same_weights(whole, tmp_path):
    assert state(trained(tmp_path / "again", EPOCHS)) == state(whole)
    assert state(trained(tmp_path / "other", EPOCHS, "seed=1")) != state(whole)


def test_decoding_workers_do_not_matter(whole, tmp_path):
    other = trained(tmp_path / "workers", EPOCHS, "pixels.workers=3", f"cache={tmp_path / 'cache'}")
    assert state(other) == state(whole)


# 28 pictures in batches of 8: four steps an epoch, so 3 ends the first and 4 starts the second
@pytest.mark.parametrize("step", [0, 1, 2, 3, 4, 6, 7, 10, 11])
def test_resume_goes_on_bitwise(step, whole, tmp_path, monkeypatch):
    assert interrupted(tmp_path, step, signal.SIGTERM, monkeypatch) == 143
    assert not (tmp_path / "result.json").exists()
    resumed(tmp_path)
    assert state(tmp_path) == state(whole)
    ours, theirs = (json.loads((folder / "result.json").read_text()) for folder in (tmp_path, whole))
    assert ours["metrics"] == theirs["metrics"]


def test_a_continued_run_counts_the_time_before(tmp_path, monkeypatch):
    with monkeypatch.context() as earlier:
        earlier.setattr(Clock, "seconds", lambda clock: {"total": 2000.0, "fit": 1900.0})
        interrupted(tmp_path, 4, signal.SIGTERM, monkeypatch)
    resumed(tmp_path)
    seconds = json.loads((tmp_path / "result.json").read_text())["seconds"]
    assert 1900 < seconds["fit"] < 1990
    assert 2000 < seconds["total"] < 2090
    assert seconds["total"] - seconds["fit"] > 100


@pytest.mark.parametrize("step", [0, 3, 4])
def test_resume_of_stage_two_goes_on_bitwise(step, whole, whole_siamese, tmp_path, monkeypatch):
    overrides = (*STAGE_TWO, f"ckpt={whole}")
    assert interrupted(tmp_path, step, signal.SIGINT, monkeypatch, *overrides) == 130
    resumed(tmp_path)
    assert state(tmp_path) == state(whole_siamese)
    ours, theirs = (json.loads((folder / "result.json").read_text()) for folder in (tmp_path, whole_siamese))
    assert ours["metrics"] == theirs["metrics"]


def test_gradients_gathered_over_batches_survive(tmp_path, monkeypatch):
    """A step is two batches: a signal in its first waits for the second."""
    gathered = "trainer.accumulate_grad_batches=2"
    whole = trained(tmp_path / "whole", EPOCHS, gathered)
    folder = tmp_path / "cut"
    assert interrupted(folder, 2, signal.SIGTERM, monkeypatch, gathered) == 143
    resumed(folder)
    assert state(folder) == state(whole)


TUNED = ("module.freeze_epochs=1", "module.backbone_lr=0.2")


# step 1 is within the frozen epoch, 3 ends it, 4 and 6 are after
@pytest.mark.parametrize("step", [1, 3, 4, 6])
def test_resume_of_a_tuned_backbone_goes_on_bitwise(step, tmp_path_factory, tmp_path, monkeypatch):
    whole = tmp_path_factory.getbasetemp() / "tuned"
    if not whole.exists():
        trained(whole, EPOCHS, *TUNED)
    assert interrupted(tmp_path, step, signal.SIGTERM, monkeypatch, *TUNED) == 143
    resumed(tmp_path)
    assert state(tmp_path) == state(whole)


def test_resume_refuses_what_belongs_to_the_run(tmp_path, monkeypatch):
    interrupted(tmp_path, 1, signal.SIGTERM, monkeypatch)
    with pytest.raises(ConfigError, match=r"optimizer\.lr=1 cannot change on resume"):
        resumed(tmp_path, "optimizer.lr=1")


def test_a_finished_run_is_not_resumed(whole):
    with pytest.raises(ConfigError, match="finished"):
        resumed(whole)


def test_two_trainings_in_one_folder(tmp_path, monkeypatch):
    from fashion_lab.resume import held

    with held(tmp_path), pytest.raises(ConfigError, match="in use"):
        trained(tmp_path)
    trained(tmp_path, "trainer.max_epochs=1")


def test_a_run_is_never_overwritten(whole):
    before = (whole / "checkpoints/best.ckpt").read_bytes()
    with pytest.raises(ConfigError, match="holds a run already"):
        trained(whole)
    assert (whole / "checkpoints/best.ckpt").read_bytes() == before


def test_a_run_is_complete(whole):
    result = json.loads((whole / "result.json").read_text())
    for name in (
        "val/accuracy",
        "val/macro_recall",
        "val/macro_f1",
        "val/loss",
        "val/recall/dress",
    ):
        assert 0 <= result["metrics"][name] < 10
    assert result["parameters"] > 1000
    assert result["multiply_adds"] > 1000
    assert result["seed"] == 0
    counts = torch.tensor(result["confusion"]["val"])
    assert float(counts.trace() / counts.sum()) == pytest.approx(result["metrics"]["val/accuracy"])
    assert result["splits"] == {"train": 28, "validation": 28, "test": 28}
    assert torch.__version__.startswith(result["versions"]["torch"])
    assert result["hardware"]["threads"] == 1
    assert (whole / "config.yaml").is_file()
    assert list((whole / "tensorboard").glob("events*"))


def test_the_best_checkpoint_is_what_is_reported(whole):
    result = json.loads((whole / "result.json").read_text())
    best = read(find(whole))["callbacks"]
    (score,) = [state["best_model_score"] for name, state in best.items() if "val/accuracy" in name]
    assert result["metrics"]["val/accuracy"] == pytest.approx(float(score))
    assert result["metrics"]["val/accuracy"] >= result["metrics"]["val_last/accuracy"]


def test_stage_two_records_its_parent_and_leaves_it_alone(whole, tmp_path):
    before = {path: path.read_bytes() for path in whole.rglob("*") if path.is_file()}
    run = trained(tmp_path, "trainer.max_epochs=1", "stage=siamese", f"ckpt={whole}")
    assert {path: path.read_bytes() for path in whole.rglob("*") if path.is_file()} == before
    record = read(find(run))["fashion_lab"]
    assert record["parent"]["config"]["stage"] == "classifier"
    assert len(record["parent"]["sha256"]) == 64
    metrics = json.loads((run / "result.json").read_text())["metrics"]
    for name in ("precision_at_1", "precision_at_5", "map_at_r", "r_precision", "product/map_at_r"):
        assert 0 <= metrics[f"val/{name}"] <= 1
        assert 0 <= metrics[f"val_start/{name}"] <= 1
    assert "val/gallery/other_senders/map_at_r" in metrics


@pytest.mark.parametrize("loss", ["triplet", "batch_hard", "semi_hard", "multi_similarity", "proxy_anchor"])
def test_every_loss_trains(loss, whole, tmp_path):
    batch = [] if loss == "triplet" else ["sampler.pictures_per_class=2"]
    run = trained(tmp_path, "trainer.max_epochs=1", "stage=siamese", f"ckpt={whole}", f"loss={loss}", *batch)
    assert (run / "result.json").is_file()


def test_stage_two_from_scratch_says_so(tmp_path, caplog):
    trained(tmp_path, "trainer.max_epochs=1", "stage=siamese", "ckpt=null")
    assert "from scratch" in caplog.text


def test_bf16_on_the_cpu_trains_in_mixed_precision(tmp_path):
    words = [
        "trainer.precision=bf16-mixed",
        "+optimizer.fused=true",
        "augment.mixup=0.2",
        "augment.erasing=0.5",
    ]
    run = trained(tmp_path, "trainer.max_epochs=1", *words)
    result = json.loads((run / "result.json").read_text())
    assert result["precision"] == "bf16-mixed"
    assert {tensor.dtype for tensor in read(find(run))["state_dict"].values()} <= {torch.float32, torch.int64}


def test_early_stopping_ends_a_run_that_learns_nothing(tmp_path):
    words = ["callbacks=early_stopping", "callbacks.early_stopping.patience=1", "optimizer.lr=1e-12"]
    run = trained(tmp_path, "trainer.max_epochs=8", *words)
    assert json.loads((run / "result.json").read_text())["epochs"] < 8


def test_half_precision_that_cannot_be_had_is_told(tmp_path):
    with pytest.raises(ConfigError, match="fused"):
        trained(tmp_path, "trainer.precision=16-mixed", "+optimizer.fused=true")
    with pytest.raises(ConfigError, match="needs a GPU"):
        trained(tmp_path, "trainer.precision=16-mixed")


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
def test_a_gpu_that_is_not_there_is_told(tmp_path):
    with pytest.raises(ConfigError, match="sees no GPU"):
        trained(tmp_path, "trainer=gpu")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed", "16-mixed"])
def test_trains_on_a_gpu(precision, tmp_path):
    run = trained(tmp_path, "trainer=gpu", "trainer.max_epochs=2", f"trainer.precision={precision}")
    result = json.loads((run / "result.json").read_text())
    assert result["precision"] == precision
    assert result["hardware"]["gpu"]


@pytest.mark.parametrize("words", [[], ["optimizer.lr=1e30", "trainer.gradient_clip_val=null"]])
def test_signals_go_where_they_went_before(words, tmp_path):
    """A process that trains twice, or fails, must still end on SIGTERM."""
    handlers = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    with contextlib.suppress(DivergedError):
        trained(tmp_path / "run", "trainer.max_epochs=1", *words)
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == handlers


def test_a_run_that_moved_keeps_its_best_epoch(whole, tmp_path, monkeypatch):
    assert interrupted(tmp_path / "old", 6, signal.SIGTERM, monkeypatch) == 143
    (tmp_path / "old").rename(tmp_path / "new")
    resumed(tmp_path / "new")
    ours, theirs = (json.loads((folder / "result.json").read_text()) for folder in (tmp_path / "new", whole))
    assert ours["metrics"] == theirs["metrics"]


def test_stage_1_is_compared_without_what_stage_2_adds_to_it(whole, tmp_path):
    """A projection is random at first: what stage 1 leaves is measured before it."""
    runs = [
        trained(tmp_path / name, "trainer.max_epochs=1", "stage=siamese", f"ckpt={whole}", *words)
        for name, words in {"plain": (), "projected": ("encoder.projection=4",)}.items()
    ]
    plain, projected = (json.loads((run / "result.json").read_text()) for run in runs)
    key = "map_at_r"
    assert plain["compared"]["stage 1"] == projected["compared"]["stage 1"]
    assert plain["compared"]["stage 1"][key] == pytest.approx(plain["metrics"][f"val_start/{key}"], abs=1e-6)
    assert projected["compared"]["stage 1"][key] != pytest.approx(projected["metrics"][f"val_start/{key}"])
