"""Changing an index: what is new is embedded, the rest is kept, then all of it comes into force at once."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from fashion_lab.contracts.catalog import Catalog
from fashion_lab.galleries.changes import Wanted, compare, fresh, stay_out
from fashion_lab.galleries.contents import Contents, LeftOut
from fashion_lab.galleries.draft import Draft
from fashion_lab.galleries.embedding import Embed, Model
from fashion_lab.galleries.engines import EngineChoice, prepare
from fashion_lab.galleries.folder import publish
from fashion_lab.galleries.gallery import Gallery
from fashion_lab.galleries.item import Source
from fashion_lab.galleries.plan import begin
from fashion_lab.galleries.reading import read_vectors
from fashion_lab.galleries.rules import SHARD_ROWS, rows_at_once
from fashion_lab.galleries.shards import finished

MOST_BROKEN = 0.5  # assumption: beyond this the folder is wrong, not the pictures
NAMED = 5  # unreadable pictures that an error names; the rest are counted


@dataclass(frozen=True, kw_only=True)
class Job:
    """How an index is changed.

    Attributes:
        folder: of the index.
        embed: makes the shards.
        engine: what searches it.
        rows: least rows of a full shard.
        strict: whether an unreadable picture is an error (True) or listed and left out (False).
        calibrate: says what distances mean, where the index does not know it or has outgrown what it knows.
    """

    folder: Path
    embed: Embed
    engine: EngineChoice
    rows: int = SHARD_ROWS
    strict: bool = False
    calibrate: Callable[[Gallery], dict[str, Any] | None] | None = None


class Done(NamedTuple):
    """What became of an index: itself, and counts of items; `changed` says whether it was touched at all."""

    gallery: Gallery
    kept: int = 0
    added: int = 0
    replaced: int = 0
    removed: int = 0
    changed: bool = True


def update(
    job: Job,
    catalog: Catalog,
    wanted: Sequence[Wanted],
    *,
    before: Contents | None,
    source: Source,
    model: Model,
    goes: Callable[[str | None], bool] = lambda split: False,
) -> Done:
    """Bring an index into step with the pictures that are wanted. Needs `only_writer(job.folder)`.

    Args:
        job: how.
        catalog: gives the pictures.
        wanted: the pictures, with their stamps.
        before: what is in force, if it is to be kept; None: the index is made anew.
        source: where the new state comes from.
        model: embeds what is new.
        goes: says whether the items of a split go when they are not wanted.

    Raises:
        ValueError: an unreadable picture where that is an error, none that is readable, or vectors with NaN.
            What is in force stays so; what was embedded is there for the next try.
    """
    draft = Draft(job.folder, () if before is None else before.shards)
    tried = () if before is None else before.left_out
    names = {one.item.id for one in wanted}
    changes = compare(draft, wanted, catalog)
    new = fresh(changes, wanted, tried)
    gone = [name for name in draft.ids() if name not in names and goes(draft.row(name).item.split)]
    out = stay_out(tried, names, new, goes)
    if before is not None and not (new or gone or changes.restated or _is_new(job, before, out)):
        _check(job, catalog, len(draft), out)
        return Done(Gallery.load(job.folder), kept=len(draft), changed=False)
    plan = begin(job.folder, before, source.fingerprint, job.rows, wanted)
    if plan.adopted:
        _adopt(job, draft, plan.adopted, names)
        changes = compare(draft, wanted, catalog)
        new = fresh(changes, wanted, tried)
    draft.remove([*gone, *(one.item.id for one in changes.changed)])
    for row in changes.restated:
        draft.restate(row)
    next_key = max(draft.next_key, 0 if before is None else before.next_key)
    out += _embed(job, catalog, draft, _numbered(new, next_key, plan.begun), model)
    _check(job, catalog, len(draft), out)
    contents = _begun(before, source, plan.begun)
    contents = replace(contents, next_key=next_key + len(new), left_out=tuple(out))
    return commit(job, draft, contents, before)


def commit(job: Job, draft: Draft, contents: Contents, before: Contents | None) -> Done:
    """Write what a draft still needs, make the engine ready, put all into force, and count what changed."""
    shards = draft.settle(contents.source.fingerprint, contents.source.size, job.rows)
    dim = contents.dim or (read_vectors(job.folder, shards[0]).shape[1] if shards else 0)
    contents = replace(contents, shards=shards, dim=dim)
    in_force = None if before is None else Gallery.load(job.folder)
    gallery = Gallery.read(job.folder, contents)
    engine = prepare(job.engine, gallery, in_force)
    publish(job.folder, replace(_calibrated(job, contents, gallery), engine=engine))
    old = {} if in_force is None else {item.id: item.key for item in in_force.items}
    new = {item.id: item.key for item in gallery.items}
    kept = sum(old.get(name) == key for name, key in new.items())
    both = len(old.keys() & new.keys())
    return Done(Gallery.load(job.folder), kept, len(new) - both, both - kept, len(old) - both)


def _calibrated(job: Job, contents: Contents, gallery: Gallery) -> Contents:
    """Learn what distances mean, where that is not known of an index of about this size and can be learnt."""
    learnt = None if job.calibrate is None or contents.is_calibrated else job.calibrate(gallery)
    return contents if learnt is None else replace(contents, calibration=learnt, calibrated=len(gallery))


def _begun(before: Contents | None, source: Source, now: str) -> Contents:
    """Give contents without shards: new ones, or those in force with what stays of them."""
    if before is None:
        return Contents(source=source, shards=(), dim=0, next_key=0, created=now, updated=now)
    return replace(before, source=source, shards=(), engine=None, updated=now)


def _adopt(job: Job, draft: Draft, shards: Sequence[str], names: Collection[str]) -> None:
    """Take in what a killed writer left, as far as these items are wanted."""
    for made in filter(None, (finished(job.folder, name) for name in shards)):
        draft.adopt(made, names)


def _is_new(job: Job, before: Contents, left_out: Sequence[LeftOut]) -> bool:
    """Say whether there is something to do though every picture is as it was."""
    has_engine = before.engine is not None and before.engine.options == job.engine.options
    return not has_engine or len(left_out) != len(before.left_out)


def _numbered(fresh: Sequence[Wanted], next_key: int, begun: str) -> list[Wanted]:
    return [
        one._replace(item=replace(one.item, key=next_key + number, added=begun))
        for number, one in enumerate(fresh)
    ]


def _embed(job: Job, catalog: Catalog, draft: Draft, rows: Sequence[Wanted], model: Model) -> list[LeftOut]:
    """Make shards of these pictures and take them into the draft; give those that could not be read."""
    if not rows:
        return []
    step = rows_at_once(len(draft) + len(rows), job.rows)
    parts = [rows[start : start + step] for start in range(0, len(rows), step)]
    left_out: list[LeftOut] = []
    for name in job.embed(catalog, parts, model, job.folder):
        made = finished(job.folder, name)
        assert made is not None, name
        if made.fingerprint != model.load().fingerprint:
            raise ValueError(f"{model.run} is not the same encoder everywhere: give all nodes the same files")
        draft.adopt(made)
        left_out += made.left_out
    return left_out


def _check(job: Job, catalog: Catalog, count: int, left_out: Sequence[LeftOut]) -> None:
    """Raise ValueError where unreadable pictures are an error, or so many that the folder must be wrong."""
    if not left_out:
        return
    broken = f"{len(left_out)} of {len(left_out) + count} pictures of {catalog.name!r} cannot be read"
    listed = "; ".join(f"{one.id}: {one.why}" for one in left_out[:NAMED])
    more = f"; and {len(left_out) - NAMED} more" if len(left_out) > NAMED else ""
    if job.strict or catalog.strict:
        raise ValueError(f"{broken}, and strict=true: mend or remove them: {listed}{more}")
    if len(left_out) > MOST_BROKEN * (len(left_out) + count):
        raise ValueError(f"{broken}, more than half: is this the right folder? {listed}{more}")
