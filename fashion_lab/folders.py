"""Folders that appear whole or not at all: the pixel store and downloads are written through here."""

import errno
import fcntl
import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)
BUILDING = ".building"


def cache_folder() -> Path:
    """Say where things live that can be made again: `$FASHION_LAB_CACHE`, else `~/.cache/fashion_lab`."""
    named = os.environ.get("FASHION_LAB_CACHE")
    return Path(named).expanduser() if named else Path.home() / ".cache" / "fashion_lab"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the right to build `folder`; another process that wants it waits. It ends with its process.

    Also sweeps what killed builds left beside it. The lock is the empty file `<folder>.lock`; it stays, since
    removing it would let two processes hold it at once.
    """
    with _told(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(_lock_of(folder), os.O_RDWR | os.O_CREAT, 0o666)
    try:
        if not try_lock(descriptor):
            log.info("waiting for another process that builds %s", folder)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        shutil.rmtree(_temporary_of(folder), ignore_errors=True)
        _sweep(folder.parent, held=folder)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def whole(folder: Path) -> Iterator[Path]:
    """Yield an empty temporary folder beside `folder`: takes its place on success, vanishes on any error.

    Needs `locked(folder)`. What was at `folder` goes only when the new one is complete. Files that must
    survive a power cut are flushed by the caller (`flush`).

    Raises:
        OSError: disk full or not writable: the message names the path and the free bytes.
    """
    temporary = _temporary_of(folder)
    try:
        with _told(folder):
            temporary.mkdir()
            yield temporary
            flush_folder(temporary)
            if folder.exists():
                shutil.rmtree(folder)
            temporary.rename(folder)
            flush_folder(folder.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def flush(path: Path) -> None:
    """Wait until a file's bytes are on the disk."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def flush_folder(folder: Path) -> None:
    """Wait until a folder's list of names is on the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace_text(path: Path, text: str) -> None:
    """Change a small file in one step that survives a power cut: readers see the old text or the new one."""
    temporary = path.with_name(f"{path.name}.tmp")
    temporary.write_text(text, encoding="utf-8")
    flush(temporary)
    temporary.replace(path)
    flush_folder(path.parent)


def relocated(value: Any, old: str, new: str) -> Any:
    """Give the same nested values with a folder replaced, wherever it or a path in it stands, keys too."""
    if isinstance(value, dict):
        return {relocated(key, old, new): relocated(item, old, new) for key, item in value.items()}
    if isinstance(value, list):
        return [relocated(item, old, new) for item in value]
    is_below = isinstance(value, str) and (value == old or value.startswith(f"{old}{os.sep}"))
    return new + value.removeprefix(old) if is_below else value


def _lock_of(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.lock")


def _temporary_of(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}{BUILDING}")


def try_lock(descriptor: int) -> bool:
    """Lock an open file, unless another process holds it; says whether it did."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _sweep(parent: Path, *, held: Path) -> None:
    """Remove our temporary folders whose builders are gone: their lock is there and nobody holds it."""
    for temporary in parent.glob(f".*{BUILDING}"):
        folder = parent / temporary.name.removeprefix(".").removesuffix(BUILDING)
        if folder == held or not _lock_of(folder).exists():
            continue
        descriptor = os.open(_lock_of(folder), os.O_RDWR)
        try:
            if try_lock(descriptor):
                shutil.rmtree(temporary, ignore_errors=True)
        finally:
            os.close(descriptor)


@contextmanager
def _told(folder: Path) -> Iterator[None]:
    """Let a full or read-only disk say where, how much is free, and what to do."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES):
            raise
        parent = next(path for path in folder.parents if path.exists())
        free = shutil.disk_usage(parent).free
        message = (
            f"cannot write {folder}: {os.strerror(error.errno)} ({free:,} bytes free): make room, or point"
        )
        raise OSError(error.errno, f"{message} $FASHION_LAB_CACHE at another disk") from error
