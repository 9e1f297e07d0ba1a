"""Audit a catalog before anything is trusted: `python -m fashion_lab.audit data=<catalog>`."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from fashion_lab import extras
from fashion_lab.config import build, launch


def audit(cfg: DictConfig) -> None:
    """Look at every picture of a catalog; print what was found, write it and a page about it."""
    extras.require(extras.MODULES["audit"], "python -m fashion_lab.audit", "audit")
    from rich.console import Console

    from fashion_lab.auditing import audited, checks_for, summary_of
    from fashion_lab.audits.labels import how_to_judge

    out = None if cfg.out is None else Path(cfg.out)
    if out is not None and out.exists() and not out.is_dir():
        raise ValueError(f"out={out} is a file: give a folder, new or old")
    catalog = build(cfg.data, trusted=list(cfg.trusted))
    words = _data_words(catalog.name)
    checks = checks_for(
        catalog,
        [Path(run) for run in cfg.runs],
        commands=how_to_judge(catalog.name, words, list(cfg.data)),
        tiny=cfg.tiny,
        shape=cfg.shape,
    )
    found = audited(catalog, checks, words=words, out=out)
    Console().print(summary_of(found.result))
    for check in found.result["checks"].values():
        if check["how"]:
            print(f"{check['title']}, with these two:", *check["how"], sep="\n  ")
    print(f"result: {found.folder / 'result.json'}")
    print(f"page: {found.folder / 'index.html'}")


def _data_words(name: str) -> Sequence[str]:
    """Repeat what the command line said about the catalog, for commands that a message shows."""
    given = HydraConfig.get().overrides.task if HydraConfig.initialized() else []
    return [shlex.quote(word) for word in given if word.startswith(("data=", "data."))] or [f"data={name}"]


if __name__ == "__main__":
    launch(audit, "audit")
