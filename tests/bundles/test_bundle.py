"""Bundles that are damaged, foreign, newer or hostile: each is one clear line, and nothing of it is used."""

import json
import shutil

import numpy as np
import pytest

from fashion_lab import encoders
from fashion_lab.bundles.bundle import is_bundle, open_bundle
from fashion_lab.bundles.manifest import BundleError, signed, vouch
from fashion_lab.problems import ConfigError

FILES = ["bundle.json", "classifier.onnx", "golden.safetensors", "model.onnx", "weights.safetensors"]


@pytest.fixture
def bundle(toy_home, tmp_path):
    """A copy of the bundle of stage 2, to be spoilt."""
    return shutil.copytree(toy_home / "siamese-bundle", tmp_path / "bundle")


def facts(bundle):
    return json.loads((bundle / "bundle.json").read_text())


def rewrite(bundle, **changes):
    """Change facts, with a digest that fits: what somebody who knows the format could do."""
    changed = facts(bundle) | changes
    del changed["digest"]
    (bundle / "bundle.json").write_text(json.dumps(signed(changed)))


def put(bundle, name, content):
    (bundle / name).write_bytes(content)
    rewrite(bundle, files=facts(bundle)["files"] | {name: vouch(content)})


def refused(bundle, said, runtimes=("onnx", "torch")):
    for runtime in runtimes:
        with pytest.raises(BundleError, match=said) as caught:
            encoders.load(bundle, runtime=runtime)
        line = str(caught.value)
        assert "\n" not in line
        assert str(bundle) in line
        assert "export" in line


def test_a_whole_bundle_opens(bundle):
    opened = open_bundle(bundle)
    assert (opened.stage, opened.dim, opened.pixels.size) == ("siamese", 5, 16)
    assert opened.calibration is None
    assert sorted(path.name for path in bundle.iterdir()) == FILES
    assert is_bundle(bundle)
    assert not is_bundle(bundle / "bundle.json")
    assert not is_bundle(bundle.parent)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("place", [0.0, 0.3, 0.5, 0.999])
def test_one_flipped_bit_anywhere_is_told(bundle, name, place):
    content = bytearray((bundle / name).read_bytes())
    content[int(place * len(content))] ^= 4
    (bundle / name).write_bytes(content)
    refused(bundle, "is damaged: .*(not what was written|bundle.json: )|not written by")


@pytest.mark.parametrize("name", FILES[1:])
@pytest.mark.parametrize("kept", [0, 1, 0.5])
def test_a_file_cut_off_or_missing_is_told(bundle, name, kept):
    path = bundle / name
    path.write_bytes(path.read_bytes()[: int(kept * path.stat().st_size) if kept < 1 else -1])
    refused(bundle, rf"damaged: {name} has [\d,]+ bytes, not \d+; export it again")
    path.unlink()
    refused(bundle, f"damaged: {name} is missing")


def test_every_cut_of_the_json_is_told(bundle):
    whole = (bundle / "bundle.json").read_bytes()
    for kept in range(0, len(whole) - 2, 97):
        (bundle / "bundle.json").write_bytes(whole[:kept])
        refused(bundle, "damaged", ["onnx"])


def test_hand_edits_are_told(bundle):
    text = (bundle / "bundle.json").read_text()
    (bundle / "bundle.json").write_text(text.replace('"squash"', '"crop"'))
    refused(bundle, "bundle.json is not what was written")
    (bundle / "bundle.json").write_text(json.dumps(json.loads(text)))
    assert open_bundle(bundle).dim == 5, "other white space changes nothing"


@pytest.mark.parametrize("text", ["{}", "[]", "null", "7", '{"format": "something.else"}'])
def test_foreign_json_is_told(bundle, text):
    (bundle / "bundle.json").write_text(text)
    with pytest.raises(BundleError, match=r"not written by python -m fashion_lab\.export"):
        encoders.load(bundle)


@pytest.mark.parametrize("text", ["", "no", '{"a": ', "[" * 100_000, '{"a": ' * 50_000, "1" * 10_000, "\x00"])
def test_what_is_no_json_is_told(bundle, text):
    (bundle / "bundle.json").write_text(text)
    refused(bundle, "is damaged|not written by", ["onnx"])


def test_a_huge_json_is_not_read(bundle, monkeypatch):
    with (bundle / "bundle.json").open("wb") as file:
        file.truncate(2**40)  # sparse: reading it would take all memory
    refused(bundle, r"bundle\.json: it has 1,099,511,627,776 bytes, more than 1,048,576")


def test_a_huge_file_is_not_read(bundle):
    with (bundle / "model.onnx").open("wb") as file:
        file.truncate(2**40)
    rewrite(bundle, files=facts(bundle)["files"] | {"model.onnx": {"bytes": 2**40, "sha256": "0" * 64}})
    refused(bundle, "model.onnx has 1,099,511,627,776 bytes")


def test_a_newer_format_is_told(bundle):
    rewrite(bundle, format_version=2, dim="as told by the future")
    refused(bundle, "has format 2, newer than 1: update fashion_lab")


def test_another_decode_is_told(bundle):
    pixels = facts(bundle)["pixels"] | {"decode_version": 99}
    rewrite(bundle, pixels=pixels)
    refused(bundle, "decode version 99, this release decodes with 1")


@pytest.mark.parametrize(
    "changes",
    [
        {"pixels": None},
        {"pixels": {}},
        {"pixels": {"size": 10**6, "fit": "squash", "decode_version": 1}},
        {"pixels": {"size": 16, "fit": "sideways", "decode_version": 1}},
        {"dim": 0},
        {"dim": True},
        {"dim": "5"},
        {"dim": 6},
        {"classes": []},
        {"classes": ["a", 7, None]},
        {"classes": "abc"},
        {"classes": ["a", "b"]},
        {"graphs": {}},
        {"graphs": {"embedding": "../model.onnx"}},
        {"graphs": {"embedding": "classifier.onnx", "logits": "classifier.onnx"}},
        {"graphs": {"embedding": "model.onnx"}},
        {"graphs": {"embedding": "model.onnx", "logits": "model.onnx"}},
        {"graphs": {"embedding": ["model.onnx"]}},
        {"head": None},
        {"files": {}},
        {"files": {"/etc/passwd": {"bytes": 1, "sha256": ""}}},
        {"files": dict.fromkeys(FILES[1:])},
        {"files": {name: {} for name in FILES[1:]}},
        {"fingerprint": None},
        {"calibration": "a word"},
        {"stage": None},
    ],
    ids=str,
)
def test_facts_that_cannot_be_are_told(bundle, changes):
    rewrite(bundle, **changes)
    refused(bundle, "is damaged", ["onnx"])


def test_a_file_of_another_folder_is_never_read(bundle):
    (bundle.parent / "secret").write_text("secret")
    files = facts(bundle)["files"]
    for name in ("../secret", "secret/../../secret", str(bundle.parent / "secret")):
        rewrite(bundle, files=files | {name: vouch(b"secret")})
        refused(bundle, "it lists the files")


@pytest.mark.parametrize("content", [b"", b"no graph", b"\x00" * 1000, b"\x08\x0a"])
def test_a_graph_that_is_none_is_told(bundle, content):
    put(bundle, "model.onnx", content)
    refused(bundle, "damaged: model.onnx", ["onnx"])


def test_a_graph_that_is_another_one_is_told(bundle, toy_home):
    put(bundle, "model.onnx", (bundle / "classifier.onnx").read_bytes())
    refused(bundle, "model.onnx takes .* gives embedding", ["onnx"])
    put(bundle, "model.onnx", (toy_home / "classifier-bundle/model.onnx").read_bytes())
    refused(bundle, "model.onnx takes .* gives embedding", ["onnx"])


def test_a_graph_cannot_read_other_files(bundle, monkeypatch):
    """Weights of an ONNX graph may lie in a file beside it, which the graph names; ours has none."""
    onnx = pytest.importorskip("onnx")
    monkeypatch.chdir(bundle.parent)
    content = onnx.load_from_string((bundle / "model.onnx").read_bytes())
    weight = max(content.graph.initializer, key=lambda one: len(one.raw_data))
    for place in (".", "bundle"):
        (bundle.parent / place / "secret").write_bytes(weight.raw_data)
    weight.ClearField("raw_data")
    weight.data_location = onnx.TensorProto.EXTERNAL
    for location in ("secret", "bundle/secret", "../secret", str(bundle.parent / "secret")):
        del weight.external_data[:]
        entry = weight.external_data.add()
        entry.key, entry.value = "location", location
        (bundle / "secret").unlink(missing_ok=True)
        put(bundle, "model.onnx", content.SerializeToString())
        refused(bundle, "damaged: model.onnx", ["onnx"])


def test_weights_that_do_not_fit_are_told(bundle, toy_home):
    put(bundle, "weights.safetensors", b"no weights")
    refused(bundle, "damaged: weights.safetensors", ["torch"])
    put(bundle, "weights.safetensors", (toy_home / "classifier-bundle/weights.safetensors").read_bytes())
    refused(bundle, "weights.safetensors does not fit its config", ["torch"])


@pytest.mark.parametrize("place", ["encoder", "head"])
def test_an_option_that_is_no_more_comes_from_other_code(bundle, place):
    before = facts(bundle)[place]
    rewrite(bundle, **{place: before | {"backbone": before["backbone"] | {"relu_after_sum": True}}})
    with pytest.raises(ConfigError, match=r"bundle was made by other code.* takes no 'relu_after_sum'"):
        encoders.load(bundle, runtime="torch")


def test_weights_of_another_run_have_another_fingerprint(bundle):
    from safetensors.numpy import load, save

    weights = load((bundle / "weights.safetensors").read_bytes())
    weights["encoder.projection.bias"] = weights["encoder.projection.bias"] + np.float32(1e-3)
    put(bundle, "weights.safetensors", save(weights))
    refused(bundle, "has not the fingerprint", ["torch"])


@pytest.mark.parametrize("place", ["encoder", "head"])
def test_the_config_inside_names_no_hostile_target(bundle, place, monkeypatch):
    monkeypatch.chdir(bundle.parent)
    hostile = {"_target_": "os.system", "command": "touch canary"}
    changed = facts(bundle)[place] | {"backbone": hostile}
    rewrite(bundle, **{place: changed}, trusted=["os"])
    with pytest.raises(ValueError, match="_target_"):
        encoders.load(bundle, runtime="torch")
    assert not (bundle.parent / "canary").exists()
    encoders.load(bundle, runtime="onnx")  # builds nothing


def test_what_is_no_bundle_is_told(tmp_path):
    with pytest.raises(BundleError, match=r"no bundle at .*nowhere: no such folder; make one"):
        open_bundle(tmp_path / "nowhere")
    with pytest.raises(BundleError, match=r"it has no bundle\.json"):
        open_bundle(tmp_path)
