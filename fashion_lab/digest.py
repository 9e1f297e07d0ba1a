"""Sha256 over content: of nested values and tensors, and of files."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor


def digest(value: object) -> str:
    """Sha256 over nested plain values and tensors, the same for equal content in the same order."""
    sha = hashlib.sha256()
    _feed(sha, value)
    return sha.hexdigest()


def _feed(sha: "hashlib._Hash", value: object) -> None:
    if isinstance(value, Tensor):
        plain = value.detach().cpu().contiguous()
        sha.update(f"tensor {plain.dtype} {tuple(plain.shape)}\n".encode())
        sha.update(plain.reshape(-1).view(torch.uint8).numpy().data)
    elif isinstance(value, Mapping):
        sha.update(f"mapping {len(value)}\n".encode())
        for key, item in value.items():
            sha.update(f"{key!r}:".encode())
            _feed(sha, item)
        if hasattr(value, "_metadata"):  # versions of the layers, which torch hangs on a state dict
            _feed(sha, value._metadata)
    elif isinstance(value, list | tuple):
        sha.update(f"sequence {len(value)}\n".encode())
        for item in value:
            _feed(sha, item)
    elif isinstance(value, set | frozenset):
        _feed(sha, sorted(map(repr, value)))  # their order changes from process to process
    else:
        sha.update(f"{type(value).__name__} {value!r}\n".encode())


def file_sha256(path: Path) -> str:
    """Sha256 over a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
