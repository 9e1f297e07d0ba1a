"""Checkpoints of runs: written whole, checked when read, and a start for the next stage or for a search.

A checkpoint is Lightning's, loads with `weights_only=True`, and has two keys more: `fashion_lab` (a `Record`) and
`digest`, a sha256 over everything else, because a flipped bit in a tensor loads without complaint otherwise.
"""

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from fashion_lab.config import build
from fashion_lab.contracts.backbone import Backbone
from fashion_lab.networks import SiameseEncoder, normalise
from fashion_lab.pictures import PixelSpec

FORMAT = 1
RECORD = "fashion_lab"
DIGEST = "digest"
FOLDER = "checkpoints"
BEST, LAST = "best.ckpt", "last.ckpt"
EMBED_BATCH = 256  # one size for all, so that a picture's numbers do not depend on its company; assumption


class CheckpointError(ValueError):
    """A checkpoint that is missing, damaged or does not fit: what differs and what to do next."""


class Record(TypedDict):
    """What a run writes into its checkpoints besides weights: plain values only."""

    format: int
    stage: str
    config: dict[str, Any]
    classes: list[str]
    parent: dict[str, Any] | None
    start: dict[str, float]


def find(given: str | Path) -> Path:
    """Find the file that `ckpt=` means: a checkpoint itself, or the best (else the last) one of a run folder."""
    text = str(given)
    if "://" in text:
        raise CheckpointError(f"{text!r} is an address; only files and run folders are read: download it first")
    path = Path(given)
    if path.is_file():
        return path
    if not path.exists():
        raise CheckpointError(f"{text!r} does not exist; give a run folder (outputs/<stage>/<time>) or a .ckpt file")
    for name in (BEST, LAST):
        if (path / FOLDER / name).is_file():
            return path / FOLDER / name
    raise CheckpointError(f"{text!r} holds no {FOLDER}/{BEST} or {FOLDER}/{LAST}; give the folder of a trained run")


def write(path: Path, checkpoint: dict[str, Any]) -> None:
    """Write a checkpoint whole or not at all: after a kill or a full disk the previous file is still there."""
    checkpoint[DIGEST] = digest({key: value for key, value in checkpoint.items() if key != DIGEST})
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            torch.save(checkpoint, file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        free = os.statvfs(path.parent)
        raise OSError(
            error.errno, f"{path} could not be written ({error.strerror}; {free.f_bavail * free.f_frsize:,} bytes free)"
        ) from error
    finally:
        temporary.unlink(missing_ok=True)
    _flush_folder(path.parent)


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read(path: Path) -> dict[str, Any]:
    """Read and check a checkpoint of this project.

    Raises:
        CheckpointError: not a checkpoint, made by something else, damaged, or of a newer format.
    """
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise CheckpointError(f"{path} cannot be read as a checkpoint: {reason}") from error
    if not isinstance(checkpoint, dict) or RECORD not in checkpoint:
        raise CheckpointError(f"{path} is no checkpoint of fashion_lab; give one that its training wrote")
    if checkpoint[RECORD]["format"] > FORMAT:
        raise CheckpointError(f"{path} has format {checkpoint[RECORD]['format']}, newer than {FORMAT}: update fashion_lab")
    if checkpoint.pop(DIGEST, None) != digest(checkpoint):
        raise CheckpointError(f"{path} is damaged: its content is not what was written; take another checkpoint of the run")
    return checkpoint


def digest(value: object) -> str:
    """Sha256 over nested plain values and tensors, the same for equal content."""
    sha = hashlib.sha256()
    _feed(sha, value)
    return sha.hexdigest()


def _feed(sha: "hashlib._Hash", value: object) -> None:
    if isinstance(value, Tensor):
        plain = value.detach().cpu().contiguous()
        sha.update(f"tensor {plain.dtype} {tuple(plain.shape)}\n".encode())
        sha.update(plain.reshape(-1).view(torch.uint8).numpy())
    elif isinstance(value, Mapping):
        sha.update(f"mapping {len(value)}\n".encode())
        for key, item in value.items():
            sha.update(f"{key!r}:".encode())
            _feed(sha, item)
    elif isinstance(value, (list, tuple)):
        sha.update(f"sequence {len(value)}\n".encode())
        for item in value:
            _feed(sha, item)
    else:
        sha.update(f"{type(value).__name__} {value!r}\n".encode())


def file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def warm_start(
    backbone: Backbone, given: str | Path, *, backbone_config: Mapping[str, Any], classes: Sequence[str]
) -> dict[str, Any]:
    """Copy the backbone's weights from a stage 1 checkpoint, all of them or none.

    Args:
        backbone: takes the weights.
        given: run folder or file.
        backbone_config: what the new run builds its backbone from.
        classes: the new run's classes.

    Returns:
        The parent for the new run's record: path, sha256 of the file, stage, config.

    Raises:
        CheckpointError: another kind of checkpoint, class list or architecture, with the differences.
    """
    path = find(given)
    checkpoint = read(path)
    record: Record = checkpoint[RECORD]
    differences = _differences(record, backbone_config, classes)
    weights = _below(checkpoint["state_dict"], "network.backbone.")
    if not differences:
        differences = _weight_differences(weights, backbone.state_dict())
    if differences:
        listed = "\n  ".join(differences)
        raise CheckpointError(f"ckpt={given} does not fit this run:\n  {listed}")
    backbone.load_state_dict(weights, strict=True)
    return {"path": str(path), "sha256": file_sha256(path), "stage": record["stage"], "config": record["config"]}


def _differences(record: Record, backbone: Mapping[str, Any], classes: Sequence[str]) -> list[str]:
    if record["stage"] != "classifier":
        return [f"stage: a {record['stage']} checkpoint; stage 2 starts from stage=classifier (resume= continues a run)"]
    theirs = record["config"]["backbone"]
    changed = [
        f"backbone.{key}: {theirs.get(key)!r} in the checkpoint, {backbone.get(key)!r} here"
        for key in sorted(theirs.keys() | backbone.keys())
        if theirs.get(key) != backbone.get(key)
    ]
    if list(record["classes"]) != list(classes):
        changed.append(f"classes: {', '.join(record['classes'])} in the checkpoint, {', '.join(classes)} here")
    return changed


def _weight_differences(theirs: Mapping[str, Tensor], ours: Mapping[str, Tensor]) -> list[str]:
    missing = [f"{name}: only here" for name in ours if name not in theirs]
    unexpected = [f"{name}: only in the checkpoint" for name in theirs if name not in ours]
    shapes = [
        f"{name}: {tuple(theirs[name].shape)} in the checkpoint, {tuple(ours[name].shape)} here"
        for name in ours
        if name in theirs and theirs[name].shape != ours[name].shape
    ]
    return missing + unexpected + shapes


def _below(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}


@dataclass(frozen=True)
class LoadedEncoder:
    """A trained encoder, ready to embed pictures.

    Attributes:
        network: pictures [B, 3, S, S], normalised, to embeddings [B, D].
        pixels: how a picture becomes pixels.
        classes: what the run was trained on.
        fingerprint: sha256 over weights and preprocessing; equal embeddings need equal fingerprints.
        run: where it was loaded from.
    """

    network: SiameseEncoder
    pixels: PixelSpec
    classes: tuple[str, ...]
    fingerprint: str
    run: str

    @property
    def dim(self) -> int:
        return self.network.dim

    def embed(self, pixels_NCHW: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Embed uint8 pixels [N, 3, S, S]: float32 [N, D]."""
        return embed(self.network, pixels_NCHW)


@torch.inference_mode()
def embed(network: nn.Module, pixels_NCHW: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Embed uint8 pixels [N, 3, S, S] with a network in evaluation mode: float32 [N, D]."""
    device = next(network.parameters()).device
    parts = [
        network(normalise(torch.from_numpy(np.array(pixels_NCHW[start : start + EMBED_BATCH])).to(device))).cpu()
        for start in range(0, len(pixels_NCHW), EMBED_BATCH)
    ]
    embeddings: NDArray[np.float32] = torch.cat(parts).float().numpy()
    return embeddings


def load_encoder(given: str | Path, *, trusted: Sequence[str] = ()) -> LoadedEncoder:
    """Load the encoder of a run of either stage; of a classifier, the backbone with average pooling.

    Args:
        given: run folder or checkpoint file.
        trusted: packages outside this project whose classes the run's config may name.

    Raises:
        CheckpointError: missing, damaged, or its weights do not fit its own config.
    """
    path = find(given)
    checkpoint = read(path)
    record: Record = checkpoint[RECORD]
    config = record["config"]
    if "${" in repr(config):
        raise CheckpointError(f"{path} holds an unresolved interpolation in its config; it was not written by a training")
    network, prefix = _empty_encoder(config, record["stage"], trusted)
    weights = {
        name: value for name, value in _below(checkpoint["state_dict"], prefix).items() if not name.startswith("head.")
    }
    if differences := _weight_differences(weights, network.state_dict()):
        listed = "\n  ".join(differences)
        raise CheckpointError(f"{path} does not fit the config inside it:\n  {listed}")
    network.load_state_dict(weights)
    spec = PixelSpec(size=config["pixels"]["size"], fit=config["pixels"]["fit"])
    options = [record["stage"], config["backbone"], config.get("encoder"), spec.size, spec.fit]
    return LoadedEncoder(
        network=network.eval().requires_grad_(False),
        pixels=spec,
        classes=tuple(record["classes"]),
        fingerprint=digest([weights, options]),
        run=str(given),
    )


def _empty_encoder(config: Mapping[str, Any], stage: str, trusted: Sequence[str]) -> tuple[SiameseEncoder, str]:
    """Build the encoder without weights, and say below which name its weights are."""
    if stage == "siamese":
        return build(config["encoder"], trusted=trusted), "network.embedding_network."
    return SiameseEncoder(build(config["backbone"], trusted=trusted)), "network."
