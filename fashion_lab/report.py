"""Recipes compared: `python -m fashion_lab.report outputs/classifier [more folders] [baseline=notebook]`."""

import sys
from collections.abc import Sequence
from pathlib import Path

from omegaconf import DictConfig

from fashion_lab.commandline import as_text, with_key
from fashion_lab.config import launch

TEXTS = ("baseline", "out", "plot", "split")
"""Keys whose values are read as they stand, `=` and commas included."""


def report(cfg: DictConfig) -> None:
    """Find the runs below the folders, and print, write and plot how their recipes compare."""
    from fashion_lab.studies.formats import FORMATS, print_report
    from fashion_lab.studies.notes import why_apart
    from fashion_lab.studies.plot import SUFFIXES, save_plot
    from fashion_lab.studies.runs import find_runs
    from fashion_lab.studies.tables import summary

    if cfg.format not in FORMATS:
        raise ValueError(f"format={cfg.format}: choose one of {', '.join(FORMATS)}")
    out, plot = _file("out", cfg.out), _file("plot", cfg.plot, SUFFIXES)
    runs, unfinished = find_runs(_folders(cfg))
    if not runs and not unfinished:
        raise ValueError(
            f"no run below {', '.join(cfg.runs)}; train one: python -m fashion_lab.train stage=classifier"
        )
    asked = {"baseline": cfg.baseline, "split": cfg.split, "across": list(cfg.across)}
    found = summary(runs, unfinished, list(cfg.metrics), **asked)
    if out is not None:
        out.write_text(FORMATS[cfg.format](found))
        apart = why_apart(found.studies)
        print(f"{len(runs)} runs: {out}{f' ({apart})' if apart else ''}")
    elif cfg.format == "table":
        print_report(found)
    else:
        print(FORMATS[cfg.format](found), end="")
    if plot is not None:
        save_plot(found, plot)
        print(f"plot: {plot}", file=sys.stderr)


def _folders(cfg: DictConfig) -> list[Path]:
    """The folders to look below; a baseline that is a folder is one of them."""
    folders = [Path(folder) for folder in cfg.runs]
    is_folder = cfg.baseline is not None and Path(cfg.baseline).is_dir()
    return [*folders, Path(cfg.baseline)] if is_folder else folders


def _file(key: str, given: str | None, suffixes: Sequence[str] = ()) -> Path | None:
    path = None if given is None else Path(given)
    if path is not None and (path.is_dir() or not path.parent.is_dir()):
        raise ValueError(f"{key}={path}: give a file in a folder that exists")
    if path is not None and suffixes and path.suffix not in suffixes:
        raise ValueError(f"{key}={path}: give a file that ends in {', '.join(suffixes)}")
    return path


if __name__ == "__main__":
    try:
        sys.argv[1:] = with_key(as_text(sys.argv[1:], TEXTS), "runs")
    except ValueError as error:
        sys.exit(f"error: {error}")
    launch(report, "report")
