"""From a catalog to an index folder: build it, add to it, remove from it, bring it into step."""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np

from fashion_lab import encoders
from fashion_lab.contracts.catalog import Catalog
from fashion_lab.contracts.encoder import Encoder
from fashion_lab.filters import Where
from fashion_lab.galleries.contents import Contents
from fashion_lab.galleries.draft import Draft
from fashion_lab.galleries.embedding import Model
from fashion_lab.galleries.folder import only_writer
from fashion_lab.galleries.item import PLAIN, Item
from fashion_lab.galleries.listing import (
    ALL,
    fingerprint_of,
    from_anywhere,
    positions_of,
    source_of,
    wanted_of,
)
from fashion_lab.galleries.manifest import MANIFEST, state
from fashion_lab.galleries.names import matching
from fashion_lab.galleries.plan import now
from fashion_lab.galleries.update import Done, Job, commit, update
from fashion_lab.hits import filters_of

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Embedder:
    """What makes vectors.

    Attributes:
        run: the run, checkpoint or bundle, as given; None takes the one that made the index.
        load: loads the encoder of a run.
    """

    run: str | None
    load: Callable[[str], Encoder]


def build(job: Job, catalog: Catalog, split: str, embedder: Embedder) -> Done:
    """Embed a split of a catalog and put it into force, whatever the folder held before.

    Raises:
        ValueError: no run, no such split, nothing readable, or another process writes there.
    """
    positions = positions_of(catalog, split)
    if embedder.run is None:
        raise ValueError("ckpt= is missing: give a run folder (outputs/<stage>/<time>) or a .ckpt file")
    with only_writer(job.folder):
        encoder = embedder.load(embedder.run)
        wanted = wanted_of(catalog, positions)
        source = source_of(catalog, split, encoder, embedder.run, wanted)
        done = update(
            job, catalog, wanted, before=None, source=source, model=Model(embedder.run, lambda: encoder)
        )
    _warn_of_collapse(done)
    return done


def add(job: Job, catalog: Catalog, split: str, embedder: Embedder) -> Done:
    """Embed what an index does not have yet of a split; pictures that have changed replace the old ones.

    Raises:
        ValueError: as `build`; no index there, or one of another encoder.
    """
    positions = positions_of(catalog, split)
    state(job.folder)  # raises before a folder is made
    with only_writer(job.folder):
        before = Contents.in_force(job.folder)
        model = _model_of(before, job.folder, embedder)
        wanted = wanted_of(catalog, positions)
        classes = [
            *before.source.classes,
            *(one for one in catalog.classes if one not in before.source.classes),
        ]
        source = replace(
            before.source,
            run=from_anywhere(model.run),
            classes=classes,
            split=_both(before.source.split, split),
        )
        done = update(job, catalog, wanted, before=before, source=source, model=model)
    _warn_of_collapse(done)
    return done


def sync(job: Job, catalog: Catalog, split: str, embedder: Embedder) -> Done:
    """Bring an index into step with a split: embed what is new or changed, remove what is gone.

    Where there is no index yet, it is built. Items of other splits stay.

    Raises:
        ValueError: as `add`; or nothing of the index is in the catalog, which must be another one.
    """
    if not (job.folder / MANIFEST).exists():
        return build(job, catalog, split, embedder)
    positions = positions_of(catalog, split)
    with only_writer(job.folder):
        before = Contents.in_force(job.folder)
        model = _model_of(before, job.folder, embedder)
        wanted = wanted_of(catalog, positions)
        draft = Draft(job.folder, before.shards)
        ids = set(draft.ids())
        said = _columns(draft.row(one.item.id).item for one in wanted if one.item.id in ids)
        if ids and not any(one.item.id in ids for one in wanted):
            raise ValueError(
                f"none of the {len(ids)} items of {job.folder} (catalog {before.source.catalog!r}) is in "
                f"catalog {catalog.name!r}: is data= the right one? To begin anew: mode=build"
            )
        source = replace(
            before.source,
            run=from_anywhere(model.run),
            classes=list(catalog.classes),
            catalog=catalog.name,
            catalog_fingerprint=fingerprint_of(wanted),
            split=_both(before.source.split, split),
        )
        done = update(
            job,
            catalog,
            wanted,
            before=before,
            source=source,
            model=model,
            goes=lambda its: split in (ALL, its),
        )
    _warn_of_loss(said, done)
    _warn_of_collapse(done)
    return done


def remove(job: Job, items: Sequence[str] = (), where: Where | None = None) -> Done:
    """Take items out of an index: by their ids, by patterns such as `hat/*`, or by conditions.

    Raises:
        ValueError: no index there, an unknown item, or a condition that no item can meet: nothing is removed.
    """
    if bool(items) == (where is not None):
        raise ValueError(
            "give either item=<id, pattern such as 'hat/*', or list> or where=<conditions>: what to remove"
        )
    state(job.folder)
    with only_writer(job.folder):
        before = Contents.in_force(job.folder)
        draft = Draft(job.folder, before.shards)
        if where is None:
            draft.remove(matching(draft.ids(), items))
        else:
            there = [draft.row(name).item for name in draft.ids()]
            draft.remove([there[row].id for row in filters_of(there).rows(where)])
        return commit(job, draft, replace(before, updated=now()), before)


def _model_of(before: Contents, folder: Path, embedder: Embedder) -> Model:
    """Load the encoder when it is needed, at once where it is named; refuse one that made another index."""
    made_with, named = before.source.fingerprint, before.source.run
    there = encoders.found_again(named, folder) if embedder.run is None else Path(embedder.run)
    run = named if there is None else str(there)

    @cache
    def load() -> Encoder:
        if there is None:
            raise ValueError(f"the run {run} that made the index does not exist: say with ckpt= where it is")
        encoder = embedder.load(run)
        if encoder.fingerprint != made_with:
            raise ValueError(
                f"the index was made by the encoder {made_with[:16]} ({before.source.run}), {run} is "
                f"{encoder.fingerprint[:16]}: their distances mean nothing to each other; give ckpt= the run "
                "that made the index, or make it anew: mode=build"
            )
        return encoder

    if embedder.run is not None:
        load()
    return Model(run, load)


def _both(before: str, split: str) -> str:
    return split if split == before else ALL


def _columns(items: Iterable[Item]) -> set[str]:
    """Name what is known of some of these items beyond what their pictures say."""
    names = {name for item in items for name in (*item.columns, *(("product",) if item.product else ()))}
    return names - {PLAIN}


def _warn_of_loss(said: set[str], done: Done) -> None:
    """Say which columns no item has any more: a table may have been forgotten."""
    if lost := sorted(said - _columns(done.gallery.items)):
        log.warning(
            "no item has %s any more, as some had before: where that came from a table, give it again with "
            "data.table= and sync once more",
            ", ".join(lost),
        )


def _warn_of_collapse(done: Done) -> None:
    """Say where vectors tell nothing apart."""
    vectors_ND = done.gallery.vectors_ND
    if len(vectors_ND) > 1 and (vectors_ND == vectors_ND[0]).all():
        log.warning(
            "all %d pictures embed to one point: the encoder has collapsed, or they are equal",
            len(vectors_ND),
        )
    if zeros := int(np.count_nonzero(~vectors_ND.any(axis=1))):
        log.warning("%d of %d pictures embed to zero: they look like nothing", zeros, len(vectors_ND))
