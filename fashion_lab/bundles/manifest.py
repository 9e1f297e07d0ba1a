"""A bundle: a folder with a trained encoder that needs no training code, and no torch, to embed pictures.

    bundle.json           what it is, and the sha256 of every other file; of itself too, in `digest`
    model.onnx            uint8 pixels [B, 3, S, S] to `embedding` [B, D], and `logits` [B, C] of its own head
    classifier.onnx       uint8 pixels to `logits`, where the head has a backbone of its own
    weights.safetensors   the same weights for torch: `encoder.*` and `head.*`
    golden.safetensors    a few pictures with their embeddings and logits: what both runtimes must give

Reading and checking need neither torch nor onnxruntime. B pictures, S side, D embedding, C classes.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FORMAT, FORMAT_VERSION = "fashion_lab.bundle", 1
MANIFEST, WEIGHTS, GOLDEN = "bundle.json", "weights.safetensors", "golden.safetensors"
GRAPH, CLASSIFIER_GRAPH = "model.onnx", "classifier.onnx"
FILES = (MANIFEST, WEIGHTS, GOLDEN, GRAPH, CLASSIFIER_GRAPH)
PIXELS, EMBEDDING, LOGITS = "pixels", "embedding", "logits"  # names in the graphs
DIGEST = "digest"
MAX_MANIFEST = 2**20  # bytes; a real one has a few thousand; assumption


class BundleError(ValueError):
    """A bundle that is missing, damaged, foreign or newer: a line that says which, and what to do."""


def signed(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Add the digest over everything else."""
    return {**facts, DIGEST: _digest(facts)}


def vouch(content: bytes) -> dict[str, Any]:
    """Give what tells a file's bytes from others."""
    return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def damaged(folder: Path, why: object) -> BundleError:
    """Say in one line that, and how, a bundle is damaged."""
    reason = " ".join(str(why).split())
    return BundleError(
        f"the bundle {folder} is damaged: {reason}; export it again: "
        f"python -m fashion_lab.export ckpt=<run> out={folder}"
    )


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read `bundle.json`: whole, ours, of this format. Raises BundleError with what is wrong."""
    path = folder / MANIFEST
    if not path.is_file():
        why = f"it has no {MANIFEST}" if folder.exists() else "no such folder"
        raise BundleError(
            f"no bundle at {folder}: {why}; make one: python -m fashion_lab.export ckpt=<run> out={folder}"
        )
    try:
        if path.stat().st_size > MAX_MANIFEST:
            raise ValueError(f"it has {path.stat().st_size:,} bytes, more than {MAX_MANIFEST:,}")
        facts = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise damaged(folder, f"{MANIFEST}: {error}") from error
    if not isinstance(facts, dict) or facts.get("format") != FORMAT:
        raise BundleError(
            f"{path} was not written by python -m fashion_lab.export: give a bundle or a run of this project"
        )
    version = facts.get("format_version")
    if isinstance(version, int) and version > FORMAT_VERSION:
        raise BundleError(
            f"the bundle {folder} has format {version}, newer than {FORMAT_VERSION}: update fashion_lab, or "
            "export its run again with this release"
        )
    if facts.get(DIGEST) != _digest(facts):
        raise damaged(folder, f"{MANIFEST} is not what was written")
    return facts


def _digest(facts: Mapping[str, Any]) -> str:
    """Sha256 over the facts without their digest, whatever the order of the keys."""
    rest = {key: value for key, value in facts.items() if key != DIGEST}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()
