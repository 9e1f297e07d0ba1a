"""What an evaluation says of an encoder: its searches, and what it adds to the encoder that it began as."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fashion_lab.callbacks.queries import find_queries
from fashion_lab.checkpoint import RECORD, read
from fashion_lab.comparison import compare, gains, told_by
from fashion_lab.contracts.catalog import Catalog
from fashion_lab.data.pixels import PixelStore
from fashion_lab.data.similarity import CLASS
from fashion_lab.encoders.runs import TrainedRun
from fashion_lab.evaluation import embedded, raw_pixels
from fashion_lab.evaluations import searches, sights
from fashion_lab.outcomes import PRETRAINED, RAW, STAGE_1, STAGE_2, Outcomes
from fashion_lab.pretrained import pretrained
from fashion_lab.stage_1 import stage_1

LASTING = ("metrics", "class_rows", "compared", "gained")


def facts_of(
    run: TrainedRun,
    catalog: Catalog,
    store: PixelStore,
    split: str,
    *,
    cache: Path | None = None,
    trusted: Sequence[str] = (),
) -> dict[str, Any]:
    """Find everything that the page shows, and `outcomes`, also of the embeddings `beside`."""
    is_unit = run.network.normalize
    outcomes, vectors_ND = embedded(run.network, catalog, store, split)
    metrics = searches.overall(outcomes)
    record = read(Path(run.source["path"]))[RECORD]
    before, why = stage_1(record["parent"], catalog, split, normalize=is_unit, cache=cache, trusted=trusted)
    untouched = pretrained(record, catalog, store, split, normalize=is_unit, trusted=trusted)
    found = {RAW: raw_pixels(catalog, store, split), PRETRAINED: untouched, STAGE_1: before}
    others = {name: one for name, one in found.items() if one is not None}
    told = told_by(outcomes, record["config"].get("similar_by", CLASS))
    return {
        "outcomes": outcomes,
        "beside": others,
        "metrics": metrics,
        "views": searches.views(metrics),
        "class_rows": searches.by_class(outcomes),
        "by_class_keys": searches.BY_CLASS,
        "told": told,
        "compared": compare({**others, STAGE_2: outcomes}, told),
        "gained": gains(outcomes, others, told),
        "why_no_stage_1": why,
        "worst": _worst(outcomes, vectors_ND, catalog, store.keep_readable(catalog.splits[split])),
    }


def lasting(facts: dict[str, Any]) -> dict[str, Any]:
    """Choose what belongs into the result: the numbers."""
    return {key: facts[key] for key in LASTING}


def _worst(outcomes: Outcomes, vectors_ND: Tensor, catalog: Catalog, rows: np.ndarray) -> list[sights.Search]:
    labels_N = torch.from_numpy(outcomes.labels_N)
    found = find_queries(vectors_ND, labels_N, sights.QUERIES, sights.HITS, worst=True)
    return sights.searches(outcomes, catalog, rows, found.queries, found.hits, found.distances)
