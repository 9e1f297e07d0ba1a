"""One audit of a catalog: its pictures read once, every check made, written as a result and a page."""

import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table
from rich.text import Text

from fashion_lab.audits.background import check_background
from fashion_lab.audits.contract import Check, Finding, Report
from fashion_lab.audits.duplicates import check_duplicates
from fashion_lab.audits.files import files_check
from fashion_lab.audits.folds import read_predictions
from fashion_lab.audits.labels import labels_check, no_labels_check
from fashion_lab.audits.material import read_pictures
from fashion_lab.audits.mix import check_mix
from fashion_lab.audits.page import render
from fashion_lab.audits.senders import check_senders
from fashion_lab.contracts.catalog import Catalog
from fashion_lab.folders import replace_text
from fashion_lab.results import RESULT, git_commit, write_json

PACKAGES = ("numpy", "pillow", "imagehash", "cleanlab", "scikit-learn", "fashion_lab")
PAGE = "index.html"


class Audited(NamedTuple):
    """Where an audit was written, and what it found."""

    folder: Path
    result: dict[str, Any]


def checks_for(
    catalog: Catalog, runs: Sequence[Path], *, commands: Sequence[str], tiny: int, shape: float
) -> dict[str, Check]:
    """List the checks of a catalog, by name.

    Args:
        catalog: what is audited.
        runs: folders of classifiers that judge its labels, none where there are none.
        commands: that make such runs, for where there are none.
        tiny: see `files_check`.
        shape: see `files_check`.

    Raises:
        ValueError: a limit that makes no sense, or runs that cannot judge this catalog.
    """
    return {
        "files": files_check(tiny=tiny, shape=shape),
        "duplicates": check_duplicates,
        "senders": check_senders,
        "mix": check_mix,
        "background": check_background,
        "labels": labels_check(read_predictions(runs, catalog)) if runs else no_labels_check(commands),
    }


def audited(
    catalog: Catalog, checks: Mapping[str, Check], *, words: Sequence[str], out: Path | None = None
) -> Audited:
    """Make every check and write what it found: `result.json` and `index.html`.

    Args:
        catalog: what is audited.
        checks: by name.
        words: of the command line.
        out: a folder; None: `outputs/audit/<catalog>`.

    Raises:
        ValueError: `out` is no folder and cannot be made.
    """
    folder = Path("outputs", "audit", catalog.name) if out is None else out
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"out={folder}: {error.strerror}: give a folder that can be written") from error
    pictures = read_pictures(catalog)
    reports = {}
    for name, check in checks.items():
        with Console(stderr=True).status(f"checking {name}"):
            reports[name] = check(pictures)
    shared = {
        "catalog": catalog.name,
        "pictures": len(pictures),
        "classes": list(catalog.classes),
        "splits": {split: len(rows) for split, rows in catalog.splits.items()},
        "command": " ".join(("python -m fashion_lab.audit", *words)),
    }
    result = {
        **shared,
        "checks": {name: _recorded(report, catalog) for name, report in reports.items()},
        "versions": {"python": platform.python_version()} | {name: version(name) for name in PACKAGES},
        "git_commit": git_commit(),
    }
    replace_text(folder / PAGE, render(shared, reports, pictures))
    write_json(folder / RESULT, result)
    return Audited(folder, result)


def summary_of(result: Mapping[str, Any]) -> Table:
    """Show a line for each check."""
    title = f"{result['pictures']:,} pictures of {result['catalog']}"
    table = Table(title=Text(title), title_justify="left")
    table.add_column("check")
    table.add_column("found", overflow="fold")
    for check in result["checks"].values():
        table.add_row(check["title"], Text(check["summary"], style="dim" if check["skipped"] else ""))
    return table


def _recorded(report: Report, catalog: Catalog) -> dict[str, Any]:
    """Write a report as plain values, pictures by their names."""

    def named(finding: Finding) -> dict[str, Any]:
        return {**asdict(finding), "pictures": [catalog.item(row) for row in finding.pictures]}

    table = None if report.table is None else asdict(report.table)
    return {
        "title": report.title,
        "summary": report.summary,
        "notes": list(report.notes),
        "skipped": report.skipped,
        "how": list(report.how),
        "numbers": dict(report.numbers),
        "table": table,
        "findings": [named(finding) for finding in report.findings],
    }
