"""What `bundle.json` says of a run."""

import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from fashion_lab import __version__
from fashion_lab.bundles.manifest import (
    CLASSIFIER_GRAPH,
    EMBEDDING,
    FORMAT,
    FORMAT_VERSION,
    GRAPH,
    LOGITS,
)
from fashion_lab.encoders.runs import TrainedRun
from fashion_lab.pictures import DECODE_VERSION

TOLD = 3  # last parts of a checkpoint's path: <run>/checkpoints/<name>
PACKAGES = ("numpy", "onnx", "onnxruntime", "onnxscript", "pillow", "safetensors", "torch")


def facts_of(run: TrainedRun) -> dict[str, Any]:
    """Say in plain values what is in the bundle of a run, all but its files, golden pictures, calibration."""
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
        "head": None if head is None else {**_travelling(head.source), "backbone": head.backbone},
        "run": _travelling(run.source),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {
            "fashion_lab": __version__,
            "python": platform.python_version(),
            **{name: version(name) for name in PACKAGES},
        },
    }


def _travelling(source: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out where on this machine a checkpoint lies: the sha256 knows it, and a bundle goes elsewhere."""
    told = {**source, "path": str(Path(*Path(source["path"]).parts[-TOLD:]))}
    if source.get("parent") is not None:
        told["parent"] = _travelling(source["parent"])
    return told
