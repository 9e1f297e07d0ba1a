"""The manifest: the file that says what an index holds. Whoever replaces it has changed the index."""

import hashlib
import json
import re
from pathlib import Path
from typing import Any, TypeAlias

FORMAT, FORMAT_VERSION = "fashion_lab.index", 2
MANIFEST = "manifest.json"
MAX_MANIFEST = 256 * 2**20  # bytes; it lists removed rows and pictures left out, so it grows; assumption
SHARD, ENGINE = (re.compile(rf"{kind}-[0-9a-f]{{12}}") for kind in ("shard", "engine"))
BROKEN = (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError)
"""What reading raises where a file is not what it should be, whoever wrote it."""

Manifest: TypeAlias = dict[str, Any]
Files: TypeAlias = dict[str, dict[str, Any]]  # a file's name to its bytes and sha256


class IndexFolderError(ValueError):
    """An index folder that is missing, damaged, foreign or in use: a line that says which and what to do."""


def state(folder: str | Path) -> str:
    """Say which state of the index is in force, by reading one file: another answer, another index.

    Raises:
        IndexFolderError: no index there.
    """
    return _state(_content(Path(folder)))


def read_manifest(folder: Path) -> tuple[Manifest, str]:
    """Read the manifest and its state.

    Raises:
        IndexFolderError: no index there, one of another release, or a damaged one.
    """
    content = _content(folder)
    try:
        manifest: Manifest = json.loads(content)
        if manifest["format"] != FORMAT:
            raise ValueError(f"{MANIFEST} describes something else")
        version = manifest.get("format_version")
        if version == FORMAT_VERSION:
            _check_names(manifest)
    except BROKEN as error:
        raise damaged(folder, error) from error
    if version != FORMAT_VERSION:
        raise IndexFolderError(
            f"{folder} has format {version}, this release reads {FORMAT_VERSION}: make the index again "
            f"({remedy(folder)}), or use the release that made it"
        )
    return manifest, _state(content)


def vouch(path: Path, *, hashed: bool = True) -> dict[str, Any]:
    """Give what tells a file's bytes from others."""
    size = {"bytes": path.stat().st_size}
    if not hashed:
        return size
    with path.open("rb") as file:
        return {**size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def check_file(path: Path, vouched: dict[str, Any], *, hashed: bool = True) -> None:
    """Raise ValueError unless a file has the bytes that somebody vouched for."""
    found = vouch(path, hashed=hashed)
    if found != {key: vouched[key] for key in found}:
        raise ValueError(f"{path.parent.name}/{path.name} is not what was written")


def damaged(folder: Path, why: object) -> IndexFolderError:
    """Make the error of an index that cannot be used any more."""
    reason = f"no {why}" if isinstance(why, KeyError) else " ".join(str(why).split())
    return IndexFolderError(f"the index at {folder} is damaged: {reason}; make it again: {remedy(folder)}")


def remedy(folder: Path) -> str:
    """Give the command that makes an index."""
    return f"python -m fashion_lab.index ckpt=<run> out={folder}"


def _content(folder: Path) -> bytes:
    path = folder / MANIFEST
    if not path.is_file():
        why = f"it has no {MANIFEST}" if folder.exists() else "no such folder"
        raise IndexFolderError(f"no index at {folder}: {why}; make one: {remedy(folder)}")
    try:
        if path.stat().st_size > MAX_MANIFEST:
            raise damaged(folder, f"{MANIFEST} has {path.stat().st_size:,} bytes")
        return path.read_bytes()
    except OSError as error:
        raise IndexFolderError(f"cannot read the index at {folder}: {error}") from error


def _state(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _check_names(manifest: Manifest) -> None:
    """Raise ValueError where a name could lead out of the index folder."""
    engine = manifest["engine"] or {}
    owners = [(shard["name"], SHARD, shard["files"]) for shard in manifest["shards"]]
    owners += [(engine["folder"], ENGINE, engine["files"])] if engine.get("folder") else []
    for name, pattern, files in owners:
        if not pattern.fullmatch(name):
            raise ValueError(f"{MANIFEST} names a folder {name!r}")
        for file in files:
            if {"", ".", ".."} & {*file.split("/")}:
                raise ValueError(f"{MANIFEST} names a file {file!r}")
