"""One page about one evaluation: opens offline, with its pictures inside."""

import math
from pathlib import Path
from typing import Any

import jinja2

from fashion_lab.studies.resampling import Interval


def render(facts: dict[str, Any]) -> str:
    """Fill the page; whatever stands in names of files and classes is shown, never run."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {"share": _share, "interval": _interval, "known": _known}
    return environment.get_template("evaluation.html").render(facts)


def _known(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def _share(value: float | None) -> str:
    return f"{value:.3f}" if _known(value) and value is not None else "none"


def _interval(found: Interval | None) -> str:
    if found is None or not _known(found.value):
        return ""
    return f"{found.low:.3f} to {found.high:.3f}"
