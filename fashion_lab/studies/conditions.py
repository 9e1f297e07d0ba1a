"""What two runs must share for their numbers to be comparable."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from fashion_lab.problems import ConfigError
from fashion_lab.studies.runs import Run

OTHER_THAN_PICTURES = (
    *("_target_", "name", "root", "table", "download", "strict"),  # where they are and how they are read
    *("classes", "folds", "fold"),  # said in words of their own
)
"""Settings of a catalog that do not say which pictures its splits hold; all others do, as a split's seed."""

CROSSABLE = ("pixels",)
"""Conditions that may differ in a study where that is asked for: the pictures stay the same."""


def check_across(across: Sequence[str]) -> None:
    """Raise ConfigError for a condition that must not differ, or is none."""
    for name in across:
        if name not in CROSSABLE:
            raise ConfigError(f"across={name}; allowed is {', '.join(CROSSABLE)}: all else is not comparable")


def conditions(run: Run, across: Sequence[str] = ()) -> dict[str, str]:
    """Say in words what two runs must share for their numbers to be comparable, but for `across`."""
    result, classes = run.result, run.result["classes"]
    said = {
        "stage": str(result["stage"]),
        "catalog": str(result["catalog"]),
        "classes": f"{len(classes)} classes ({', '.join(map(str, classes))})",
        "pixels": pixels(run),
        "splits": _splits(run),
    }
    if settings := _data(run):
        said["data"] = ", ".join(f"{key} {value}" for key, value in settings.items())
    limit = run.config.get("trainer.limit_val_batches", 1.0)
    if limit not in (1.0, None):
        said["limits"] = f"evaluated on some batches only: {limit}"
    return {name: text for name, text in said.items() if name not in across}


def pixels(run: Run) -> str:
    """Say as what a run sees pictures."""
    return f"{run.result['pixels']['size']} px {run.result['pixels']['fit']}"


def told_apart(each: Sequence[Mapping[str, str]]) -> list[dict[str, str]]:
    """Leave the catalog's settings out where they are the same in all studies of a catalog."""
    settings: dict[str | None, set[str | None]] = defaultdict(set)
    for said in each:
        settings[said.get("catalog")].add(said.get("data"))
    alike = {catalog for catalog, found in settings.items() if len(found) == 1}
    return [
        {key: text for key, text in said.items() if key != "data" or said.get("catalog") not in alike}
        for said in each
    ]


def differing(each: Sequence[Mapping[str, str]]) -> list[str]:
    """The conditions in which studies differ."""
    names = dict.fromkeys(name for said in each for name in said)
    return [name for name in names if len({said.get(name) for said in each}) > 1]


def _data(run: Run) -> dict[str, Any]:
    """The catalog's settings that decide which pictures its splits hold."""
    pairs = (
        (key.removeprefix("data."), value) for key, value in run.config.items() if key.startswith("data.")
    )
    return {key: value for key, value in pairs if key.split(".")[0] not in OTHER_THAN_PICTURES}


def _splits(run: Run) -> str:
    sizes = dict(run.result["splits"])
    if run.config.get("data.fold") is None:
        return ", ".join(f"{name} {size:,}" for name, size in sizes.items())
    divided = sizes.pop("train", 0) + sizes.pop("validation", 0)  # folds differ in size, their sum does not
    rest = "".join(f", {name} {size:,}" for name, size in sizes.items())
    return f"{divided:,} in {run.config.get('data.folds')} folds{rest}"
