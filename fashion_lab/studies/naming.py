"""The names of a study's recipes, and which one a person means by a baseline."""

from collections.abc import Sequence
from pathlib import Path

from fashion_lab.problems import ConfigError, nearest
from fashion_lab.studies.groups import Row, Study
from fashion_lab.studies.recipes import UNSAID, label, overridden
from fashion_lab.studies.runs import Run

NOBODY = "none"
USUAL = "notebook"
"""The baseline of every study that has it, unless another is named."""

PLAIN = "default"
"""The recipe of a command line that names nothing by which a study's recipes differ."""

FEW = 8  # names in a message; assumption


def name_of(row: Row) -> str:
    """Name a recipe by what tells it from the others of its study, e.g. `notebook, lr=0.01`.

    One that is alone in it has the name that its command lines give it.
    """
    labels = row.labels or {key: label(row.runs, key) for key in overridden([row.runs]) if key != "stage"}
    said = {key: value for key, value in labels.items() if value not in UNSAID}
    if "experiment" in said:  # it names the settings that it makes; the others were asked for beside it
        asked = {key for run in row.runs for key in run.overrides}
        said = {key: value for key, value in said.items() if key in asked}
    parts = [
        value if "." not in key and not _is_number(value) else f"{key.rsplit('.')[-1]}={value}"
        for key, value in said.items()
    ]
    return ", ".join(parts) or ", ".join(sorted(_experiments(row))) or PLAIN


def baseline_of(study: Study, wanted: str | None) -> Row | None:
    """Find the row that others are compared with; None where a study has none or nothing to compare.

    Args:
        study: whose rows.
        wanted: a run's folder or one above it, an experiment's name, a row's name, label or `key=label`
            (several with commas); `default`; `none`; None for the row of `experiment=notebook`, if there is
            exactly one.

    Raises:
        ConfigError: it fits several rows.
    """
    if wanted == NOBODY:
        return None
    if wanted is None:
        found = [row for row in study.rows if _experiments(row) == {USUAL}]
        return found[0] if len(found) == 1 and len(study.rows) > 1 else None
    found = [row for row in study.rows if any(_is_below(run, Path(wanted)) for run in row.runs)]
    found = found or [row for row in study.rows if _is_meant(row, wanted)]
    if len(found) > 1:
        names = "; ".join(name_of(row) for row in found[:FEW])
        more = "; ..." if len(found) > FEW else ""
        raise ConfigError(f"baseline={wanted}: fits {len(found)} recipes ({names}{more}); name one of them")
    return found[0] if found else None


def check_baseline(studies: Sequence[Study], found: Sequence[Row | None], wanted: str | None) -> None:
    """Raise ConfigError where a baseline was named that no study has."""
    if wanted in (None, NOBODY) or not studies or any(row is not None for row in found):
        return
    names = list(dict.fromkeys(name_of(row) for study in studies for row in study.rows))
    more = f" and {len(names) - FEW} more" if len(names) > FEW else ""
    hint = nearest(str(wanted), names) or f"; there are {'; '.join(names[:FEW])}{more}"
    raise ConfigError(f"baseline={wanted}: no recipe is called so, and no run is at or below it{hint}")


def _experiments(row: Row) -> set[str]:
    return {run.overrides["experiment"] for run in row.runs if "experiment" in run.overrides}


def _is_below(run: Run, folder: Path) -> bool:
    return folder.exists() and run.folder.resolve().is_relative_to(folder.resolve())


def _is_meant(row: Row, wanted: str) -> bool:
    if wanted == name_of(row) or _experiments(row) == {wanted} or (wanted == PLAIN and _is_plain(row)):
        return True
    known = {f"{key}={value}" for key, value in row.labels.items()} | set(row.labels.values()) - UNSAID
    return all(part.strip() in known for part in wanted.split(","))


def _is_plain(row: Row) -> bool:
    return not any(run.overrides.keys() & {*row.labels, "experiment", "resume"} for run in row.runs)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return text in ("null", "true", "false")
    return True
