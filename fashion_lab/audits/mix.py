"""The class mix: how many pictures of each class every split has, and whether splits are alike.

C classes, T splits.
"""

import numpy as np

from fashion_lab.audits.contract import Report, Table, skipped
from fashion_lab.audits.material import Pictures
from fashion_lab.contracts.catalog import Ints

TITLE = "Class mix"
TRAIN = "train"


def check_mix(pictures: Pictures) -> Report:
    """Compare every split's shares of the classes with those of train."""
    catalog = pictures.catalog
    splits = [split for split in catalog.splits if len(pictures.rows(split))]
    if not splits:
        return skipped(TITLE, "no readable picture of a split has a label")
    counts_TC = np.array(
        [
            np.bincount(catalog.labels[pictures.rows(split)], minlength=len(catalog.classes))
            for split in splits
        ]
    )
    shares_TC = counts_TC / counts_TC.sum(axis=1, keepdims=True)
    numbers = {
        f"{split}/{name}": int(count)
        for split, counts_C in zip(splits, counts_TC, strict=True)
        for name, count in zip(catalog.classes, counts_C, strict=True)
    }
    base = splits.index(TRAIN) if TRAIN in splits else 0
    most, least = counts_TC[base].argmax(), counts_TC[base].argmin()
    told = [f"{splits[base]}: {catalog.classes[most]} {shares_TC[base, most]:.0%}"]
    told[0] += f" to {catalog.classes[least]} {shares_TC[base, least]:.0%}"
    apart: dict[str, float | None] = {}
    for row, split in enumerate(splits):
        if row == base:
            continue
        gaps_C = shares_TC[row] - shares_TC[base]
        widest = int(np.abs(gaps_C).argmax())
        chance = chance_of(counts_TC[[base, row]])
        apart |= {f"{split}_largest_gap": float(gaps_C[widest]), f"{split}_p": chance}
        told.append(f"{split}: {catalog.classes[widest]} {100 * gaps_C[widest]:+.0f} points")
    return Report(
        title=TITLE,
        summary="; ".join(told) + _missing(catalog.classes, splits, counts_TC),
        notes=[
            "Points: a class's share of a split less its share of "
            f"{splits[base]}, where that is most. p: how often two splits drawn picture by picture from one "
            "pot differ so much (chi-squared); small is no chance. Pictures of one sender are alike, which "
            "makes p smaller than it should be."
        ],
        numbers={**numbers, **apart},
        table=_table(catalog.classes, splits, counts_TC, shares_TC, apart),
    )


def chance_of(counts_2C: Ints) -> float | None:
    """Give p of "both have the same class mix"; None where only one class is there."""
    from scipy.stats import chi2_contingency

    there_2C = counts_2C[:, counts_2C.any(axis=0)]
    return None if there_2C.shape[1] < 2 else float(chi2_contingency(there_2C).pvalue)


def _missing(classes: tuple[str, ...], splits: list[str], counts_TC: Ints) -> str:
    missing = [f"{classes[c]} in {splits[t]}" for t, c in np.argwhere(counts_TC == 0)]
    return f"; none of {', '.join(missing)}" if missing else ""


def _table(
    classes: tuple[str, ...],
    splits: list[str],
    counts_TC: Ints,
    shares_TC: np.ndarray,
    apart: dict[str, float | None],
) -> Table:
    rows = [
        [name, *(f"{count:,} ({share:.1%})" for count, share in zip(counts, shares, strict=True))]
        for name, counts, shares in zip(classes, counts_TC.T, shares_TC.T, strict=True)
    ]
    rows.append(["all", *(f"{count:,}" for count in counts_TC.sum(axis=1))])
    chances = [apart.get(f"{split}_p") for split in splits]
    if any(chance is not None for chance in chances):
        rows.append(["p", *("" if chance is None else f"{chance:.2g}" for chance in chances)])
    return Table(head=["class", *splits], rows=rows)
