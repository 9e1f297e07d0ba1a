import numpy as np
import pytest
import torch
from torch import nn
from toy_checkpoints import backbone
from toy_runs import pictures

from fashion_lab.bundles.graph import ClassifierGraph, EmbeddingGraph, to_onnx
from fashion_lab.bundles.manifest import BundleError
from fashion_lab.networks import MobileNetLikeClassifier, SiameseEncoder

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")


@pytest.fixture(scope="module")
def graph():
    torch.manual_seed(0)
    encoder = SiameseEncoder(backbone(), projection=5, normalize=True).eval().requires_grad_(False)
    return EmbeddingGraph(encoder.to(memory_format=torch.channels_last), nn.Linear(5, 3)).eval()


@pytest.fixture(scope="module")
def content(graph):
    return to_onnx(graph, 16)


def test_pixels_go_in_as_they_are_for_any_batch(graph, content):
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    (taken,) = session.get_inputs()
    assert (taken.name, taken.type, taken.shape) == ("pixels", "tensor(uint8)", ["batch", 3, 16, 16])
    assert [node.name for node in session.get_outputs()] == ["embedding", "logits"]
    for count in (1, 2, 7, 33):
        pixels = pictures(count)
        with torch.inference_mode():
            expected = graph(torch.from_numpy(pixels))
        for one, other in zip(session.run(None, {"pixels": pixels}), expected, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_it_is_one_checked_file_that_says_nothing_of_the_machine(content):
    model = onnx.load_from_string(content)
    onnx.checker.check_model(model, full_check=True)
    assert all(weight.data_location != onnx.TensorProto.EXTERNAL for weight in model.graph.initializer)
    assert [one.version for one in model.opset_import if not one.domain] == [20]
    for trace in (b".py", b"site-packages", b"File ", b"stack_trace"):
        assert trace not in content


def test_the_same_network_gives_the_same_bytes(graph, content):
    assert to_onnx(graph, 16) == content


def test_the_network_stays_as_it_is(graph):
    weights = {name: value.clone() for name, value in graph.state_dict().items()}
    graph.train()
    to_onnx(graph, 16)
    assert graph.training
    graph.eval()
    for name, value in graph.state_dict().items():
        torch.testing.assert_close(value, weights[name], rtol=0, atol=0)
    stem = next(value for value in graph.parameters() if value.ndim == 4)
    assert stem.is_contiguous(memory_format=torch.channels_last)


def test_a_classifier_has_logits_alone():
    session = onnxruntime.InferenceSession(
        to_onnx(ClassifierGraph(MobileNetLikeClassifier(3, backbone())), 16),
        providers=["CPUExecutionProvider"],
    )
    assert [node.name for node in session.get_outputs()] == ["logits"]


class Branching(SiameseEncoder):
    def forward(self, images):
        return super().forward(images if images.sum() > 0 else -images)


def test_a_network_without_a_graph_is_told_in_a_line():
    with pytest.raises(
        BundleError, match=r"torch\.onnx\.export cannot turn the network into a graph"
    ) as caught:
        to_onnx(EmbeddingGraph(Branching(backbone()), None), 16)
    assert "\n" not in str(caught.value)
    assert "runtime=torch" in str(caught.value)
