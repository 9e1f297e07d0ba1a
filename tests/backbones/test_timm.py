"""timm as a backbone: its own numbers and normalisation, and weights only where a new run asks for them."""

import json
import shutil

import numpy as np
import pytest
import torch
from runs import TINY, trained
from safetensors.torch import save_file

timm = pytest.importorskip("timm")

from fashion_lab import encoders  # noqa: E402
from fashion_lab.backbones.timm import TimmBackbone  # noqa: E402
from fashion_lab.bundles.golden import golden_pictures  # noqa: E402
from fashion_lab.bundles.writing import export_bundle  # noqa: E402
from fashion_lab.checkpoint import find, read  # noqa: E402
from fashion_lab.config import ConfigError  # noqa: E402
from fashion_lab.encoders.runs import read_run  # noqa: E402
from fashion_lab.evaluating import evaluated  # noqa: E402
from fashion_lab.networks import SiameseEncoder, normalise  # noqa: E402

CONV, VIT, NHWC = "test_efficientnet", "test_vit", "test_mambaout"
OWN = tuple(word for word in TINY if not word.startswith("backbone."))


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    """No test may reach the hub: timm's way there is an error that the test would show."""
    monkeypatch.setattr("timm.models._builder.load_state_dict_from_hf", unreachable)


def unreachable(*_, **__):
    raise OSError("the hub\nis not there")


@pytest.fixture
def pixels():
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, (3, 3, 32, 32), dtype=np.uint8))


def model(name, **options):
    """A model of timm with weights that another seed gives, and statistics of BatchNorm from noise."""
    torch.manual_seed(5)
    built = timm.create_model(name, pretrained=False, **options)
    norms = [part for part in built.modules() if isinstance(part, torch.nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = 1.0
    if norms:
        built(torch.randn(16, 3, 64, 64))
    return built.eval()


def weights_file(folder, name, **options):
    path = folder / f"{name}.safetensors"
    save_file(model(name, **options).state_dict(), path)
    return path


@pytest.mark.parametrize("name", [CONV, VIT, NHWC, "test_convnext"])
def test_numbers_are_those_of_timm(name):
    options = {"img_size": 32} if name == VIT else {}
    theirs = model(name, num_classes=0, **options)
    backbone = TimmBackbone(name=name, image_size=32).eval()
    backbone.model.load_state_dict(theirs.state_dict())
    images = torch.randn(3, 3, 32, 32)
    found = backbone(images)
    assert found.shape == (3, backbone.out_channels, 1, 1)
    expected = theirs(images * backbone.scale + backbone.shift)
    torch.testing.assert_close(found.flatten(1), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", [CONV, VIT, "vit_tiny_patch16_224.augreg_in21k"])
def test_the_model_sees_its_own_normalisation(name, pixels):
    backbone = TimmBackbone(name=name, image_size=32)
    known = backbone.model.pretrained_cfg
    mean, deviation = (torch.tensor(known[key]).view(3, 1, 1) for key in ("mean", "std"))
    seen = []
    backbone.model.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    backbone(normalise(pixels))
    torch.testing.assert_close(seen[0], (pixels / 255 - mean) / deviation, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", [CONV, NHWC])
def test_a_map_has_its_channels_first(name):
    backbone = TimmBackbone(name=name, features="map").eval()
    theirs = model(name, num_classes=0)
    backbone.model.load_state_dict(theirs.state_dict())
    images = torch.randn(2, 3, 96, 64)
    found = backbone(images)
    assert found.shape == (2, backbone.out_channels, 3, 2)
    if name == CONV:  # which pools by averaging
        pooled = TimmBackbone(name=name).eval()
        pooled.model.load_state_dict(theirs.state_dict())
        torch.testing.assert_close(found.mean((2, 3)), pooled(images).flatten(1))


@pytest.mark.parametrize("name", [CONV, VIT, NHWC])
def test_layers_have_every_parameter_once_and_the_stem_first(name):
    backbone = TimmBackbone(name=name)
    layers = backbone.layers()
    names = {id(parameter): name for name, parameter in backbone.named_parameters()}
    found = [names[id(parameter)] for layer in layers for parameter in layer]
    assert sorted(found) == sorted(names.values())
    assert len(layers) > 3
    assert any(word in found[0] for word in ("stem", "patch_embed", "token", "pos_embed"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "resnet81"}, r"backbone\.name is 'resnet81'.*did you mean resnet18"),
        ({"name": "resnet18.nope"}, r"'resnet18\.nope', a tag.*resnet18\.a1_in1k"),
        ({"name": "hf-hub:timm/resnet18"}, "which timm does not have"),
        ({"name": None}, r"backbone\.name is None"),
        ({"name": CONV, "features": "mean"}, r"backbone\.features is 'mean'; allowed are pooled and map"),
        ({"name": VIT, "features": "map"}, "has no feature map; take backbone.features=pooled"),
        ({"name": VIT, "image_size": 40}, r"40 pixels: .*its own size is 160"),
        ({"name": CONV, "pretrained": 1}, r"backbone\.pretrained is 1; allowed are true, false and a file"),
        ({"name": CONV, "pretrained": "https://x/y"}, r"allowed are true, false and a file"),
        ({"name": CONV, "pretrained": ""}, r"allowed are true, false and a file"),
    ],
)
def test_values_that_cannot_be(options, message):
    with pytest.raises(ValueError, match=message) as caught:
        TimmBackbone(**options)
    assert "\n" not in str(caught.value)


def test_nothing_is_fetched_before_the_start():
    backbone = TimmBackbone(name=CONV, pretrained=True)
    with pytest.raises(
        ValueError, match=r"pretrained=true: no weights of test_eff.*the hub is not there; give"
    ):
        backbone.start()
    assert TimmBackbone(name=CONV).start() is None


def test_the_hubs_weights(monkeypatch):
    theirs = model(CONV).state_dict()
    monkeypatch.setattr("timm.models._builder.load_state_dict_from_hf", lambda *_, **__: dict(theirs))
    backbone = TimmBackbone(name=CONV, pretrained=True)
    origin = backbone.start()
    assert origin["source"] == "timm/test_efficientnet.r160_in1k (r160_in1k)"
    assert len(origin["sha256"]) == 64
    for name, value in backbone.model.state_dict().items():
        assert torch.equal(value, theirs[name]), name


@pytest.mark.parametrize("kind", ["safetensors", "pth"])
def test_a_files_weights(kind, tmp_path):
    path = weights_file(tmp_path, CONV)
    theirs = model(CONV).state_dict()
    if kind == "pth":
        path = tmp_path / "weights.pth"
        torch.save({"state_dict": theirs}, path)
    backbone = TimmBackbone(name=CONV, pretrained=str(path))
    assert backbone.start()["source"] == str(path)
    for name, value in backbone.model.state_dict().items():
        assert torch.equal(value, theirs[name]), name


def test_a_file_of_another_size_is_converted_by_timm(tmp_path):
    path = weights_file(tmp_path, VIT)
    backbone = TimmBackbone(name=VIT, pretrained=str(path), image_size=64)
    before = backbone.model.pos_embed.clone()
    backbone.start()
    assert backbone.model.pos_embed.shape == (1, 17, 64)
    assert not torch.equal(backbone.model.pos_embed, before)


def test_files_that_do_not_fit(tmp_path):
    theirs = model(CONV).state_dict()
    first, *_, last = (
        name for name in theirs if name.endswith("conv_pw.weight") or name == "conv_head.weight"
    )
    for change, message in (
        ({first: None}, f"{first} is not in it and 0 more"),
        ({last: torch.zeros(3)}, rf"{last} has shape \(3,\)"),
        ({"stranger": torch.zeros(1)}, "stranger is too many"),
    ):
        changed = {name: value for name, value in (theirs | change).items() if value is not None}
        path = tmp_path / "changed.safetensors"
        save_file(changed, path)
        backbone = TimmBackbone(name=CONV, pretrained=str(path))
        before = {name: value.clone() for name, value in backbone.state_dict().items()}
        with pytest.raises(ValueError, match=message):
            backbone.start()
        assert all(torch.equal(value, before[name]) for name, value in backbone.state_dict().items())


def test_files_that_cannot_be_read(tmp_path):
    (tmp_path / "noise.safetensors").write_bytes(b"noise" * 100)
    torch.save({"weight": object}, tmp_path / "code.pth")
    for name, message in (
        ("gone.safetensors", "is no file"),
        ("noise.safetensors", "cannot be read"),
        ("code.pth", "cannot be read: weights_only"),
    ):
        with pytest.raises(ValueError, match=message):
            TimmBackbone(name=CONV, pretrained=str(tmp_path / name)).start()


@pytest.fixture(scope="module", params=[CONV, VIT])
def runs(request, tmp_path_factory):
    """Both stages with a file's weights; the file is gone afterwards."""
    home = tmp_path_factory.mktemp(request.param)
    path = weights_file(home, request.param)
    words = ("backbone=timm", f"backbone.name={request.param}", "trainer.max_epochs=1", "logger=none")
    one = trained(home / "one", *words, f"backbone.pretrained={path}", tiny=OWN)
    path.unlink()
    two = trained(home / "two", *words, "stage=siamese", f"ckpt={one}", tiny=OWN)
    return one, two


def test_the_file_is_needed_once(runs):
    one, _ = runs
    results = [json.loads((run / "result.json").read_text()) for run in runs]
    sha256 = read(find(one))["fashion_lab"]["pretraining"]["sha256"]
    assert f".safetensors (sha256 {sha256[:12]})" in results[0]["pretraining"]
    assert results[1]["pretraining"].startswith("stage 1, ")
    assert results[1]["pretraining"].endswith(results[0]["pretraining"])
    for run in runs:
        assert encoders.load(run).embed(np.zeros((1, 3, 32, 32), np.uint8)).shape == (
            1,
            encoders.load(run).dim,
        )


def compared(run):
    return json.loads((run / "result.json").read_text())["compared"]


def test_stage_2_is_compared_with_the_pretrained_backbone(tmp_path, caplog):
    path = weights_file(tmp_path, CONV)
    words = ["backbone=timm", f"backbone.name={CONV}", "trainer.max_epochs=1", "logger=none"]
    one = trained(tmp_path / "one", *words, f"backbone.pretrained={path}", tiny=OWN)
    two = trained(tmp_path / "two", *words, "stage=siamese", f"ckpt={one}", tiny=OWN)
    assert list(compared(two)) == ["raw pixels", "pretrained backbone", "stage 1", "stage 2"]
    assert compared(two)["pretrained backbone"] != compared(two)["stage 1"]
    found = evaluated(str(two), "validation").result["compared"]
    assert found["pretrained backbone"] == compared(two)["pretrained backbone"]
    path.write_bytes(weights_file(tmp_path, VIT).read_bytes())
    assert "pretrained backbone" not in evaluated(str(two), "validation").result["compared"]
    assert "not compared with the pretrained backbone" in caplog.text


def test_stage_2_is_not_compared_with_what_is_gone(runs):
    assert list(compared(runs[1])) == ["raw pixels", "stage 1", "stage 2"]


def test_one_preprocessing_for_training_and_both_runtimes(runs, tmp_path, pixels):
    """What a module sees in validation, what a run embeds and what its graph gives is one vector."""
    pytest.importorskip("onnxscript")
    for number, given in enumerate(runs):
        run = read_run(given)
        error = export_bundle(run, tmp_path / str(number), golden_pictures(None, run.blueprint.pixels))
        assert error < 1e-4
        expected = run.network.eval()(normalise(pixels)).detach().numpy()
        for runtime in ("torch", "onnx"):
            found = encoders.load(tmp_path / str(number), runtime=runtime).embed(pixels.numpy())
            np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_a_checkpoint_keeps_the_normalisation(runs, pixels):
    backbone = read_run(runs[0]).network.backbone
    weights = read(find(runs[0]))["state_dict"]
    assert torch.equal(weights["network.backbone.scale"], backbone.scale)
    other = TimmBackbone(name="test_resnet", image_size=32)  # made for mean and deviation 0.5: nothing to do
    name = read(find(runs[0]))["fashion_lab"]["config"]["backbone"]["name"]
    assert torch.equal(other.scale, backbone.scale) is (name == VIT)
    assert torch.equal(other.scale, torch.ones(3, 1, 1))
    assert torch.equal(other.shift, torch.zeros(3, 1, 1))


def test_pictures_get_the_models_own_size(tmp_path):
    words = ["backbone=timm", f"backbone.name={CONV}", "backbone.pretrained=false", "trainer=smoke"]
    run = trained(tmp_path / "own", *words, tiny=tuple(word for word in OWN if "pixels" not in word))
    config = read(find(run))["fashion_lab"]["config"]
    assert config["pixels"]["size"] == config["backbone"]["image_size"] == 160
    with pytest.raises(ConfigError, match=r"pixels\.size=null, but this backbone has no size of its own"):
        trained(tmp_path / "none", "pixels.size=null")


def test_another_size_is_warned_of(tmp_path, caplog):
    words = ["backbone=timm", f"backbone.name={CONV}", "backbone.pretrained=false", "trainer=smoke"]
    trained(tmp_path, *words, tiny=OWN)
    assert "the backbone was made for pictures of 160 pixels, these have 32" in caplog.text


def test_weights_are_looked_for_before_pictures_are_decoded(tmp_path, monkeypatch):
    monkeypatch.setattr("fashion_lab.assembly.PixelStore.open", unreachable)
    words = ["backbone=timm", f"backbone.name={CONV}", "backbone.pretrained=gone.safetensors"]
    with pytest.raises(ValueError, match=r"pretrained=gone\.safetensors is no file"):
        trained(tmp_path, *words, tiny=OWN)


def test_stage_two_may_see_other_sizes_but_no_other_network(runs, tmp_path, monkeypatch):
    one, _ = runs
    name = read(find(one))["fashion_lab"]["config"]["backbone"]["name"]
    words = ["backbone=timm", "stage=siamese", f"ckpt={one}", "trainer=smoke"]
    with pytest.raises(ValueError, match=r"backbone\.name: "):
        trained(tmp_path / "other", *words, "backbone.name=test_resnet", tiny=OWN)
    if name == CONV:
        trained(tmp_path / "size", *words, f"backbone.name={name}", "pixels.size=48", tiny=OWN)
        shutil.rmtree(tmp_path / "size")


def test_an_encoder_pools_a_map():
    backbone = TimmBackbone(name=CONV, features="map", image_size=64)
    assert SiameseEncoder(backbone, projection=5)(torch.randn(2, 3, 64, 64)).shape == (2, 5)
