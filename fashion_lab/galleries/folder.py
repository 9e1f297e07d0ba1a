"""An index folder changes all at once: readers see the old state or the new, whatever kills us.

What a killed writer left over is swept only after the next change is in force: until then it can be
continued.
"""

import errno
import fcntl
import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fashion_lab.folders import replace_text
from fashion_lab.galleries.contents import Contents
from fashion_lab.galleries.manifest import ENGINE, MANIFEST, SHARD, IndexFolderError

LOCK, PLAN = ".lock", "plan.json"
TEMPORARY = re.compile(r"tmp-[0-9a-f]{12}")
OLD_DATA = re.compile(r"data-[0-9a-f]{12}")  # of format 1
FOLDERS = re.compile("|".join(one.pattern for one in (SHARD, ENGINE, TEMPORARY, OLD_DATA)))
REFUSALS = (
    *(errno.ENOSPC, errno.EDQUOT, errno.EFBIG),  # the disk is full
    *(errno.EROFS, errno.EACCES, errno.EPERM, errno.EEXIST, errno.ENOTDIR),  # no place for an index
)
FILES = re.compile(rf"({re.escape(MANIFEST)}|{re.escape(PLAN)})(\.tmp)?|{re.escape(LOCK)}")


@contextmanager
def only_writer(folder: Path) -> Iterator[None]:
    """Hold the right to change an index until the process ends; make its folder where there is none.

    Raises:
        IndexFolderError: the folder holds something else, another process writes there, or the disk refuses.
    """
    with told(folder):
        names = [path.name for path in folder.iterdir()] if folder.exists() else []
        foreign = sorted(name for name in names if not _is_ours(name))
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
        with told(folder):
            _remove(folder, TEMPORARY)
            yield
    finally:
        os.close(descriptor)


@contextmanager
def told(folder: Path) -> Iterator[None]:
    """Say in one line where a disk is full, missing or not ours to write."""
    try:
        yield
    except OSError as error:
        if error.errno not in REFUSALS:
            raise
        raise IndexFolderError(
            f"cannot write an index at {folder}: {error}; what was there still answers: make room, or choose "
            "another folder with out="
        ) from error


def publish(folder: Path, contents: Contents) -> None:
    """Put contents into force, in one step, and sweep what is not in them."""
    replace_text(folder / MANIFEST, json.dumps(contents.manifest(), indent=1) + "\n")
    kept = {shard.name for shard in contents.shards}
    if contents.engine is not None and contents.engine.folder is not None:
        kept.add(contents.engine.folder)
    _remove(folder, FOLDERS, kept)
    (folder / PLAN).unlink(missing_ok=True)


def _is_ours(name: str) -> bool:
    return FOLDERS.fullmatch(name) is not None or FILES.fullmatch(name) is not None


def _remove(folder: Path, pattern: re.Pattern[str], kept: frozenset[str] | set[str] = frozenset()) -> None:
    for path in folder.iterdir():
        if pattern.fullmatch(path.name) and path.name not in kept:
            shutil.rmtree(path, ignore_errors=True)
