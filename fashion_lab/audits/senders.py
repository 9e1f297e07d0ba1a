"""Senders across splits: whose pictures a network learns from and is then asked about."""

from collections.abc import Sequence

import numpy as np

from fashion_lab.audits.contract import Finding, Report, Table, counted, skipped
from fashion_lab.audits.material import Pictures
from fashion_lab.contracts.catalog import Ints

TITLE = "Senders"
TRAIN = "train"
SHOWN = 3  # pictures of a sender on each side; enough to see that they are alike


def check_senders(pictures: Pictures) -> Report:
    """Count, for every other split, the pictures of senders who are in train too."""
    catalog = pictures.catalog
    groups_N = catalog.groups
    others = [split for split, rows in catalog.splits.items() if split != TRAIN and len(rows)]
    if groups_N is None:
        return skipped(TITLE, "the catalog does not know who sent which picture")
    if TRAIN not in catalog.splits or not others:
        return skipped(TITLE, "the catalog has no split beside train to compare")
    train = catalog.splits[TRAIN]
    known = np.unique(groups_N[train])
    rows = [[TRAIN, f"{len(train):,}", f"{len(known):,}", "", ""]]
    numbers: dict[str, float] = {"train_senders": len(known)}
    shares = {}
    findings: list[Finding] = []
    for split in others:
        positions = catalog.splits[split]
        senders = np.unique(groups_N[positions])
        shared = np.intersect1d(senders, known)
        shares[split] = float(np.isin(groups_N[positions], shared).mean())
        numbers |= {
            f"{split}_senders": len(senders),
            f"{split}_shared_senders": len(shared),
            f"{split}_shared_pictures": shares[split],
        }
        rows.append(
            [split, f"{len(positions):,}", f"{len(senders):,}", f"{len(shared):,}", f"{shares[split]:.0%}"]
        )
        findings += [_finding(groups_N, int(sender), train, positions, split) for sender in shared]
    findings.sort(key=lambda found: (-(found.value or 0), found.pictures))
    told = ", ".join(f"{share:.0%} of {split}" for split, share in shares.items())
    return Report(
        title=TITLE,
        summary=f"{told} from senders who are in train too",
        notes=[
            "Pictures of one sender share floor, light and camera. A split that shares senders with train "
            "measures how well they are recognised too, and flatters. Folds with senders apart do not."
        ],
        findings=findings,
        numbers=numbers,
        table=Table(
            head=["split", "pictures", "senders", "of them in train", "pictures from these"], rows=rows
        ),
    )


def _finding(groups_N: Ints, sender: int, train: Ints, others: Ints, split: str) -> Finding:
    ours, theirs = (rows[groups_N[rows] == sender] for rows in (train, others))
    pictures: Sequence[int] = [*ours[:SHOWN].tolist(), *theirs[:SHOWN].tolist()]
    return Finding(
        kind=f"in train and {split}",
        pictures=tuple(pictures),
        value=float(len(theirs)),
        why=f"sender {sender}: {len(ours):,} of train, {counted(len(theirs), 'picture')} of {split}",
    )
