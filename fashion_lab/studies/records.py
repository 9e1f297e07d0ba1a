"""A report for programs: CSV with a line a recipe, JSON with everything."""

import csv
import io
import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

from fashion_lab.outcomes import STAGE_2
from fashion_lab.studies.amounts import Amount
from fashion_lab.studies.grids import UNFINISHED, unfinished_rows
from fashion_lab.studies.groups import Row
from fashion_lab.studies.naming import name_of
from fashion_lab.studies.notes import help_notes, notes, why_apart
from fashion_lab.studies.pairing import Difference
from fashion_lab.studies.second_stage import Helped
from fashion_lab.studies.tables import Line, Report, Table


def as_csv(report: Report) -> str:
    """One table of all recipes; another `study` is not comparable, `_half` is half of the 95 % interval."""
    records = list(_records(report))
    text = io.StringIO()
    names = list(dict.fromkeys(key for record in records for key in record))
    writer = csv.DictWriter(text, names, restval="")
    writer.writeheader()
    writer.writerows(records)
    return text.getvalue()


def _records(report: Report) -> Iterator[dict[str, Any]]:
    for number, table in enumerate(report.tables, start=1):
        for line in table.lines:
            row = line.row
            sizes = {"seeds": len(row.seeds), "folds": len(row.folds), "runs": len(row.runs)}
            yield {
                "study": number,
                **table.study.conditions,
                "recipe": name_of(row),
                **row.labels,
                **sizes,
                **_flat(line.amounts),
                **_compared(table, line),
                **_stage_two(table, row),
                **_costs(row),
            }


def _flat(amounts: Mapping[str, Amount | None]) -> dict[str, Any]:
    return {
        key: value
        for name, found in amounts.items()
        if found is not None
        for key, value in ((name, found.value), (f"{name}_half", found.half), (f"{name}_over", _over(found)))
    }


def _over(found: Amount) -> str:
    return "" if found.half is None else f"{found.units} {found.over}"


def _compared(table: Table, line: Line) -> dict[str, Any]:
    if table.baseline is None:
        return {}
    said = {"baseline": name_of(table.baseline)}
    if line.difference is None:
        return said
    p_values = line.difference.p_values
    p = {"p_lowest": min(p_values), "p_highest": max(p_values)} if p_values else {}
    both = {"difference": line.difference.amount, "difference_over_repeats": line.difference.repeats}
    return {**said, **_flat(both), **p}


def _stage_two(table: Table, row: Row) -> dict[str, Any]:
    """The other embeddings (`stage 1/map_at_r`) and stage 2's gains (`stage 2 - stage 1/map_at_r`)."""
    found: dict[str, Amount | None] = {}
    for one in table.helped:
        if one.row.runs[0].folder != row.runs[0].folder:
            continue
        for name, gain in one.gains.items():
            found[f"{name}/{one.metric}"] = one.values[name]
            found[f"{STAGE_2} - {name}/{one.metric}"] = None if gain is None else gain.amount
    return _flat(found)


def _costs(row: Row) -> dict[str, Any]:
    counts = {name: row.counts(name) for name in ("parameters", "multiply_adds")}
    costs = {name: found[0] if len(found) == 1 else found or None for name, found in counts.items()}
    return {**costs, "minutes": round(row.minutes, 3)}


def as_json(report: Report) -> str:
    """Everything, with the folders of each row's runs; null stands for what is not a number."""
    content = {
        "not_comparable": why_apart(report.studies),
        "studies": [_study(table) for table in report.tables],
        "unfinished": [dict(zip(UNFINISHED, row, strict=True)) for row in unfinished_rows(report)],
        "problems": list(report.problems),
    }
    return json.dumps(content, indent=2, allow_nan=False) + "\n"


def _study(table: Table) -> dict[str, Any]:
    found: dict[str, Any] = {
        "conditions": table.study.conditions,
        "keys": table.study.keys,
        "ordered_by": table.order,
        "baseline": None if table.baseline is None else name_of(table.baseline),
        "notes": notes(table),
        "rows": [_row(line) for line in table.lines],
    }
    if table.helped:
        found["did_stage_2_help"] = {
            "notes": help_notes(table),
            "rows": [_embeddings(one) for one in table.helped],
        }
    return found


def _row(line: Line) -> dict[str, Any]:
    row = line.row
    return {
        "recipe": name_of(row),
        "settings": dict(row.labels),
        "seeds": row.seeds,
        "folds": row.folds,
        "metrics": {metric: _amount(found) for metric, found in line.amounts.items()},
        "difference": _difference(line.difference),
        **_costs(row),
        "runs": [str(run.folder) for run in row.runs],
    }


def _embeddings(one: Helped) -> dict[str, Any]:
    return {
        "recipe": name_of(one.row),
        "metric": one.metric,
        "embeddings": {name: _amount(found) for name, found in one.values.items()},
        "differences": {name: _difference(gain) for name, gain in one.gains.items()},
    }


def _amount(found: Amount | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "mean": _finite(found.value),
        "half": _finite(found.half),
        "low": _finite(found.low),
        "high": _finite(found.high),
        "values": found.repeats,
        "units": found.units,
        "over": found.over,
    }


def _difference(found: Difference | None) -> dict[str, Any] | None:
    if found is None:
        return None
    counts = {"pairs": found.pairs, "unpaired": found.unpaired}
    beside = {"repeats": _amount(found.repeats), "mcnemar_p": list(found.p_values)}
    return {**(_amount(found.amount) or {}), **counts, **beside}


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
