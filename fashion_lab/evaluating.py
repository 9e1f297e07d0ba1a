"""One evaluation of a run on a split: measured by picture, with intervals, written as a result and a page."""

import math
from collections.abc import Sequence
from dataclasses import asdict, is_dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from rich.table import Table

from fashion_lab.bundles.bundle import is_bundle
from fashion_lab.config import rebuild
from fashion_lab.contracts.catalog import Catalog
from fashion_lab.data.pixels import PixelStore
from fashion_lab.encoders.runs import TrainedRun, read_run
from fashion_lab.evaluations import classifier_facts, encoder_facts
from fashion_lab.evaluations.page import render
from fashion_lab.outcomes import Outcomes, beside
from fashion_lab.results import surroundings, write_json
from fashion_lab.run_files import BEST, FOLDER, LAST

NOTES = {
    "train": "These pictures taught the network: the numbers flatter and say nothing about others.",
    "test": "The test split is for the end: what is chosen by these numbers is not measured by them.",
}


class Evaluated(NamedTuple):
    """Where an evaluation was written, and what it found."""

    folder: Path
    result: dict[str, Any]


def evaluated(
    given: str,
    split: str,
    *,
    out: Path | None = None,
    cache: Path | None = None,
    trusted: Sequence[str] = (),
) -> Evaluated:
    """Evaluate a run or a checkpoint on a split of the catalog that it was trained with.

    What is found of another checkpoint than the best one has a name of its own among evaluations and
    outcomes, e.g. `validation-last`.

    Raises:
        ValueError: no run, a bundle, no such split, or nothing readable in it.
    """
    if is_bundle(given):
        raise ValueError(
            f"ckpt={given} is a bundle, which knows no split: evaluate the run that it was made of"
        )
    run = read_run(given, trusted=trusted)
    checkpoint = Path(run.source["path"])
    catalog: Catalog = rebuild(run.data, origin=checkpoint, trusted=trusted)
    _check_split(catalog, split)
    home = checkpoint.parent.parent if checkpoint.parent.name == FOLDER else checkpoint.parent
    name = split + _mark(checkpoint)
    folder = home / "evaluation" / name if out is None else out
    store = PixelStore.open(catalog, run.blueprint.pixels, cache=cache)
    part = classifier_facts if run.blueprint.stage == "classifier" else encoder_facts
    facts = part.facts_of(run, catalog, store, split, cache=cache, trusted=trusted)
    outcomes = facts.pop("outcomes")
    folder.mkdir(parents=True, exist_ok=True)
    found = {name: outcomes} | {beside(name, what): one for what, one in facts.pop("beside", {}).items()}
    for kept_as, one in found.items():
        replace(one, split=kept_as).save(home if out is None else folder)
    shared = _circumstances(run, catalog, outcomes, split)
    title = f"{home.name}: {run.blueprint.stage} on {split}"
    page = render({"title": title, "note": NOTES.get(split), **shared, **facts})
    (folder / "index.html").write_text(page, encoding="utf-8")
    result = {**shared, **_plain(part.lasting(facts)), **surroundings()}
    write_json(folder / "result.json", result)
    return Evaluated(folder, result)


def summary_of(result: dict[str, Any]) -> Table:
    """Show the metrics with their intervals."""
    units = f"{result['senders']} senders" if result["senders"] else f"{result['pictures']} pictures"
    table = Table(
        title=f"{result['stage']} on {result['split']} of {result['catalog']}", title_justify="left"
    )
    for name in ("metric", "value", "95% interval"):
        table.add_column(name, justify="left" if name == "metric" else "right")
    for name, found in result["metrics"].items():
        if found["value"] is not None:
            table.add_row(name, f"{found['value']:.4f}", f"{found['low']:.3f} .. {found['high']:.3f}")
    table.caption = f"{result['pictures']} pictures; intervals by bootstrap over {units}"
    return table


def _circumstances(run: TrainedRun, catalog: Catalog, outcomes: Outcomes, split: str) -> dict[str, Any]:
    """Say what was measured, on what."""
    return {
        "stage": run.blueprint.stage,
        "split": split,
        "catalog": catalog.name,
        "classes": list(catalog.classes),
        "pictures": len(outcomes),
        "senders": None if outcomes.groups_N is None else len(set(outcomes.groups_N.tolist())),
        "pixels": {"size": run.blueprint.pixels.size, "fit": run.blueprint.pixels.fit},
        "checkpoint": {key: run.source[key] for key in ("path", "sha256")},
        "command": f"python -m fashion_lab.evaluate ckpt={run.given} split={split}",
    }


def _mark(checkpoint: Path) -> str:
    """Name a checkpoint that is not the one of the run's result: what is found of it stays apart."""
    is_last = checkpoint.name == LAST and not checkpoint.with_name(BEST).exists()
    return "" if checkpoint.name == BEST or is_last else f"-{checkpoint.stem}"


def _check_split(catalog: Catalog, split: str) -> None:
    if split not in catalog.splits or not len(catalog.splits[split]):
        there = [name for name, rows in catalog.splits.items() if len(rows)]
        raise ValueError(
            f"split={split}: catalog {catalog.name!r} has no such pictures; choose one of {', '.join(there)}"
        )


def _plain(value: Any) -> Any:
    """Turn intervals and the like into what JSON knows; what has no value becomes null."""
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
