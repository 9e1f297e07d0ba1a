"""Measure the speed of every path: `python -m fashion_lab.bench [parts=[search,start]]`."""

import logging
from pathlib import Path

from omegaconf import DictConfig

from fashion_lab.config import ConfigError, build, launch
from fashion_lab.problems import nearest


def bench(cfg: DictConfig) -> None:
    """Measure the parts in turn, print their rows as they come, and keep them in `out`."""
    from fashion_lab.benchmarks.study import Study

    known = [str(name) for name, node in cfg.items() if isinstance(node, DictConfig) and "_target_" in node]
    for name in cfg.parts:
        if name not in known:
            raise ConfigError(f"parts={name}: there are {', '.join(known)}{nearest(name, known)}")
    if cfg.rounds < 1:
        raise ConfigError(f"rounds={cfg.rounds}: give 1 or more")
    if not cfg.parts:
        raise ConfigError(f"parts=[] measures nothing: there are {', '.join(known)}")
    logging.getLogger("fashion_lab").setLevel(logging.WARNING)  # what is decoded, each time
    study = Study(Path(cfg.out))
    measured = [study.measure(name, build(cfg[name], trusted=tuple(cfg.trusted))) for name in cfg.parts]
    if not any(measured):
        raise ConfigError("nothing was measured: what is missing stands above")
    study.close()


if __name__ == "__main__":
    launch(bench, "bench")
