"""Did stage 2 help? Its embedding, the one that it started from and simpler ones, on the same pictures."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from rich.table import Table

from fashion_lab.evaluation import OTHERS
from fashion_lab.outcomes import STAGE_2, Outcomes
from fashion_lab.studies.draws import paired_difference
from fashion_lab.studies.resampling import Interval

TOLD = ("map_at_r", "precision_at_1", "precision_at_5")
VIEWS = {"": "", "other_senders": "the query's sender hidden", "product": "by product"}


def told_by(outcomes: Outcomes, similar_by: str) -> tuple[str, ...]:
    """Name the metrics that tell whether stage 2 learnt what it was to learn, where a query has an answer."""
    views = ("", OTHERS) if similar_by == "class" else (f"{similar_by}/",)
    names = (view + key for view in views for key in TOLD)
    return tuple(name for name in names if np.isfinite(outcomes.scores.get(name, np.nan)).any())


def compare(embeddings: Mapping[str, Outcomes], told: Sequence[str] = TOLD) -> dict[str, dict[str, float]]:
    """Average what a search with each embedding finds: by embedding, by metric."""
    return {
        name: {key: float(np.nanmean(outcomes.scores[key])) for key in told}
        for name, outcomes in embeddings.items()
    }


def gains(
    after: Outcomes, others: Mapping[str, Outcomes], told: Sequence[str] = TOLD
) -> dict[str, dict[str, Interval]]:
    """Find how much better one is than each other, by embedding, by metric: paired by query."""
    return {name: _gain(after, before, told) for name, before in others.items()}


def _gain(after: Outcomes, before: Outcomes, told: Sequence[str]) -> dict[str, Interval]:
    assert after.same_pictures(before), "two splits cannot be paired"
    return {key: paired_difference(after.scores[key], before.scores[key], after.groups_N) for key in told}


def table_of(result: Mapping[str, Any]) -> Table:
    """Show what `result.json` of stage 2 says of it."""
    told = [key.rpartition("/") for key in result["compared"][STAGE_2]]
    keys = list(dict.fromkeys(key for _, _, key in told))
    table = Table(title="Did stage 2 help? (validation, among itself)", title_justify="left")
    table.add_column("embedding")
    for key in keys:
        table.add_column(key, justify="right")
    for view in dict.fromkeys(view for view, _, _ in told):
        names = [f"{view}/{key}" if view else key for key in keys]
        table.add_section()
        if view:
            table.add_row(f"{VIEWS[view]}:")
        for name, row in result["compared"].items():
            table.add_row(name, *(f"{row[key]:.3f}" for key in names))
        for name, gained in result["gained"].items():
            table.add_row(f"{STAGE_2} less {name}", *(_written(gained[key]) for key in names))
    units = [one["units"] for gained in result["gained"].values() for one in gained.values()]
    if units:
        table.caption = (
            f"less: paired by query, 95% interval by bootstrap over {units[0]} senders or pictures"
        )
    return table


def _written(one: Mapping[str, float]) -> str:
    return f"{one['value']:+.3f} [{one['low']:+.3f}, {one['high']:+.3f}]"
