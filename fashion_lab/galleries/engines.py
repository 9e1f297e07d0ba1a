"""The engine of an index: built or brought up to date, measured against exact search, and kept beside it."""

import hashlib
import json
import logging
import shutil
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from fashion_lab.contracts.index import Index
from fashion_lab.folders import flush, flush_folder
from fashion_lab.galleries.contents import Engine
from fashion_lab.galleries.gallery import Gallery
from fashion_lab.galleries.manifest import Files, IndexFolderError, vouch

log = logging.getLogger(__name__)

RECALL_AT = 10  # hits: about what a page shows
REBUILT_FROM = 0.1  # share of the vectors that changed: beyond it what an engine learned is old; assumption


@dataclass(frozen=True, kw_only=True)
class EngineChoice:
    """Which engine an index gets.

    Attributes:
        index: an empty engine.
        options: its config, for the record.
        floor: least recall at 10 that is good enough.
        strict: refuse less, instead of warning.
    """

    index: Index
    options: dict[str, Any] = field(default_factory=dict)
    floor: float = 0.99
    strict: bool = False


def prepare(choice: EngineChoice, gallery: Gallery, before: Gallery | None) -> Engine:
    """Make the engine find the vectors of a gallery, measure how well it does, and save its files.

    Args:
        choice: the engine.
        gallery: read from its folder, not in force yet.
        before: what is in force, where keys mean the same vectors; None where nothing is.

    Raises:
        ValueError: its recall is below the floor, and that is to be refused.
    """
    assert gallery.folder is not None
    index = choice.index
    if before is not None and _is_same(choice, gallery, before):
        assert before.engine is not None
        return before.engine
    updated = before is not None and _updated(choice, gallery, before)
    if not updated:
        index.build(gallery.vectors_ND, gallery.keys_N)
    recall = _recall(index, gallery)
    if updated and recall < choice.floor:
        index.build(gallery.vectors_ND, gallery.keys_N)
        recall = _recall(index, gallery)
    if recall < choice.floor:
        _complain(choice, recall)
    if index.remote:
        _sweep(index, gallery.folder)
    name, files = _save(choice, gallery.folder, gallery)
    return Engine(
        name=index.name, options=choice.options, recall=recall, k=RECALL_AT, folder=name, files=files
    )


def _is_same(choice: EngineChoice, gallery: Gallery, before: Gallery) -> bool:
    """Say whether the engine in force is the wanted one, for exactly these vectors."""
    has_options = before.engine is not None and before.engine.options == choice.options
    return has_options and np.array_equal(before.keys_N, gallery.keys_N)


def _updated(choice: EngineChoice, gallery: Gallery, before: Gallery) -> bool:
    """Bring the engine in force up to date, where that is less work than to build one."""
    engine = before.engine
    if engine is None or before.engine_folder is None or engine.options != choice.options:
        return False
    gone = np.setdiff1d(before.keys_N, gallery.keys_N)
    new = ~np.isin(gallery.keys_N, before.keys_N)
    if len(gone) + np.count_nonzero(new) > REBUILT_FROM * len(gallery):
        return False
    choice.index.load(before.engine_folder, before.vectors_ND, before.keys_N)
    choice.index.remove(gone)
    choice.index.add(gallery.vectors_ND[new], gallery.keys_N[new])
    return True


def _sweep(index: Index, folder: Path) -> None:
    """Keep what is in force elsewhere: until the new one is, and then for those who have yet to see it."""
    try:
        in_force = [Gallery.load(folder)]
    except IndexFolderError:
        in_force = []
    index.sweep([(one.vectors_ND, one.keys_N) for one in in_force])


def _recall(index: Index, gallery: Gallery) -> float:
    if index.exact or not len(gallery):
        return 1.0
    from fashion_lab.indexes.recall import recall

    return float(recall(index, gallery.vectors_ND, gallery.keys_N, k=RECALL_AT))


def _complain(choice: EngineChoice, recall: float) -> None:
    found = (
        f"engine {choice.index.name} finds {recall:.3f} of the {RECALL_AT} nearest, less than {choice.floor}"
    )
    if choice.strict:
        raise ValueError(f"{found}: take engine=exact, give its options more effort, or lower engine_recall=")
    log.warning("%s: take engine=exact, or give its options more effort", found)


def _save(choice: EngineChoice, folder: Path, gallery: Gallery) -> tuple[str | None, Files]:
    """Let the engine write its files into a folder of their own; none where it keeps nothing."""
    temporary = folder / f"tmp-{uuid.uuid4().hex[:12]}"
    temporary.mkdir()
    try:
        choice.index.save(temporary)
        paths = sorted(path for path in temporary.rglob("*") if path.is_file())
        if not paths:
            return None, {}
        for path in paths:
            flush(path)
            flush_folder(path.parent)
        name = _name(choice, gallery)
        if not (folder / name).exists():  # else somebody was killed after this, or it is in force
            temporary.rename(folder / name)
            flush_folder(folder)
        kept = sorted(path for path in (folder / name).rglob("*") if path.is_file())
        return name, {path.relative_to(folder / name).as_posix(): vouch(path) for path in kept}
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _name(choice: EngineChoice, gallery: Gallery) -> str:
    """Name the files of an engine after everything that decides them."""
    named = hashlib.sha256(json.dumps([choice.index.name, choice.options]).encode())
    named.update(gallery.keys_N.data)
    named.update(np.ascontiguousarray(gallery.vectors_ND).data)
    return f"engine-{named.hexdigest()[:12]}"
