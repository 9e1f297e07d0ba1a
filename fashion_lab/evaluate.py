"""Evaluate a run: `python -m fashion_lab.evaluate ckpt=<run or checkpoint> [split=test]`."""

from pathlib import Path

from omegaconf import DictConfig

from fashion_lab import extras
from fashion_lab.config import launch


def evaluate(cfg: DictConfig) -> None:
    """Measure a run on a split, with intervals; write the result and a page about it."""
    if cfg.ckpt is None:
        raise ValueError("ckpt= is missing: give a run folder (outputs/<stage>/<time>) or a .ckpt file")
    extras.require(["torch"], "python -m fashion_lab.evaluate", "train")
    from rich.console import Console

    from fashion_lab.evaluating import evaluated, summary_of

    out, cache = (None if cfg[key] is None else Path(cfg[key]) for key in ("out", "cache"))
    found = evaluated(cfg.ckpt, str(cfg.split), out=out, cache=cache, trusted=list(cfg.trusted))
    Console().print(summary_of(found.result))
    print(f"result: {found.folder / 'result.json'}")
    print(f"page: {found.folder / 'index.html'}")


if __name__ == "__main__":
    launch(evaluate, "evaluate")
