"""One encoder, three ways to name it and two runtimes: equal numbers, one fingerprint, clear refusals."""

import logging
import shutil
import sys

import numpy as np
import pytest
import torch
from toy_checkpoints import content
from toy_runs import bundle_of, pictures, save

from fashion_lab import encoders
from fashion_lab.bundles import writing
from fashion_lab.encoders.batches import EMBED_BATCH, probabilities
from fashion_lab.extras import MissingExtraError

pytest.importorskip("onnxruntime")
STAGES = ["classifier", "siamese"]


def kind(encoder):
    return type(encoder).__name__


def everywhere(home, stage):
    """The encoder of a stage in every way that it can be loaded."""
    run, bundle = home / stage, home / f"{stage}-bundle"
    yield encoders.load(run)
    yield encoders.load(run / "checkpoints/best.ckpt", runtime="torch")
    yield encoders.load(str(bundle), runtime="torch")
    yield encoders.load(bundle, runtime="onnx")
    yield encoders.load(run, runtime="onnx")


@pytest.mark.parametrize("stage", STAGES)
def test_all_ways_give_the_same_encoder(toy_home, stage):
    pixels = pictures(9)
    first, *others = everywhere(toy_home, stage)
    assert [kind(other) for other in others] == ["TorchEncoder"] * 2 + ["OnnxEncoder"] * 2
    for other in others:
        assert other.fingerprint == first.fingerprint
        assert (other.dim, other.classes, other.pixels) == (first.dim, first.classes, first.pixels)
        assert other.has_head
        np.testing.assert_allclose(other.embed(pixels), first.embed(pixels), rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(other.classify(pixels), first.classify(pixels), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("runtime", ["torch", "onnx"])
def test_company_does_not_matter(toy_home, stage, runtime):
    encoder = encoders.load(toy_home / f"{stage}-bundle", runtime=runtime)
    pixels = pictures(EMBED_BATCH + 3)
    together = encoder.embed(pixels)
    assert together.shape == (EMBED_BATCH + 3, encoder.dim)
    assert together.dtype == np.float32
    for size in (1, 7, 64):
        parts = [encoder.embed(pixels[start : start + size]) for start in range(0, 128, size)]
        np.testing.assert_allclose(np.concatenate(parts)[:128], together[:128], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(encoder.embed(pixels[-1:])[0], together[-1], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("runtime", ["torch", "onnx"])
def test_probabilities_are_the_softmax_of_the_classifier(toy_home, runtime):
    pixels = pictures(4)
    encoder = encoders.load(toy_home / "siamese-bundle", runtime=runtime)
    shares = encoder.classify(pixels)
    assert (shares.shape, shares.dtype) == ((4, 3), np.float32)
    np.testing.assert_allclose(shares.sum(axis=1), 1, rtol=1e-6)
    own = encoders.load(toy_home / "classifier").classify(pixels)
    np.testing.assert_allclose(shares, own, rtol=1e-4, atol=1e-6)


def test_probabilities_do_not_overflow():
    logits = np.array([[1000, 0, -1000], [-1e4, -1e4, -1e4]], np.float32)
    expected = torch.from_numpy(logits).softmax(1).numpy()
    np.testing.assert_allclose(probabilities(logits), expected)


@pytest.mark.parametrize("runtime", ["torch", "onnx"])
def test_no_pictures_and_wrong_pictures(toy_home, runtime):
    encoder = encoders.load(toy_home / "siamese-bundle", runtime=runtime)
    assert encoder.embed(pictures(0)).shape == (0, 5)
    assert encoder.classify(pictures(0)).shape == (0, 3)
    for wrong in (pictures(2, size=32), pictures(2).astype(np.float32), pictures(2)[0]):
        for call in (encoder.embed, encoder.classify):
            with pytest.raises(ValueError, match=r"this encoder takes uint8 \[N, 3, 16, 16\]"):
                call(wrong)


@pytest.mark.parametrize("runtime", ["torch", "onnx"])
def test_without_a_head(toy_home, tmp_path, runtime):
    bundle = bundle_of(toy_home / "siamese", tmp_path / "b", head=None)
    encoder = encoders.load(bundle, runtime=runtime)
    assert not encoder.has_head
    with pytest.raises(ValueError, match=r"no head to classify with; .*head=<a classifier's run>"):
        encoder.classify(pictures(2))
    np.testing.assert_allclose(
        encoder.embed(pictures(2)), encoders.load(toy_home / "siamese").embed(pictures(2)), atol=1e-6
    )


def test_an_embedding_does_not_pay_for_the_classifier(toy_home):
    """onnxruntime computes a whole graph, whatever is asked for: the classifier's must be another one."""
    encoder = encoders.load(toy_home / "siamese-bundle", runtime="onnx")
    outputs = {name: [node.name for node in one.get_outputs()] for name, one in encoder.sessions.items()}
    assert outputs == {"embedding": ["embedding"], "logits": ["logits"]}
    shared = encoders.load(toy_home / "classifier-bundle", runtime="onnx")
    assert shared.sessions["embedding"] is shared.sessions["logits"]


def test_threads_are_as_many_as_asked_for(toy_home):
    encoder = encoders.load(toy_home / "siamese-bundle", runtime="onnx", threads=1)
    options = encoder.sessions["embedding"].get_session_options()
    assert options.intra_op_num_threads == 1
    assert encoder.sessions["embedding"].get_providers() == ["CPUExecutionProvider"]
    with pytest.raises(ValueError, match="threads=0: give 1 or more"):
        encoders.load(toy_home / "siamese-bundle", threads=0)


def test_auto_takes_onnx_for_a_bundle_and_torch_for_a_run(toy_home, monkeypatch):
    assert kind(encoders.load(toy_home / "siamese-bundle")) == "OnnxEncoder"
    assert kind(encoders.load(toy_home / "siamese")) == "TorchEncoder"
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert kind(encoders.load(toy_home / "siamese-bundle")) == "TorchEncoder"


@pytest.mark.parametrize(
    ("absent", "given", "runtime", "said"),
    [
        (["onnxruntime"], "siamese-bundle", "onnx", "extra onnx: pip install 'fashion_lab[onnx]'"),
        (["onnxruntime", "torch"], "siamese-bundle", "auto", "extra onnx: pip install 'fashion_lab[onnx]'"),
        (["torch"], "siamese-bundle", "torch", "extra train: .*, or runtime=onnx"),
        (["torch"], "siamese", "auto", "extra train: .*, or a bundle of it: python -m fashion_lab.export"),
        (["onnxscript"], "siamese", "onnx", "onnxscript of the extra export: .*, or take runtime=torch"),
        (["torch"], "siamese", "onnx", "torch of the extra export"),
    ],
    ids=str,
)
def test_a_missing_extra_is_one_line(toy_home, tmp_path, monkeypatch, absent, given, runtime, said):
    monkeypatch.setenv("FASHION_LAB_CACHE", str(tmp_path))
    for name in absent:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingExtraError, match=said.replace("[", r"\[")) as caught:
        encoders.load(toy_home / given, runtime=runtime)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "runtime", "said"),
    [
        ("siamese", "tensorrt", "runtime=tensorrt: choose one of auto, torch, onnx"),
        ("nowhere", "auto", "'.*nowhere' does not exist"),
        ("nowhere", "onnx", "'.*nowhere' does not exist"),
        (".", "auto", "holds no checkpoints/best.ckpt"),
        ("siamese-bundle/model.onnx", "auto", "cannot be read as a checkpoint"),
    ],
    ids=str,
)
def test_what_cannot_be_loaded_is_told(toy_home, given, runtime, said):
    with pytest.raises(ValueError, match=said):
        encoders.load(toy_home / given, runtime=runtime)


class TestCache:
    """A run for onnxruntime: exported once, found again without torch, exported again where that is due."""

    @pytest.fixture(autouse=True)
    def exports(self, tmp_path, monkeypatch, toy_home):
        """Folders that were exported to, from now on, into a cache of this test's own."""
        monkeypatch.setenv("FASHION_LAB_CACHE", str(tmp_path / "cache"))
        self.exported, self.run = [], shutil.copytree(toy_home / "siamese", tmp_path / "run")
        real = writing.write_bundle

        def write_bundle(run, out, *args, **options):
            self.exported.append(out)
            return real(run, out, *args, **options)

        monkeypatch.setattr(writing, "write_bundle", write_bundle)

    def test_once(self, monkeypatch, caplog):
        caplog.set_level(logging.INFO)
        first = encoders.load(self.run, runtime="onnx")
        assert "for onnxruntime, once" in caplog.text
        second = encoders.load(self.run / "checkpoints/best.ckpt", runtime="onnx")
        assert len(self.exported) == 1
        assert first.fingerprint == second.fingerprint == encoders.load(self.run).fingerprint
        assert second.has_head
        monkeypatch.setitem(sys.modules, "torch", None)
        assert encoders.load(self.run, runtime="onnx").dim == 5

    def test_another_checkpoint_has_another_bundle(self):
        encoders.load(self.run, runtime="onnx")
        save(self.run, content("siamese", seed=9))
        other = encoders.load(self.run, runtime="onnx")
        assert len(set(self.exported)) == 2
        assert other.fingerprint == encoders.load(self.run).fingerprint

    def test_a_damaged_one_is_made_again(self, caplog):
        first = encoders.load(self.run, runtime="onnx")
        (self.exported[0] / "model.onnx").write_bytes(b"torn")
        again = encoders.load(self.run, runtime="onnx")
        assert len(self.exported) == 2
        assert "is damaged: model.onnx" in caplog.text
        np.testing.assert_array_equal(again.embed(pictures(2)), first.embed(pictures(2)))
