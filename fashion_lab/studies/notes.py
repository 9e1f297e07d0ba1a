"""What a reader must know beside a table: what an interval is over, what was paired, what is uneven."""

from collections.abc import Mapping, Sequence
from typing import Any

from fashion_lab.studies.conditions import differing, pixels
from fashion_lab.studies.groups import Study
from fashion_lab.studies.naming import name_of
from fashion_lab.studies.pairing import Difference
from fashion_lab.studies.second_stage import FEW
from fashion_lab.studies.tables import Table

REPEATS = (
    "mean ± half of the 95 % interval (Student's t, over folds where there are several, else over seeds)"
)
PICTURES = (
    "one seed and fold: ± is half of the 95 % bootstrap interval over its {over}; what another seed would "
    "change is not in it"
)
ALONE = "one run each: no interval"
WITHOUT = "no ±: one run without outcomes of its pictures (outcomes/<split>.npz), or no mean over pictures"
MANY = 10  # differences; of equal recipes half a one leaves zero out by chance; assumption


def heading(study: Study) -> str:
    """Say in a line under which conditions the runs of a study were made."""
    return " · ".join(study.conditions.values())


def why_apart(studies: Sequence[Study]) -> str | None:
    """Say why there are several tables; None for one."""
    if len(studies) < 2:
        return None
    names = differing([study.conditions for study in studies])
    return f"{len(studies)} tables: not comparable, they differ in {', '.join(names)}"


def notes(table: Table) -> list[str]:
    """What a reader must know beside the table of a study."""
    study = table.study
    said = [*_across(study), *_intervals(table), *_differences(table), *_ordered(table)]
    if repeats := sum(row.repeats for row in study.rows):
        said.append(f"{repeats} runs repeat a seed; equal seeds are averaged first and add no certainty")
    uneven = {tuple(row.seeds) for row in study.rows} | {()}
    if len(uneven) > 2:
        said.append("the rows have different seeds")
    commits = dict.fromkeys(str(run.result.get("git_commit"))[:10] for run in study.runs)
    if len(commits) > 1:
        said.append(f"from different commits: {', '.join(commits)}")
    return [*said, f"on {'; '.join(dict.fromkeys(_hardware(run.result) for run in study.runs))}"]


def help_notes(table: Table) -> list[str]:
    """What a reader must know beside the table of what stage 2 did."""
    gains = [gain for one in table.helped for gain in one.gains.values() if gain is not None]
    said = ["differences: of embeddings on the same pictures, by run", *_how_paired(gains)]
    if any("other_senders/" in one.metric for one in table.helped):
        said.append("other_senders/: items of the query's own sender are hidden from it")
    if len({id(one.row) for one in table.helped}) > FEW:
        said.append(f"more than {FEW} recipes: the monitored metric only")
    return said


def _across(study: Study) -> list[str]:
    seen = dict.fromkeys(pixels(run) for run in study.runs)
    if len(seen) < 2:
        return []
    return [f"of different pixels, as asked: {', '.join(seen)}; paired by the names of the pictures"]


def _intervals(table: Table) -> list[str]:
    amounts = [one for line in table.lines for one in line.amounts.values() if one is not None]
    said = []
    if any(one.half is not None and not one.is_over_pictures for one in amounts):
        said.append(REPEATS)
    if over := list(dict.fromkeys(one.over for one in amounts if one.is_over_pictures)):
        said.append(PICTURES.format(over=" or ".join(over)))
    if any(one.half is None for one in amounts):
        said.append(WITHOUT if said else ALONE)
    return said


def _differences(table: Table) -> list[str]:
    if table.baseline is None:
        return []
    found = [line.difference for line in table.lines if line.difference is not None]
    said = [
        f"Δ: {table.metrics[0]} less that of {name_of(table.baseline)}, runs of equal seed and fold paired"
    ]
    said += _how_paired(found)
    if len(found) < len(table.lines) - 1:
        said.append("Δ -: no seed and fold in common with the baseline, or no value")
    if any(one.p_values for one in found):
        said.append(
            "p: McNemar's exact test of each seed, lowest to highest; it takes pictures as independent: "
            "where there are senders, go by Δ"
        )
    if len(found) >= MANY:
        said.append(
            f"{len(found)} differences: of recipes that are equal, one in 20 leaves zero out by chance"
        )
    return said


def _how_paired(found: Sequence[Difference]) -> list[str]:
    amounts = [one.amount for one in found]
    said = []
    if over := list(dict.fromkeys(one.over for one in amounts if one.is_over_pictures)):
        said.append(
            f"over {' or '.join(over)}: outcomes of the same pictures, averaged over seeds, 95 % bootstrap "
            "interval: other pictures, the same networks"
        )
    if over := list(dict.fromkeys(one.repeats.over for one in found if one.repeats is not None)):
        said.append(
            f"by or in brackets over {' or '.join(over)}: Student's 95 % interval over the differences of "
            "runs: other trainings; what holds, holds in both"
        )
    elif said:
        said.append("one seed each: what another training would change is not in it")
    repeats = [one for one in amounts if not one.is_over_pictures]
    if over := list(dict.fromkeys(one.over for one in repeats if one.half is not None)):
        said.append(
            f"over {' or '.join(over)}: a run lacks outcomes of the same pictures, so Student's 95 % "
            "interval over the differences of runs"
        )
    if any(one.half is None for one in repeats):
        said.append("difference without ±: one pair of runs, without outcomes of the same pictures")
    return said


def _ordered(table: Table) -> list[str]:
    monitored = {str(run.result["monitor"]["metric"]) for run in table.study.runs}
    if table.order in monitored:
        return []
    return [f"ordered by {table.order}, as asked: choose no recipe by it"]


def _hardware(result: Mapping[str, Any]) -> str:
    hardware = result.get("hardware") or {}
    if not hardware:
        return "unknown hardware"
    if hardware.get("gpu"):
        return str(hardware["gpu"])
    return f"{hardware.get('processor')}, {hardware.get('threads')} thread(s)"
