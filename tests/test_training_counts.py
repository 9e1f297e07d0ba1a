"""What a run and a step of training do, counted: guards of speed that no busy machine upsets."""

import sys
from collections import Counter

import pytest
import pytorch_lightning as pl
import torch
from runs import TINY, composed
from torch.profiler import ProfilerActivity, profile

from fashion_lab.benchmarks.bare import BareLoop
from fashion_lab.config import build
from fashion_lab.networks import MobileNetLikeClassifier
from fashion_lab.training import Training

EPOCHS = 3
PYTHON_CALLS = 2000  # a step, beyond a bare loop's; 1,522 were counted with Lightning 2.6.5


class Calls:
    """Counts calls of Python functions while it is on."""

    def __init__(self):
        self.count = 0

    def __enter__(self):
        sys.setprofile(self._seen)

    def __exit__(self, *_):
        sys.setprofile(None)

    def _seen(self, frame, event, argument):
        self.count += event == "call"


class Fills(pl.Callback):
    """Counts how often memory is filled in the second epoch's steps."""

    def __init__(self):
        self.profile, self.steps = profile(activities=[ProfilerActivity.CPU]), 0

    def on_train_epoch_start(self, trainer, module):
        if trainer.current_epoch == 1:
            self.profile.__enter__()
            self.steps = trainer.num_training_batches

    def on_validation_start(self, trainer, module):
        if trainer.current_epoch == 1:
            self.profile.__exit__(None, None, None)

    def a_step(self):
        fills = sum(event.count for event in self.profile.key_averages() if event.key == "aten::fill_")
        return fills / self.steps


class SecondEpoch(pl.Callback):
    """Counts the calls of the second epoch's steps."""

    def __init__(self):
        self.calls, self.steps = Calls(), 0

    def on_train_epoch_start(self, trainer, module):
        if trainer.current_epoch == 1:
            self.calls.__enter__()
            self.steps = trainer.num_training_batches

    def on_validation_start(self, trainer, module):
        self.calls.__exit__()


@pytest.fixture
def forwards(monkeypatch):
    """Pictures in each forward pass of a classifier, apart for training and evaluation."""
    seen = Counter()
    forward = MobileNetLikeClassifier.forward

    def counted(self, images):
        seen["training" if self.training else "evaluation"] += len(images)
        return forward(self, images)

    monkeypatch.setattr(MobileNetLikeClassifier, "forward", counted)
    return seen


def run(folder, *overrides, callbacks=()):
    cfg = composed(folder, *TINY, f"trainer.max_epochs={EPOCHS}", f"cache={folder.parent}/cache", *overrides)
    folder.mkdir()
    training = Training(cfg, folder, callbacks=callbacks)
    training.run()
    return cfg


def test_pictures_go_through_the_network_as_often_as_they_must(tmp_path, forwards):
    cfg = run(tmp_path / "run", "logger=none")
    catalog = build(cfg.data)
    train, validation = (len(catalog.splits[name]) for name in ("train", "validation"))
    assert forwards["training"] == EPOCHS * train
    assert (
        forwards["evaluation"] == (EPOCHS + 4) * validation + 1
    )  # last, best, each by picture too; one is measured


def test_a_second_run_decodes_nothing(tmp_path, monkeypatch):
    run(tmp_path / "first", "logger=none")

    def refuse(*_):
        raise AssertionError("decoded again")

    monkeypatch.setattr("fashion_lab.data.pixels._build", refuse)
    run(tmp_path / "second", "logger=none", "backbone.width=0.25", "batch_size=16", "seed=5")


def python_calls(folder, batch_size):
    """Calls of an epoch, of our training and of a bare loop, and its steps."""
    second, bare = SecondEpoch(), Calls()
    cfg = run(folder, "logger=none", f"batch_size={batch_size}", callbacks=[second])
    epoch = BareLoop(cfg, torch.device("cpu")).epoch
    epoch()
    with bare:
        epoch()
    return second.calls.count, bare.count, second.steps


def test_a_step_costs_few_python_calls_more_than_a_bare_loop(tmp_path):
    ours, bare, steps = python_calls(tmp_path / "large", 14)
    ours_2, bare_2, steps_2 = python_calls(tmp_path / "small", 2)
    more = ((ours_2 - ours) - (bare_2 - bare)) / (steps_2 - steps)  # what an epoch costs once is not in it
    assert 0 < more < PYTHON_CALLS


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_pixels_stay_on_the_device(tmp_path):
    copies = Counter()

    class Watch(pl.Callback):
        def on_train_batch_start(self, trainer, module, batch, batch_idx):
            copies.update(key for key, value in batch.items() if value.device.type != "cuda")

    run(tmp_path / "run", "trainer=gpu", callbacks=[Watch()])
    assert not copies


def test_new_memory_is_not_filled(tmp_path):
    fills = Fills()
    run(tmp_path / "run", "logger=none", callbacks=[fills])
    assert fills.a_step() < 20, "determinism has PyTorch fill every new tensor, hundreds a step"


def test_seeding_each_step_queues_nothing(tmp_path):
    before = len(torch.cuda._queued_calls)
    run(tmp_path / "run", "logger=none")
    assert len(torch.cuda._queued_calls) <= before + 10, "seed_everything queues a few, a step none"


@pytest.mark.parametrize("stage", ["classifier", "siamese"])
def test_what_a_step_calls_is_what_is_compiled(tmp_path, monkeypatch, stage):
    modes, calls = [], Counter()

    def compile(self, *, mode):
        modes.append(mode)
        self.register_forward_hook(
            lambda module, *_: calls.update(["steps" if module.training else "others"])
        )

    monkeypatch.setattr(torch.nn.Module, "compile", compile)
    words = ["compile=true", "compile_mode=reduce-overhead", "logger=none", "trainer.max_epochs=1"]
    run(tmp_path / "run", *words, f"stage={stage}", "ckpt=null")
    assert modes == ["reduce-overhead"]
    assert calls["steps"]
