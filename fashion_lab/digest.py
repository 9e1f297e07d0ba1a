"""Sha256 over content: of nested values and tensors, and of files. Without tensors it needs no torch."""

import hashlib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeGuard

if TYPE_CHECKING:
    from torch import Tensor


def digest(value: object) -> str:
    """Sha256 over nested plain values and tensors, the same for equal content in the same order."""
    sha = hashlib.sha256()
    _feed(sha, value)
    return sha.hexdigest()


def _feed(sha: "hashlib._Hash", value: object) -> None:
    if _is_tensor(value):
        plain = value.detach().cpu().contiguous()
        sha.update(f"tensor {plain.dtype} {tuple(plain.shape)}\n".encode())
        sha.update(plain.reshape(-1).view(sys.modules["torch"].uint8).numpy().data)
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


def _is_tensor(value: object) -> "TypeGuard[Tensor]":
    """Where nobody has imported torch yet, nothing is a tensor."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def file_sha256(path: Path) -> str:
    """Sha256 over a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
