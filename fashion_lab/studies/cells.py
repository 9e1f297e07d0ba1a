"""Numbers of a report as text."""

import math

from fashion_lab.studies.amounts import Amount
from fashion_lab.studies.groups import Row
from fashion_lab.studies.pairing import Difference

NOTHING = "-"
LEAST_P = 0.001  # what is below is not told apart: such a p rests on more than the data; assumption


def written(found: Amount | None, expected: int) -> str:
    """An amount as text; what is of fewer repeats than expected says so."""
    if found is None:
        return NOTHING
    half = "" if found.half is None or math.isnan(found.half) else f" ± {found.half:.4f}"
    few = "" if found.repeats == expected else f" ({found.repeats} of {expected})"
    return f"{found.value:.4f}{half}{few}"


def gained(found: Difference) -> str:
    """A difference as text, with its sign; what left runs out says how many pairs it is of."""
    pairs = f" ({found.pairs} of {found.pairs + found.unpaired} paired)" if found.unpaired else ""
    return f"{signed(found.amount)}{pairs}"


def signed(amount: Amount) -> str:
    """An amount as text, with its sign."""
    half = "" if amount.half is None or math.isnan(amount.half) else f" ± {amount.half:.4f}"
    return f"{amount.value:+.4f}{half}"


def over(found: Amount | None) -> str:
    """Of what an interval is, e.g. `117 senders`."""
    return NOTHING if found is None or found.half is None else f"{found.units:,} {found.over}"


def p_text(found: Difference | None) -> str:
    """McNemar's p: of one seed, or the lowest and highest of several."""
    if found is None or not found.p_values:
        return NOTHING
    ends = [f"{p:.3f}" if p >= LEAST_P else f"<{LEAST_P}" for p in (min(found.p_values), max(found.p_values))]
    return " – ".join(dict.fromkeys(ends))


def gained_over_both(found: Difference) -> str:
    """A difference as text, with what trainings say in brackets: `+0.01 ± 0.02 (± 0.03)`; see `over_both`."""
    beside = found.repeats
    return gained(found) + ("" if beside is None or beside.half is None else f" (± {beside.half:.4f})")


def over_both(found: Difference) -> str:
    """Of what a difference's intervals are: `9 senders (3 seeds)`."""
    return over(found.amount) + ("" if found.repeats is None else f" ({over(found.repeats)})")


def costs(row: Row) -> dict[str, str]:
    """What a recipe costs, by column."""
    parameters = (f"{count:,}" for count in row.counts("parameters"))
    adds = (f"{count / 1e6:.1f} M" for count in row.counts("multiply_adds"))
    return {
        "parameters": " / ".join(parameters),
        "multiply-adds": " / ".join(adds) or NOTHING,
        "minutes": f"{row.minutes:.1f}",
    }
