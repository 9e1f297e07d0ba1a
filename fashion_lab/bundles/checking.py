"""The check of a bundle before it is put in force: read back, run by both runtimes, compared with the run."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from fashion_lab.bundles.agreement import disagreement, relative_error
from fashion_lab.bundles.bundle import Bundle
from fashion_lab.bundles.manifest import EMBEDDING, LOGITS, BundleError
from fashion_lab.encoders.bundled import load_bundled
from fashion_lab.encoders.onnx_encoder import OnnxEncoder
from fashion_lab.encoders.torch_encoder import TorchEncoder

Floats = NDArray[np.float32]
Pictures = NDArray[np.uint8]


def golden_numbers(encoder: TorchEncoder, pixels_NCHW: Pictures) -> dict[str, Floats]:
    """Give what a run's encoder makes of golden pictures: `embedding` [N, D], `logits` [N, C] with a head."""
    numbers = {EMBEDDING: encoder.embed(pixels_NCHW)}
    return numbers | ({LOGITS: encoder.logits(pixels_NCHW)} if encoder.has_head else {})


def check_bundle(
    bundle: Bundle, pixels_NCHW: Pictures, expected: dict[str, Floats], *, trusted: Sequence[str]
) -> float:
    """Compare what both runtimes make of the golden pictures with what the run made of them.

    Returns:
        The largest relative error.

    Raises:
        BundleError: they differ by more than rounding does; with where.
    """
    worst = 0.0
    for way, output, given in _given(bundle, pixels_NCHW, trusted):
        problem = disagreement(f"{output} by {way}", expected[output], given)
        if problem is not None:
            raise BundleError(
                f"{bundle.facts['run']['path']} is not exported: torch and the bundle disagree on the "
                f"{len(pixels_NCHW)} golden pictures: {problem}; use the run itself, or other versions of "
                "torch and onnxruntime"
            )
        worst = max(worst, relative_error(expected[output], given))
    return worst


def _given(
    bundle: Bundle, pixels_NCHW: Pictures, trusted: Sequence[str]
) -> Iterator[tuple[str, str, Floats]]:
    """Yield (how, output, numbers) for every way to compute an output."""
    encoders: dict[str, OnnxEncoder | TorchEncoder] = {
        "onnxruntime": OnnxEncoder.load(bundle),
        "torch from weights.safetensors": load_bundled(bundle, trusted=trusted),
    }
    for name, encoder in encoders.items():
        calls: dict[str, Callable[[Pictures], Floats]] = {EMBEDDING: encoder.embed}
        if encoder.has_head:
            calls[LOGITS] = encoder.logits
        for output, call in calls.items():
            yield f"{name}, all at once", output, call(pixels_NCHW)
            alone = [call(pixels_NCHW[row : row + 1]) for row in range(len(pixels_NCHW))]
            yield f"{name}, one at a time", output, np.concatenate(alone)
