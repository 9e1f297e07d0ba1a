"""What a training leaves of its evaluations, picture by picture, and what it makes of them at its end."""

import logging
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
from fashion_lab.stage_1 import stage_1

log = logging.getLogger(__name__)


def outcome_metrics(parts: Parts, folder: Path, keep: str) -> dict[str, float]:
    """Evaluate the module as it is on validation, by picture; gives the metrics that its own steps do not.

    Args:
        parts: what is trained.
        folder: the run's.
        keep: under which name the outcomes stay there.
    """
    given = (parts.catalog, parts.store, VALIDATION)
    if isinstance(parts.module, SiameseModule):
        outcomes = retrieved(parts.module.network.embedding_network, *given)
    else:
        outcomes = classified(parts.module.network, *given)
    replace(outcomes, split=keep).save(folder)
    return means_of(outcomes, GALLERY)


def stage_2_compared(parts: Parts, folder: Path, trusted: Sequence[str] = ()) -> dict[str, Any]:
    """Say for the result of stage 2 whether it helped: see `fashion_lab.comparison`."""
    if not isinstance(parts.module, SiameseModule):
        return {}
    others = _others(parts, folder, parts.module.network.embedding_network.normalize, trusted)
    for name, outcomes in others.items():
        replace(outcomes, split=beside(VALIDATION, name)).save(folder)
    after = Outcomes.load(folder, VALIDATION)
    told = told_by(after, parts.record["config"].get("similar_by", CLASS))
    gained = {
        name: {key: asdict(one) for key, one in found.items()}
        for name, found in gains(after, others, told).items()
    }
    return {"compared": compare({**others, STAGE_2: after}, told), "gained": gained}


def _others(parts: Parts, folder: Path, is_unit: bool, trusted: Sequence[str]) -> dict[str, Outcomes]:
    """Search with raw pixels, a pretrained backbone, and stage 1 or, where there is neither, chance."""
    given, parent = (parts.catalog, parts.store, VALIDATION), parts.record["parent"]
    cache = parts.record["config"].get("cache")
    before, why = stage_1(
        parent,
        parts.catalog,
        VALIDATION,
        normalize=is_unit,
        cache=cache and Path(cache),
        trusted=trusted,
    )
    if parent is not None and before is None:
        log.warning("%s", why)
    found = {
        RAW: raw_pixels(*given),
        PRETRAINED: pretrained(parts.record, *given, normalize=is_unit, trusted=trusted),
        STAGE_1: before,
        NO_STAGE_1: None if parent or parts.record["pretraining"] else Outcomes.load(folder, START),
    }
    return {name: outcomes for name, outcomes in found.items() if outcomes is not None}
