"""A bundle's encoder that onnxruntime computes: no torch. N pictures, S side, D embedding, C classes."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from fashion_lab.bundles.bundle import Bundle
from fashion_lab.bundles.manifest import EMBEDDING, LOGITS, MANIFEST, PIXELS, damaged
from fashion_lab.contracts.pixels import Pixels
from fashion_lab.encoders.batches import NO_HEAD, check_pixels, in_batches, probabilities
from fashion_lab.pictures import PixelSpec

WEIGHTS_FOLDER = "session.model_external_initializers_file_folder_path"
SHOWN = 200  # first letters of what onnxruntime says; the rest is its own source lines
SILENT = 4  # onnxruntime's log level "fatal": it raises what it would print


@dataclass(frozen=True)
class OnnxEncoder:
    """A trained encoder, ready to embed pictures; may be used from several threads.

    Attributes:
        bundle: where it comes from.
        sessions: by the output that they are asked for: `embedding`, and `logits` where there is a head.
    """

    bundle: Bundle
    sessions: Mapping[str, ort.InferenceSession]

    @classmethod
    def load(cls, bundle: Bundle, *, threads: int | None = None) -> Self:
        """Start a bundle's graphs on the CPU.

        Args:
            bundle: as `open_bundle` gives it.
            threads: of a computation; None takes one a core.

        Raises:
            BundleError: a graph that onnxruntime does not take, or that is not what `bundle.json` says.
        """
        by_file = {name: _session(bundle, name, threads) for name in dict.fromkeys(bundle.graph_of.values())}
        sessions = {output: by_file[name] for output, name in bundle.graph_of.items()}
        widths = {EMBEDDING: bundle.dim, LOGITS: len(bundle.classes)}
        for output, session in sessions.items():
            _check(bundle, session, output, widths[output])
        return cls(bundle, sessions)

    @property
    def pixels(self) -> PixelSpec:
        """How a picture becomes pixels."""
        return self.bundle.pixels

    @property
    def fingerprint(self) -> str:
        """That of the run which was exported."""
        return self.bundle.fingerprint

    @property
    def dim(self) -> int:
        """Numbers of an embedding."""
        return self.bundle.dim

    @property
    def classes(self) -> tuple[str, ...]:
        """What it was trained on."""
        return self.bundle.classes

    @property
    def run(self) -> str:
        """Where it was loaded from."""
        return str(self.bundle.folder)

    @property
    def has_head(self) -> bool:
        """Whether it can classify."""
        return LOGITS in self.sessions

    @property
    def calibration(self) -> Mapping[str, Any] | None:
        """What its distances mean, where the bundle says so."""
        return self.bundle.calibration

    def embed(self, pixels_NCHW: Pixels) -> NDArray[np.float32]:
        """Embed uint8 pixels [N, 3, S, S]: float32 [N, D]."""
        return self._run(EMBEDDING, pixels_NCHW, self.dim)

    def logits(self, pixels_NCHW: Pixels) -> NDArray[np.float32]:
        """Give the classifier's logits: float32 [N, C]. Raises ValueError without a head."""
        if not self.has_head:
            raise ValueError(NO_HEAD)
        return self._run(LOGITS, pixels_NCHW, len(self.classes))

    def classify(self, pixels_NCHW: Pixels) -> NDArray[np.float32]:
        """Give the probability of each class: float32 [N, C]. Raises ValueError without a head."""
        return probabilities(self.logits(pixels_NCHW))

    def _run(self, output: str, pixels_NCHW: Pixels, width: int) -> NDArray[np.float32]:
        check_pixels(pixels_NCHW, self.pixels.size)
        session = self.sessions[output]
        parts = [session.run([output], {PIXELS: batch})[0] for batch in in_batches(pixels_NCHW)]
        numbers = np.concatenate(parts) if parts else np.zeros((0, width), np.float32)
        if numbers.shape != (len(pixels_NCHW), width):
            raise damaged(self.bundle.folder, f"{output} of {len(pixels_NCHW)} pictures is {numbers.shape}")
        return numbers


def _session(bundle: Bundle, name: str, threads: int | None) -> ort.InferenceSession:
    """Start a graph from its checked bytes."""
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.intra_op_num_threads = _cores() if threads is None else threads
    options.inter_op_num_threads = 1
    options.log_severity_level = SILENT
    # Idle threads that spin take a core from whatever else runs: 64 pictures on two busy cores took 89 ms
    # with spinning, 52 without; one picture 0.67 and 0.79
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # A graph may name files that hold its weights, and they would be looked for in the working directory;
    # below a file there are none
    options.add_session_config_entry(WEIGHTS_FOLDER, str(bundle.folder / MANIFEST))
    try:
        return ort.InferenceSession(bundle.read(name), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # a dozen classes of onnxruntime, none of them a ValueError
        raise damaged(bundle.folder, f"{name}: {str(error)[:SHOWN]}") from error


def _any_batch(shape: list[int | str | None]) -> list[int | str | None]:
    """Write None for a first number that may be any: graphs give it a name."""
    return [None if isinstance(shape[0], str) else shape[0], *shape[1:]] if shape else []


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _check(bundle: Bundle, session: ort.InferenceSession, output: str, width: int) -> None:
    """Raise BundleError where a graph takes or gives something else than `bundle.json` says."""
    size = bundle.pixels.size
    takes = [(node.name, node.type, _any_batch(node.shape)) for node in session.get_inputs()]
    gives = [(node.type, _any_batch(node.shape)) for node in session.get_outputs() if node.name == output]
    right = [(PIXELS, "tensor(uint8)", [None, 3, size, size])], [("tensor(float)", [None, width])]
    if (takes, gives) != right:
        raise damaged(bundle.folder, f"{bundle.graph_of[output]} takes {takes} and gives {output} {gives}")
