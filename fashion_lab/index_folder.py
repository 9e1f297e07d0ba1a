"""A folder whose files change all at once: readers see the old state or the new, whatever kills the writer.

    <folder>/manifest.json    written last, in one step: names the data folder in force, vouches for its files
    <folder>/data-<12 hex>/   the files; never changed once a manifest names them

It knows nothing about what the files mean. The next writer sweeps what a killed one left over.
"""

import fcntl
import hashlib
import json
import os
import re
import shutil
import uuid
from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from fashion_lab.folders import flush, flush_folder, replace_text

FORMAT, FORMAT_VERSION = "fashion_lab.index", 1
MANIFEST, LOCK = "manifest.json", ".lock"
MAX_MANIFEST = 64 * 2**20  # bytes; it lists the pictures left out, so it grows; assumption
DATA = re.compile(r"data-[0-9a-f]{12}")
OURS = re.compile(rf"{DATA.pattern}|{re.escape(MANIFEST)}(\.tmp)?|{re.escape(LOCK)}")
READS = 5  # tries of a reader whose files go because new ones came; assumption

Manifest: TypeAlias = dict[str, Any]
T = TypeVar("T")


class IndexFolderError(ValueError):
    """An index folder that is missing, damaged, foreign or in use: a line that says which and what to do."""


def publish(folder: Path, fill: Callable[[Path], Manifest]) -> None:
    """Let `fill` write files into an empty folder, then put them into force together with what it returns.

    Raises:
        IndexFolderError: the folder holds something else, another process writes there, or the disk refuses.
    """
    with _told(folder), _only_writer(folder):
        _sweep(folder)
        data = folder / f"data-{uuid.uuid4().hex[:12]}"
        data.mkdir()
        try:
            facts = fill(data)
            for path in data.iterdir():
                flush(path)
            files = {path.name: _vouch(path) for path in sorted(data.iterdir())}
            flush_folder(data)
            manifest = {"format": FORMAT, "format_version": FORMAT_VERSION, "data": data.name, "files": files}
            replace_text(folder / MANIFEST, json.dumps(manifest | facts, indent=2) + "\n")
        except BaseException:
            shutil.rmtree(data, ignore_errors=True)
            raise
        _sweep(folder)


def read(folder: Path, use: Callable[[Path, Manifest], T], *, sizes_only: Container[str] = ()) -> T:
    """Check the files in force against the manifest and let `use` read them.

    Files named in `sizes_only` are not hashed: for those too large to read whole each time.

    Raises:
        IndexFolderError: no index there, or a file missing, cut off, changed, or not what `use` expects.
    """
    for _ in range(READS):
        manifest = _read_manifest(folder)
        try:
            for name, vouched in manifest["files"].items():
                found = _vouch(folder / manifest["data"] / name, hashed=name not in sizes_only)
                if found != {key: vouched[key] for key in found}:
                    raise ValueError(f"{name} is not what was written")
            return use(folder / manifest["data"], manifest)
        except FileNotFoundError as error:
            if _read_manifest(folder)["data"] == manifest["data"]:
                raise _damaged(folder, f"{Path(error.filename or '?').name} is missing") from error
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise _damaged(folder, error) from error
    raise IndexFolderError(f"{folder} changes faster than it can be read: try again")


def _read_manifest(folder: Path) -> Manifest:
    path = folder / MANIFEST
    if not path.is_file():
        why = "it has no manifest.json" if folder.exists() else "no such folder"
        raise IndexFolderError(
            f"no index at {folder}: {why}; make one: python -m fashion_lab.index ckpt=<run> out={folder}"
        )
    try:
        if path.stat().st_size > MAX_MANIFEST:
            raise ValueError(f"{MANIFEST} has {path.stat().st_size:,} bytes")
        manifest: Manifest = json.loads(path.read_text(encoding="utf-8"))
        if manifest["format"] != FORMAT or not DATA.fullmatch(manifest["data"]):
            raise ValueError(f"{MANIFEST} describes something else")
        names = list(manifest["files"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _damaged(folder, error) from error
    if manifest.get("format_version") != FORMAT_VERSION:
        raise IndexFolderError(
            f"{folder} has format {manifest.get('format_version')}, this release reads {FORMAT_VERSION}: "
            "make the index again, or use the release that made it"
        )
    if any(Path(name).name != name for name in names):
        raise _damaged(folder, "a file name with a folder in it")
    return manifest


def _damaged(folder: Path, why: object) -> IndexFolderError:
    reason = f"no {why}" if isinstance(why, KeyError) else str(why)
    again = f"python -m fashion_lab.index ckpt=<run> out={folder}"
    return IndexFolderError(f"the index at {folder} is damaged: {reason}; make it again: {again}")


@contextmanager
def _told(folder: Path) -> Iterator[None]:
    """Say in one line where a disk is full, missing or not ours to write."""
    try:
        yield
    except OSError as error:
        raise IndexFolderError(
            f"cannot write an index at {folder}: {error}; choose another with out="
        ) from error


@contextmanager
def _only_writer(folder: Path) -> Iterator[None]:
    """Hold the right to write there until the process ends; refuse a folder with anything else in it."""
    names = [path.name for path in folder.iterdir()] if folder.exists() else []
    foreign = sorted(name for name in names if not OURS.fullmatch(name))
    if foreign:
        raise IndexFolderError(
            f"{folder} holds other things ({foreign[0]}): give an index a folder of its own"
        )
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise IndexFolderError(
                f"another process writes {folder}: wait for it, or choose another out="
            ) from error
        yield
    finally:
        os.close(descriptor)


def _sweep(folder: Path) -> None:
    """Remove what is not in force; nothing where that cannot be told."""
    try:
        in_force = _read_manifest(folder)["data"] if (folder / MANIFEST).exists() else None
    except IndexFolderError:
        return
    for leftover in folder.glob("data-*"):
        if leftover.name != in_force:
            shutil.rmtree(leftover, ignore_errors=True)


def _vouch(path: Path, *, hashed: bool = True) -> dict[str, Any]:
    """Give what tells a file's bytes from others."""
    size = {"bytes": path.stat().st_size}
    if not hashed:
        return size
    with path.open("rb") as file:
        return {**size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}
