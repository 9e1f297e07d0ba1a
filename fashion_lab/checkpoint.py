"""Checkpoints of runs: written whole, checked when read, and a start for the next stage.

A checkpoint is Lightning's, loads with `weights_only=True`, and has two keys more: `fashion_lab` (a `Record`)
and `digest`, a sha256 over everything else: without it a flipped bit in a tensor loads without complaint.
"""

import io
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict

import torch
from torch import Tensor

from fashion_lab.contracts.backbone import Backbone
from fashion_lab.digest import digest, file_sha256
from fashion_lab.folders import flush_folder
from fashion_lab.run_files import FOLDER, CheckpointError, find

FORMAT = 1
RECORD = "fashion_lab"
DIGEST = "digest"


class Record(TypedDict):
    """What a run writes into its checkpoints besides weights: plain values only."""

    format: int
    stage: str
    config: dict[str, Any]
    classes: list[str]
    parent: dict[str, Any] | None
    teacher: dict[str, str] | None  # path, sha256, pretraining of whom it learnt from; older: not there
    pretraining: dict[str, str] | None  # of the first stage's backbone; older checkpoints lack it
    start: dict[str, float]
    overrides: list[str]


def write(path: Path, checkpoint: dict[str, Any]) -> None:
    """Write a checkpoint whole or not at all: after a kill or a full disk the previous file is there."""
    checkpoint[DIGEST] = digest({key: value for key, value in checkpoint.items() if key != DIGEST})
    content = io.BytesIO()  # straight to the file, torch turns "disk full" into an error that says nothing
    torch.save(checkpoint, content)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content.getbuffer())
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        free = shutil.disk_usage(path.parent).free if path.parent.is_dir() else 0
        raise OSError(
            error.errno, f"{path} could not be written ({error.strerror}; {free:,} bytes free)"
        ) from error
    finally:
        temporary.unlink(missing_ok=True)
    flush_folder(path.parent)


def sweep(folder: Path) -> None:
    """Remove what killed writers left beside the checkpoints of a run that is held by nobody else."""
    for temporary in (folder / FOLDER).glob(".*.ckpt.*.tmp"):
        temporary.unlink(missing_ok=True)


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
    if not isinstance(checkpoint, dict) or not isinstance(checkpoint.get(RECORD), dict):
        raise CheckpointError(f"{path} is no checkpoint of fashion_lab; give one that its training wrote")
    version = checkpoint[RECORD].get("format")
    if isinstance(version, int) and version > FORMAT:
        raise CheckpointError(f"{path} has format {version}, newer than {FORMAT}: update fashion_lab")
    if checkpoint.pop(DIGEST, None) != digest(checkpoint):
        raise CheckpointError(
            f"{path} is damaged: its content is not what was written; take another checkpoint of the run"
        )
    missing = [key for key in ("stage", "config", "classes") if key not in checkpoint[RECORD]]
    if missing or "state_dict" not in checkpoint:
        raise CheckpointError(
            f"{path} lacks {', '.join(missing) or 'weights'}; it was not written by a training"
        )
    return checkpoint


def plain_config(record: Record, path: Path) -> dict[str, Any]:
    """Give the config inside a checkpoint, if it is only values.

    Raises:
        CheckpointError: an interpolation is left in it, which could read the environment of this machine.
    """
    config = record["config"]
    if "${" in repr(config):
        raise CheckpointError(
            f"{path} holds an unresolved interpolation in its config; it was not written by a training"
        )
    return config


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
        The parent for the new run's record: path, sha256 of the file, stage, config, pretraining.

    Raises:
        CheckpointError: another kind of checkpoint, class list or architecture, with the differences.
    """
    path = find(given)
    checkpoint = read(path)
    record: Record = checkpoint[RECORD]
    config = plain_config(record, path)
    weights = weights_below(checkpoint["state_dict"], "network.backbone.")
    shaping = {key: value for key, value in backbone_config.items() if key not in backbone.free_options}
    differences = _differences(record, shaping, classes, backbone.free_options)
    if not differences:
        differences = weight_differences(weights, backbone.state_dict())
    if differences:
        listed = "\n  ".join(differences)
        raise CheckpointError(f"ckpt={given} does not fit this run:\n  {listed}")
    backbone.load_state_dict(weights, strict=True)
    return {
        "path": str(path.absolute()),
        "sha256": file_sha256(path),
        "stage": record["stage"],
        "config": config,
        "pretraining": record.get("pretraining"),
    }


def _differences(
    record: Record, backbone: Mapping[str, Any], classes: Sequence[str], free: Sequence[str]
) -> list[str]:
    if record["stage"] != "classifier":
        return [
            f"stage: a {record['stage']} checkpoint; stage 2 starts from stage=classifier "
            "(resume= continues a run)"
        ]
    theirs = {key: value for key, value in record["config"]["backbone"].items() if key not in free}
    changed = [
        f"backbone.{key}: {theirs.get(key)!r} in the checkpoint, {backbone.get(key)!r} here"
        for key in sorted(theirs.keys() | backbone.keys())
        if theirs.get(key) != backbone.get(key)
    ]
    if list(record["classes"]) != list(classes):
        changed.append(
            f"classes: {', '.join(record['classes'])} in the checkpoint, {', '.join(classes)} here"
        )
    return changed


def weight_differences(theirs: Mapping[str, Tensor], ours: Mapping[str, Tensor]) -> list[str]:
    """List the weights that are on one side only or have another shape."""
    missing = [f"{name}: only here" for name in ours if name not in theirs]
    unexpected = [f"{name}: only in the checkpoint" for name in theirs if name not in ours]
    shapes = [
        f"{name}: {tuple(theirs[name].shape)} in the checkpoint, {tuple(ours[name].shape)} here"
        for name in ours
        if name in theirs and theirs[name].shape != ours[name].shape
    ]
    return missing + unexpected + shapes


def weights_below(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Pick the weights whose names start so, without that start."""
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
