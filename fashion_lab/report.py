"""Tables of runs: `python -m fashion_lab.report outputs/classifier [more folders] [format=markdown]`."""

import sys
from pathlib import Path

from omegaconf import DictConfig

from fashion_lab.commandline import with_key
from fashion_lab.config import launch


def report(cfg: DictConfig) -> None:
    """Find the runs below the folders and print or write the tables of them."""
    from fashion_lab.studies.formats import FORMATS, print_report
    from fashion_lab.studies.runs import find_runs
    from fashion_lab.studies.tables import summary

    if cfg.format not in FORMATS:
        raise ValueError(f"format={cfg.format}: choose one of {', '.join(FORMATS)}")
    out = None if cfg.out is None else Path(cfg.out)
    if out is not None and (out.is_dir() or not out.parent.is_dir()):
        raise ValueError(f"out={out}: give a file in a folder that exists")
    runs, unfinished = find_runs([Path(folder) for folder in cfg.runs])
    if not runs and not unfinished:
        raise ValueError(
            f"no run below {', '.join(cfg.runs)}; train one: python -m fashion_lab.train stage=classifier"
        )
    found = summary(runs, unfinished, list(cfg.metrics))
    if out is not None:
        out.write_text(FORMATS[cfg.format](found))
        print(f"{len(runs)} runs: {out}")
    elif cfg.format == "table":
        print_report(found)
    else:
        print(FORMATS[cfg.format](found), end="")


if __name__ == "__main__":
    try:
        sys.argv[1:] = with_key(sys.argv[1:], "runs")
    except ValueError as error:
        sys.exit(f"error: {error}")
    launch(report, "report")
