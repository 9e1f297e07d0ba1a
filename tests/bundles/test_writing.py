"""What a bundle holds, that it appears whole or not at all, and that wrong numbers keep it from appearing."""

import errno
import json
import os
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load as load_arrays
from toy_runs import bundle_of

from fashion_lab import encoders
from fashion_lab.bundles import writing
from fashion_lab.bundles.bundle import open_bundle
from fashion_lab.bundles.golden import COUNT, golden_pictures
from fashion_lab.bundles.manifest import BundleError
from fashion_lab.digest import file_sha256
from fashion_lab.encoders.runs import read_run
from fashion_lab.folders import locked

pytest.importorskip("onnxscript")


@pytest.fixture(scope="module")
def run(toy_home):
    return read_run(toy_home / "siamese", head=None)


@pytest.fixture(scope="module")
def golden(run):
    return golden_pictures(None, run.blueprint.pixels)


def test_the_json_says_what_it_is(toy_home):
    text = (toy_home / "siamese-bundle/bundle.json").read_text()
    assert str(toy_home) not in text, "a bundle leaves this machine"
    facts = json.loads(text)
    run = read_run(toy_home / "siamese")
    assert facts["fingerprint"] == run.fingerprint
    assert (facts["stage"], facts["dim"], facts["distance"]) == ("siamese", 5, "euclidean")
    assert facts["classes"] == ["dress", "hat", "pants"]
    assert facts["pixels"] == {"size": 16, "fit": "squash", "decode_version": 1}
    assert (facts["encoder"]["projection"], facts["encoder"]["normalize"]) == (5, True)
    assert facts["backbone"] == run.blueprint.backbone
    encoder, parent = (
        {"path": path, "sha256": file_sha256(toy_home / path), "stage": path.partition("/")[0]}
        for path in ("siamese/checkpoints/best.ckpt", "classifier/checkpoints/best.ckpt")
    )
    assert facts["run"] == {**encoder, "parent": parent}
    assert facts["head"]["path"] == parent["path"]
    assert facts["calibration"] is None
    assert {"fashion_lab", "python", "torch", "onnx", "onnxruntime"} <= facts["versions"].keys()
    for name, file in facts["files"].items():
        path = toy_home / "siamese-bundle" / name
        assert file == {"bytes": path.stat().st_size, "sha256": file_sha256(path)}


def test_golden_pictures_travel_with_what_the_run_made_of_them(toy_home):
    for stage in ("classifier", "siamese"):
        arrays = load_arrays((toy_home / f"{stage}-bundle/golden.safetensors").read_bytes())
        encoder = read_run(toy_home / stage).encoder()
        assert arrays["pixels"].shape == (COUNT, 3, 16, 16)
        np.testing.assert_array_equal(arrays["embedding"], encoder.embed(arrays["pixels"]))
        np.testing.assert_array_equal(arrays["logits"], encoder.logits(arrays["pixels"]))


def test_a_head_on_the_embedding_shares_the_graph_and_another_has_its_own(toy_home):
    assert open_bundle(toy_home / "classifier-bundle").graph_of == {
        "embedding": "model.onnx",
        "logits": "model.onnx",
    }
    assert open_bundle(toy_home / "siamese-bundle").graph_of["logits"] == "classifier.onnx"
    assert not (toy_home / "classifier-bundle/classifier.onnx").exists()


def test_a_calibration_is_kept_as_it_stands(run, golden, tmp_path):
    calibration = {"slope": -3.5, "middle": 0.7, "made_from": "validation"}
    writing.export_bundle(run, tmp_path / "b", golden, calibration=calibration)
    for runtime in ("torch", "onnx"):
        assert encoders.load(tmp_path / "b", runtime=runtime).calibration == calibration
    with pytest.raises(ValueError, match="not JSON compliant"):
        writing.export_bundle(run, tmp_path / "b", golden, calibration={"slope": float("nan")})
    assert open_bundle(tmp_path / "b").calibration == calibration


def spoilt(change):
    """Graphs of a network that somebody changed after torch had embedded the golden pictures."""
    real = writing.to_onnx

    def to_onnx(graph, size):
        weights = {name: value.clone() for name, value in graph.state_dict().items()}
        change(graph)
        content = real(graph, size)
        graph.load_state_dict(weights)
        return content

    return to_onnx


@torch.no_grad()
def one_weight(graph):
    """A hundredth more in one weight of the first layer."""
    next(value for value in graph.parameters() if value.ndim == 4)[0, 0, 0, 0] += 0.01


@torch.no_grad()
def one_bias(graph):
    list(graph.parameters())[-1][0] += 1e-3


@torch.no_grad()
def statistics(graph):
    """BatchNorm as in training: what a forgotten eval() would leave."""
    next(value for name, value in graph.named_buffers() if name.endswith("running_var")).mul_(1.01)


@torch.no_grad()
def not_a_number(graph):
    next(graph.parameters()).fill_(float("nan"))


@pytest.mark.parametrize("change", [one_weight, one_bias, statistics, not_a_number])
def test_a_graph_that_gives_other_numbers_is_not_exported(run, golden, tmp_path, monkeypatch, change):
    monkeypatch.setattr(writing, "to_onnx", spoilt(change))
    with pytest.raises(BundleError, match="embedding by onnxruntime, all at once: relative error") as caught:
        writing.export_bundle(run, tmp_path / "b", golden)
    assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["b.lock"]


def test_the_same_export_without_the_change_passes(run, golden, tmp_path, monkeypatch):
    monkeypatch.setattr(writing, "to_onnx", spoilt(lambda graph: None))
    assert writing.export_bundle(run, tmp_path / "b", golden) < 1e-5


def test_another_normalisation_in_the_graph_is_not_exported(run, golden, tmp_path, monkeypatch):
    monkeypatch.setattr("fashion_lab.bundles.graph.normalise", lambda pixels: pixels.float() / 255)
    with pytest.raises(BundleError, match="disagree on the 16 golden pictures"):
        writing.export_bundle(run, tmp_path / "b", golden)


@pytest.mark.parametrize("count", [1, 3])
def test_a_graph_for_one_size_of_batch_is_not_exported(run, golden, tmp_path, monkeypatch, count):
    """As torch.export makes it where the batch is a constant."""
    real = writing.to_onnx

    def constant(graph, size):
        import onnx

        model = onnx.load_from_string(real(graph, size))
        model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = count
        return model.SerializeToString()

    monkeypatch.setattr(writing, "to_onnx", constant)
    with pytest.raises(BundleError, match=rf"model\.onnx takes .*\[{count}, 3, 16, 16\]"):
        writing.export_bundle(run, tmp_path / "b", golden)
    assert not (tmp_path / "b").exists()


def test_a_head_that_gives_other_numbers_is_not_exported(toy_home, golden, tmp_path, monkeypatch):
    run = read_run(toy_home / "siamese")
    right, wrong = writing.to_onnx, spoilt(one_bias)

    def to_onnx(graph, size):
        return (right if "embedding" in graph.outputs else wrong)(graph, size)

    monkeypatch.setattr(writing, "to_onnx", to_onnx)
    with pytest.raises(BundleError, match="logits by onnxruntime"):
        writing.export_bundle(run, tmp_path / "b", golden)


def test_weights_that_give_other_numbers_are_not_exported(run, golden, tmp_path, monkeypatch):
    real = writing.save_tensors

    def save(tensors):
        return real({name: value * 1.01 if value.ndim == 4 else value for name, value in tensors.items()})

    monkeypatch.setattr(writing, "save_tensors", save)
    with pytest.raises(BundleError, match="has not the fingerprint"):
        writing.export_bundle(run, tmp_path / "b", golden)


def test_a_failed_export_leaves_the_bundle_that_is_there(toy_home, run, golden, tmp_path, monkeypatch):
    out = bundle_of(toy_home / "classifier", tmp_path / "b")
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    monkeypatch.setattr(writing, "to_onnx", spoilt(one_weight))
    with pytest.raises(BundleError):
        writing.export_bundle(run, out, golden)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    monkeypatch.undo()
    writing.export_bundle(run, out, golden)
    assert open_bundle(out).stage == "siamese"


@pytest.mark.parametrize("number", range(1, 8))
def test_a_full_disk_at_any_file_leaves_nothing(run, golden, tmp_path, monkeypatch, number):
    calls = []
    real = Path.write_bytes

    def write_bytes(path, content):
        calls.append(path)
        if len(calls) == number:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        return real(path, content)

    monkeypatch.setattr(writing, "to_onnx", lambda graph, size: b"graph")
    monkeypatch.setattr(writing, "check_bundle", lambda *args, **options: 0.0)
    monkeypatch.setattr(Path, "write_bytes", write_bytes)
    if number > 4:
        writing.export_bundle(run, tmp_path / "b", golden)
        return
    with pytest.raises(BundleError, match=r"cannot write a bundle at .*b: No space left.*out="):
        writing.export_bundle(run, tmp_path / "b", golden)
    assert [path.name for path in tmp_path.iterdir()] == ["b.lock"]


def test_a_folder_with_other_things_is_not_touched(run, golden, tmp_path):
    (tmp_path / "bundle.json").write_text("mine")
    (tmp_path / "photo.jpg").write_text("mine")
    for out in (tmp_path, tmp_path / "photo.jpg", tmp_path / "photo.jpg" / "b"):
        with pytest.raises(BundleError, match=r"holds photo\.jpg|holds a file|cannot write a bundle"):
            writing.export_bundle(run, out, golden)
    assert (tmp_path / "photo.jpg").read_text() == "mine"
    assert (tmp_path / "bundle.json").read_text() == "mine"


def test_two_writers_come_one_after_the_other(run, golden, tmp_path, monkeypatch):
    monkeypatch.setattr(writing, "to_onnx", lambda graph, size: b"graph")
    monkeypatch.setattr(writing, "check_bundle", lambda *args, **options: 0.0)
    writer = threading.Thread(target=writing.export_bundle, args=(run, tmp_path / "b", golden))
    with locked(tmp_path / "b"):
        writer.start()
        writer.join(0.3)
        assert not (tmp_path / "b").exists(), "it waits for the lock"
    writer.join(60)
    assert open_bundle(tmp_path / "b").dim == 5
