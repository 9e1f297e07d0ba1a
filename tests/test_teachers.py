"""What may teach a run, and what a run with a teacher does."""

import json

import pytest
import torch
import toy_checkpoints
from runs import composed, trained
from toy_runs import save, save_runs

from fashion_lab.check import check
from fashion_lab.config import ConfigError
from fashion_lab.digest import file_sha256
from fashion_lab.networks import MobileNetLikeClassifier
from fashion_lab.pictures import PixelSpec
from fashion_lab.teachers import read_teacher

PIXELS = PixelSpec(size=16, fit="squash")


def read(given, **changed):
    return read_teacher(given, **{"classes": toy_checkpoints.CLASSES, "pixels": PIXELS, "data": {}} | changed)


def test_a_teacher_answers_as_its_run_did(tmp_path):
    origin = {"source": "lite0.safetensors", "sha256": "0"}
    folder = save(tmp_path, toy_checkpoints.content(seed=1, pretraining=origin))
    network, facts = read(folder)
    path = folder / "checkpoints/best.ckpt"
    assert facts == {"path": str(path), "sha256": file_sha256(path), "pretraining": "lite0.safetensors"}
    torch.manual_seed(1)
    own = MobileNetLikeClassifier(3, toy_checkpoints.backbone()).eval()
    images = torch.rand(4, 3, 16, 16)
    torch.testing.assert_close(network(images), own(images))
    assert not network.training
    assert not any(weight.requires_grad for weight in network.parameters())


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"classes": ["dress", "hat"]}, "classes: dress, hat, pants there, dress, hat here"),
        ({"pixels": PixelSpec(size=32, fit="squash")}, r"pixels: .*size=16.* there, .*size=32.* here"),
        ({"pixels": PixelSpec(size=16, fit="letterbox")}, r"pixels: .*squash.* there, .*letterbox.* here"),
        ({"known": {"path": "", "sha256": "f" * 64}}, "another one than before: sha256 .*, was ffffffffffff"),
    ],
    ids=str,
)
def test_what_does_not_fit_is_said(tmp_path, changed, message):
    with pytest.raises(ConfigError, match=rf"(?s)teacher=.* cannot teach this run:.*{message}"):
        read(save(tmp_path, toy_checkpoints.content()), **changed)


def test_an_encoder_does_not_teach(tmp_path):
    _, siamese = save_runs(tmp_path)
    with pytest.raises(ConfigError, match="cannot teach this run:\n  it is of stage siamese"):
        read(siamese)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["teacher=nowhere"], "teacher=nowhere does not exist; give a run folder"),
        (["stage=siamese", "ckpt=null", "+teacher=."], "teacher=. with stage=siamese; a classifier learns"),
    ],
)
def test_words_that_cannot_be(tmp_path, words, message):
    with pytest.raises(ConfigError, match=message):
        check(composed(tmp_path, *words))


@pytest.fixture(scope="module")
def taught(tmp_path_factory):
    home = tmp_path_factory.mktemp("taught")
    teacher = trained(home / "teacher", "trainer.max_epochs=1", "seed=7")
    words = ("trainer.max_epochs=1", f"teacher={teacher}", "augment.mixup=0.2")
    return teacher, trained(home / "student", *words)


def test_a_run_says_what_it_learnt_from_and_keeps_none_of_it(taught):
    teacher, student = taught
    result = json.loads((student / "result.json").read_text())
    path = teacher / "checkpoints/best.ckpt"
    assert result["teacher"] == {"path": str(path), "sha256": file_sha256(path)}
    assert json.loads((teacher / "result.json").read_text())["teacher"] is None
    theirs, ours = (torch.load(run / "checkpoints/last.ckpt", weights_only=True) for run in taught)
    assert ours["state_dict"].keys() == theirs["state_dict"].keys()


def test_answers_change_what_is_learnt(taught, tmp_path):
    _, student = taught
    alone = trained(tmp_path / "alone", "trainer.max_epochs=1", "augment.mixup=0.2")
    with_teacher, without = (
        torch.load(run / "checkpoints/last.ckpt", weights_only=True)["state_dict"] for run in (student, alone)
    )
    assert any(not torch.equal(with_teacher[name], without[name]) for name in without)
