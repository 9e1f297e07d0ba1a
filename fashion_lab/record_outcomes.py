"""What a training leaves of its evaluations, picture by picture, and what it makes of them at its end."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from fashion_lab.assembly import Parts
from fashion_lab.comparison import compare, gains, told_by
from fashion_lab.data.similarity import CLASS
from fashion_lab.evaluation import GALLERY, classified, means_of, raw_pixels, retrieved
from fashion_lab.modules.siamese import SiameseModule
from fashion_lab.outcomes import (
    NO_STAGE_1,
    PRETRAINED,
    RAW,
    STAGE_1,
    STAGE_2,
    START,
    VALIDATION,
    Outcomes,
    beside,
)
from fashion_lab.pretrained import pretrained


def outcome_metrics(parts: Parts, folder: Path, keep: str | None = None) -> dict[str, float]:
    """Evaluate the module as it is on validation, by picture; gives the metrics that its own steps do not.

    Args:
        parts: what is trained.
        folder: the run's.
        keep: under which name the outcomes stay there; None: they do not.
    """
    catalog, store = parts.catalog, parts.store
    metrics: dict[str, float] = {}
    if isinstance(parts.module, SiameseModule):
        outcomes = retrieved(parts.module.network.embedding_network, catalog, store, VALIDATION)
        metrics = means_of(outcomes, GALLERY)
    elif keep is not None:
        outcomes = classified(parts.module.network, catalog, store, VALIDATION)
    if keep is not None:
        replace(outcomes, split=keep).save(folder)
    return metrics


def stage_2_compared(parts: Parts, folder: Path, trusted: Sequence[str] = ()) -> dict[str, Any]:
    """Say for the result of stage 2 whether it helped: see `fashion_lab.comparison`."""
    if not isinstance(parts.module, SiameseModule):
        return {}
    others = _floors(parts, parts.module.network.embedding_network.normalize, trusted)
    for name, outcomes in others.items():
        replace(outcomes, split=beside(VALIDATION, name)).save(folder)
    others[STAGE_1 if parts.record["parent"] else NO_STAGE_1] = Outcomes.load(folder, START)
    after = Outcomes.load(folder, VALIDATION)
    told = told_by(after, parts.record["config"].get("similar_by", CLASS))
    gained = {
        name: {key: asdict(one) for key, one in found.items()}
        for name, found in gains(after, others, told).items()
    }
    return {"compared": compare({**others, STAGE_2: after}, told), "gained": gained}


def _floors(parts: Parts, is_unit: bool, trusted: Sequence[str]) -> dict[str, Outcomes]:
    """Search with what needs no training of ours."""
    given = (parts.catalog, parts.store, VALIDATION)
    floors = {RAW: raw_pixels(*given)}
    untouched = pretrained(parts.record, *given, normalize=is_unit, trusted=trusted)
    return floors if untouched is None else {**floors, PRETRAINED: untouched}
