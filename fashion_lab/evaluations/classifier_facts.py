"""What an evaluation says of a classifier."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fashion_lab.contracts.catalog import Catalog
from fashion_lab.data.pixels import PixelStore
from fashion_lab.encoders.runs import TrainedRun
from fashion_lab.evaluation import classified
from fashion_lab.evaluations import classes, reliability, sights
from fashion_lab.outcomes import VALIDATION

LASTING = ("metrics", "class_rows", "confusion_counts", "reliability")


def facts_of(
    run: TrainedRun,
    catalog: Catalog,
    store: PixelStore,
    split: str,
    *,
    cache: Path | None = None,
    trusted: Sequence[str] = (),
) -> dict[str, Any]:
    """Find everything that the page shows, and `outcomes`."""
    assert run.head is not None, run.why_no_head
    network = run.head.classifier(run.network)
    outcomes = classified(network, catalog, store, split)
    learnt_on = None if split == VALIDATION else classified(network, catalog, store, VALIDATION)
    counts = classes.confusion(outcomes).tolist()
    crosswise = ", each half of the senders by what the other half learnt" if learnt_on is None else ""
    return {
        "outcomes": outcomes,
        "metrics": classes.overall(outcomes),
        "class_rows": classes.by_class(outcomes),
        "confusion": list(zip(outcomes.classes, counts, strict=True)),
        "confusion_counts": counts,
        "loop_of": {name: number for number, name in enumerate(outcomes.classes, 1)},
        "reliability": reliability.reliability(outcomes, learnt_on),
        "mended_on": crosswise,
        "mistakes": sights.mistakes(outcomes, catalog, store.keep_readable(catalog.splits[split])),
    }


def lasting(facts: dict[str, Any]) -> dict[str, Any]:
    """Choose what belongs into the result: the numbers."""
    return {key: facts[key] for key in LASTING}
