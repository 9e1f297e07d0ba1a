"""An encoder as an ONNX graph: pixels as they are decoded go in, normalisation is inside.

B pictures, S side in pixels, D embedding, C classes.
"""

import logging
import warnings
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn

from fashion_lab.bundles.manifest import EMBEDDING, LOGITS, PIXELS, BundleError
from fashion_lab.networks import SiameseEncoder, normalise

OPSET = 20  # what torch 2.11 to 2.15 write by default; onnxruntime reads it since 1.17
EXAMPLE = 2  # pictures; torch.export takes a batch of 1 for a constant
TALKERS = ("onnx_ir", "onnxscript")  # tell at level INFO what they simplify


class EmbeddingGraph(nn.Module):
    """Pixels [B, 3, S, S] to embeddings [B, D]; with a layer over them to logits [B, C] as well."""

    outputs: tuple[str, ...]

    def __init__(self, encoder: SiameseEncoder, layer: nn.Module | None) -> None:
        super().__init__()
        self.encoder, self.layer = encoder, layer
        self.outputs = (EMBEDDING,) if layer is None else (EMBEDDING, LOGITS)

    def forward(self, pixels_BCHW: Tensor) -> tuple[Tensor, ...]:
        """Give what `outputs` names."""
        embeddings_BD = self.encoder(normalise(pixels_BCHW))
        return (embeddings_BD,) if self.layer is None else (embeddings_BD, self.layer(embeddings_BD))


class ClassifierGraph(nn.Module):
    """Pixels [B, 3, S, S] to logits [B, C]."""

    outputs = (LOGITS,)

    def __init__(self, classifier: nn.Module) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, pixels_BCHW: Tensor) -> tuple[Tensor, ...]:
        """Give what `outputs` names."""
        return (self.classifier(normalise(pixels_BCHW)),)


def to_onnx(graph: EmbeddingGraph | ClassifierGraph, size: int) -> bytes:
    """Export a graph with its weights, for any batch: one file's bytes. The graph stays as it is.

    Raises:
        BundleError: torch cannot turn the network into a graph.
    """
    for name in TALKERS:
        logging.getLogger(name).setLevel(logging.WARNING)
    graph = deepcopy(graph).eval().to(memory_format=torch.contiguous_format)
    example = torch.zeros((EXAMPLE, 3, size, size), dtype=torch.uint8)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of torch, about itself
            program = torch.onnx.export(
                graph,
                (example,),
                dynamo=True,
                opset_version=OPSET,
                input_names=[PIXELS],
                output_names=list(graph.outputs),
                dynamic_shapes=({0: torch.export.Dim("batch")},),
                verbose=False,
            )
    except Exception as error:  # torch.export raises a dozen kinds, all about the network
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise BundleError(
            f"torch.onnx.export cannot turn the network into a graph: {reason}; write its forward() without "
            "branches on values, or use the run itself with runtime=torch"
        ) from error
    assert program is not None, "dynamo=True gives a program"
    return _without_traces(program.model_proto)


def _without_traces(model: Any) -> bytes:
    """Leave out what torch notes at each node: file names and lines of the machine that exported."""
    parts = (
        [model, model.graph],
        model.graph.node,
        model.graph.input,
        model.graph.output,
        model.graph.value_info,
        model.graph.initializer,
    )
    for part in (part for group in parts for part in group):
        del part.metadata_props[:]
        part.doc_string = ""
    content: bytes = model.SerializeToString()
    return content
