"""The page about one audit: opens offline, with its pictures inside."""

import base64
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import accumulate, takewhile
from pathlib import Path
from typing import Any

import jinja2

from fashion_lab.audits.contract import Finding, Report
from fashion_lab.audits.material import Pictures
from fashion_lab.evaluations.sights import data_address

HERE = Path(__file__).parent / "templates"
FINDINGS, PICTURES = 24, 48  # shown of a kind, the worst: as many as are looked at


@dataclass(frozen=True)
class Shown:
    """A picture on the page: its name, its data address or nothing, its class and split."""

    name: str
    picture: str
    label: str
    split: str


@dataclass(frozen=True)
class Group:
    """Findings of one kind: the worst with their pictures, and how many there are in all."""

    kind: str
    count: int
    worst: list[tuple[Finding, list[Shown]]]


def render(facts: Mapping[str, Any], reports: Mapping[str, Report], pictures: Pictures) -> str:
    """Fill the page; whatever stands in names of files and classes is shown, never run.

    Args:
        facts: of the catalog, for head and foot.
        reports: of the checks, by name.
        pictures: what they are about.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    style = (HERE / "audit.css").read_text(encoding="utf-8")
    shown = cache(lambda row: _shown(pictures, row))
    groups = {name: _groups(report, shown) for name, report in reports.items()}
    page = environment.get_template("audit.html").render(
        **facts, style=style, style_sha256=_csp_hash(style), reports=reports, groups=groups
    )
    return page.encode("utf-8", "backslashreplace").decode()  # names that are no UTF-8


def _groups(report: Report, shown: Callable[[int], Shown]) -> list[Group]:
    kinds: dict[str, list[Finding]] = {}
    for finding in report.findings:
        kinds.setdefault(finding.kind, []).append(finding)
    return [
        Group(
            kind,
            len(found),
            [(finding, [shown(row) for row in finding.pictures]) for finding in _worst(found)],
        )
        for kind, found in kinds.items()
    ]


def _worst(findings: Sequence[Finding]) -> Sequence[Finding]:
    """Take as many as are shown of a kind, at least one."""
    pictures = accumulate(len(finding.pictures) for finding in findings)
    fitting = sum(1 for _ in takewhile(lambda count: count <= PICTURES, pictures))
    return findings[: min(FINDINGS, max(1, fitting))]


def _shown(pictures: Pictures, row: int) -> Shown:
    catalog = pictures.catalog
    picture = "" if row in pictures.broken else data_address(catalog, row)
    return Shown(catalog.item(row), picture, pictures.class_of(row), pictures.splits_N[row])


def _csp_hash(style: str) -> str:
    """Name the one style that the page may use: what a Content-Security-Policy compares."""
    return base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
