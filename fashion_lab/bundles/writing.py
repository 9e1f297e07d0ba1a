"""Write a bundle of a trained run; not where onnxruntime gives other numbers for its pictures than torch."""

import errno
import json
import os
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save as save_arrays
from safetensors.torch import save as save_tensors
from torch import nn

from fashion_lab import __version__
from fashion_lab.bundles.bundle import open_bundle
from fashion_lab.bundles.checking import check_bundle, golden_numbers
from fashion_lab.bundles.golden import Golden
from fashion_lab.bundles.graph import ClassifierGraph, EmbeddingGraph, to_onnx
from fashion_lab.bundles.manifest import (
    CLASSIFIER_GRAPH,
    EMBEDDING,
    FILES,
    FORMAT,
    FORMAT_VERSION,
    GOLDEN,
    GRAPH,
    LOGITS,
    MANIFEST,
    PIXELS,
    WEIGHTS,
    BundleError,
    signed,
    vouch,
)
from fashion_lab.encoders.runs import TrainedRun
from fashion_lab.folders import flush, locked, whole
from fashion_lab.pictures import DECODE_VERSION

PACKAGES = ("numpy", "onnx", "onnxruntime", "onnxscript", "pillow", "safetensors", "torch")
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
REFUSALS = (*FULL, errno.EROFS, errno.EACCES, errno.ENOTDIR, errno.EEXIST, errno.ENAMETOOLONG)


def export_bundle(
    run: TrainedRun,
    out: Path,
    golden: Golden,
    *,
    calibration: Mapping[str, Any] | None = None,
    trusted: Sequence[str] = (),
) -> float:
    """Write a run's bundle, whole or not at all; a bundle that is there stays until this one is whole.

    Args:
        run: as `read_run` gives it, with the head that the bundle shall have.
        out: a folder of its own.
        golden: pictures on which torch and onnxruntime must agree; they travel with the bundle.
        calibration: what its distances mean; into `bundle.json` as it stands.
        trusted: packages outside this project whose classes the run's config may name.

    Returns:
        The largest relative error on the golden pictures.

    Raises:
        BundleError: `out` holds something else, the disk refuses, the network has no graph, or the runtimes
            disagree.
    """
    try:
        _refuse_foreign(out)
        with locked(out):
            return write_bundle(run, out, golden, calibration=calibration, trusted=trusted)
    except OSError as error:
        if error.errno not in REFUSALS:
            raise
        raise BundleError(
            f"cannot write a bundle at {out}: {os.strerror(error.errno)}; choose another with out="
        ) from error


def write_bundle(
    run: TrainedRun,
    out: Path,
    golden: Golden,
    *,
    calibration: Mapping[str, Any] | None = None,
    trusted: Sequence[str] = (),
) -> float:
    """As `export_bundle`, for a folder that the caller holds with `locked`."""
    expected = golden_numbers(run.encoder(), golden.pixels_NCHW)
    with whole(out) as folder:
        files = {**_graphs(run), WEIGHTS: _weights(run), GOLDEN: _golden(golden.pixels_NCHW, expected)}
        facts = {
            **_facts(run),
            "golden": {"from": golden.origin, "items": golden.items},
            "calibration": None if calibration is None else dict(calibration),
            "files": {name: vouch(content) for name, content in sorted(files.items())},
        }
        text = json.dumps(signed(facts), indent=2, allow_nan=False) + "\n"
        for name, content in {**files, MANIFEST: text.encode()}.items():
            (folder / name).write_bytes(content)
            flush(folder / name)
        return check_bundle(open_bundle(folder), golden.pixels_NCHW, expected, trusted=trusted)


def _graphs(run: TrainedRun) -> dict[str, bytes]:
    """Make the graphs. A head on the embedding shares the encoder's; one with a backbone gets its own.

    onnxruntime computes all of a graph whichever output is asked for, `only_execute_path_to_fetches` or not:
    64 pictures took 47 ms for the embedding alone, 24 without the other backbone beside it.
    """
    size, head = run.blueprint.pixels.size, run.head
    layer = head.module if head is not None and head.backbone is None else None
    graphs = {GRAPH: to_onnx(EmbeddingGraph(run.network, layer), size)}
    if head is not None and layer is None:
        graphs[CLASSIFIER_GRAPH] = to_onnx(ClassifierGraph(head.module), size)
    return graphs


def _weights(run: TrainedRun) -> bytes:
    parts: dict[str, nn.Module] = {"encoder.": run.network}
    if run.head is not None:
        parts["head."] = run.head.module
    named = {f"{part}{name}": value for part in parts for name, value in parts[part].state_dict().items()}
    return save_tensors({name: value.contiguous().clone() for name, value in named.items()})


def _golden(pixels_NCHW: NDArray[np.uint8], numbers: Mapping[str, NDArray[np.float32]]) -> bytes:
    return save_arrays({PIXELS: np.ascontiguousarray(pixels_NCHW), **numbers})


def _facts(run: TrainedRun) -> dict[str, Any]:
    """Say what the bundle is; plain values only."""
    blueprint, head = run.blueprint, run.head
    graphs = {EMBEDDING: GRAPH}
    if head is not None:
        graphs[LOGITS] = GRAPH if head.backbone is None else CLASSIFIER_GRAPH
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "stage": blueprint.stage,
        "classes": list(blueprint.classes),
        "dim": run.network.dim,
        "distance": "euclidean",
        "fingerprint": run.fingerprint,
        "pixels": {
            "size": blueprint.pixels.size,
            "fit": blueprint.pixels.fit,
            "decode_version": DECODE_VERSION,
        },
        "normalisation": {"range": [0, 255], "mean": [127.5] * 3, "std": [127.5] * 3, "inside": "the graph"},
        "backbone": blueprint.backbone,
        "encoder": blueprint.encoder,
        "graphs": graphs,
        "head": None if head is None else {**head.source, "backbone": head.backbone},
        "run": dict(run.source),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {
            "fashion_lab": __version__,
            "python": platform.python_version(),
            **{name: version(name) for name in PACKAGES},
        },
    }


def _refuse_foreign(out: Path) -> None:
    """Raise BundleError for a folder with anything else in it: it would be replaced."""
    names = sorted(path.name for path in out.iterdir()) if out.is_dir() else []
    foreign = [name for name in names if name not in FILES]
    if foreign or (out.exists() and not out.is_dir()):
        raise BundleError(
            f"{out} holds {', '.join(foreign[:3]) or 'a file'}: give a bundle a folder of its own"
        )
