"""Did stage 2 help? Its embedding, the one that it started from and simpler ones, on the same pictures."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from rich.table import Table

from fashion_lab.outcomes import Outcomes
from fashion_lab.studies.resampling import Interval, paired_difference

TOLD = ("map_at_r", "precision_at_1", "precision_at_5")
RAW, STAGE_1, STAGE_2, NO_STAGE_1 = "raw pixels", "stage 1", "stage 2", "untrained"
PRETRAINED = "pretrained backbone"


def told_by(similar_by: str) -> tuple[str, ...]:
    """Name the metrics that tell whether stage 2 learnt what it was to learn."""
    return TOLD if similar_by == "class" else tuple(f"{similar_by}/{key}" for key in TOLD)


def compare(embeddings: Mapping[str, Outcomes], told: Sequence[str] = TOLD) -> dict[str, dict[str, float]]:
    """Average what a search with each embedding finds: by embedding, by metric."""
    return {
        name: {key: float(np.nanmean(outcomes.scores[key])) for key in told}
        for name, outcomes in embeddings.items()
    }


def gain(after: Outcomes, before: Outcomes, told: Sequence[str] = TOLD) -> dict[str, Interval]:
    """Find how much one is better than the other, by metric: paired by query, intervals over senders."""
    assert after.same_pictures(before), "two splits cannot be paired"
    return {
        key: paired_difference(after.scores[key], before.scores[key], after.groups_N)
        for key in told
        if np.isfinite(after.scores[key]).any()
    }


def table_of(result: Mapping[str, Any]) -> Table:
    """Show what `result.json` of stage 2 says of it."""
    told = list(next(iter(result["compared"].values())))
    view = told[0].rpartition("/")[0]
    among = "validation, among itself" + (f", by {view}" if view else "")
    table = Table(title=f"Did stage 2 help? ({among})", title_justify="left")
    table.add_column("embedding")
    for key in told:
        table.add_column(key.rpartition("/")[2], justify="right")
    for name, row in result["compared"].items():
        table.add_row(name, *(f"{row[key]:.3f}" for key in told))
    gained = result["gained"]
    if gained:
        table.add_section()
        table.add_row("gain of stage 2", *(_gain(gained.get(key)) for key in told))
        units = next(iter(gained.values()))["units"]
        table.caption = f"gain: paired by query, 95% interval by bootstrap over {units} senders or pictures"
    return table


def _gain(one: Mapping[str, float] | None) -> str:
    return "" if one is None else f"{one['value']:+.3f} [{one['low']:+.3f}, {one['high']:+.3f}]"
