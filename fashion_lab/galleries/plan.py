"""What a writer is at: noted before it embeds, so that after a kill the same command ends with equal bytes.

Where the catalog has changed meanwhile, the shards that are done are used as far as their pictures are as
they were.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from fashion_lab.folders import replace_text
from fashion_lab.galleries.changes import Wanted
from fashion_lab.galleries.contents import Contents
from fashion_lab.galleries.folder import PLAN
from fashion_lab.galleries.manifest import SHARD, IndexFolderError, read_manifest
from fashion_lab.galleries.reading import read_rows
from fashion_lab.galleries.shards import Row, finished


class Plan(NamedTuple):
    """Work that somebody has begun.

    Attributes:
        work: hash of everything that decides the outcome.
        begun: when: ISO time.
        adopted: shards of earlier work, of which some rows are of use.
    """

    work: str
    begun: str
    adopted: tuple[str, ...]


def begin(
    folder: Path, before: Contents | None, fingerprint: str, rows: int, wanted: Sequence[Wanted]
) -> Plan:
    """Continue what a killed writer was at, if it was exactly this; else begin, and use what it left.

    Args:
        folder: of the index.
        before: what is in force, if it is to be kept.
        fingerprint: of the encoder.
        rows: least rows of a full shard.
        wanted: the pictures.
    """
    work = _work(before, fingerprint, rows, wanted)
    plan = _read(folder)
    if plan is None or plan.work != work:
        stamps = {one.item.id: one.stamp for one in wanted}
        first_key = 0 if before is None else before.next_key
        plan = Plan(work, now(), tuple(leftovers(folder, fingerprint, stamps, first_key)))
        replace_text(folder / PLAN, json.dumps(plan._asdict()) + "\n")
    return plan


def leftovers(folder: Path, fingerprint: str, stamps: Mapping[str, str], first_key: int) -> list[str]:
    """List whole shards that no manifest names and that are of use: the work of a writer that was killed.

    Args:
        folder: of the index.
        fingerprint: of the encoder.
        stamps: of the pictures that are wanted, by id.
        first_key: none below it is free.
    """
    try:
        named = {shard["name"] for shard in read_manifest(folder)[0]["shards"]}
    except IndexFolderError:
        named = set()
    names = [path.name for path in folder.iterdir() if SHARD.fullmatch(path.name) and path.name not in named]
    found = [one for one in (finished(folder, name) for name in names) if one is not None and one.shard.rows]
    suitable = [
        (read_rows(folder, one.shard), one.shard.name) for one in found if one.fingerprint == fingerprint
    ]
    adopted = []
    for rows, name in sorted(suitable, key=lambda pair: (pair[0][0].item.key, pair[1])):
        is_of_use = any(row.stamp is not None and stamps.get(row.item.id) == row.stamp for row in rows)
        if is_of_use and rows[0].item.key >= first_key:
            adopted.append(name)
            first_key = rows[-1].item.key + 1
    return adopted


def now() -> str:
    """Give the time as it is written into indexes: ISO 8601, UTC, seconds."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _work(before: Contents | None, fingerprint: str, rows: int, wanted: Sequence[Wanted]) -> str:
    """Hash everything that decides the outcome."""
    basis = [None if before is None else before.manifest(), fingerprint, rows]
    work = hashlib.sha256(json.dumps(basis).encode())
    for one in wanted:
        work.update(f"{Row(one.item, one.stamp).line()}\n".encode())
    return work.hexdigest()


def _read(folder: Path) -> Plan | None:
    """Read what a killed writer was at; None where nobody was killed."""
    try:
        plan = json.loads((folder / PLAN).read_text(encoding="utf-8"))
        return Plan(str(plan["work"]), str(plan["begun"]), tuple(map(str, plan["adopted"])))
    except (OSError, ValueError, KeyError, TypeError):
        return None
