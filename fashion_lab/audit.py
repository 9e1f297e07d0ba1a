"""Audit a catalog before anything is trusted: `python -m fashion_lab.audit data=<catalog>`."""

import logging
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from fashion_lab import extras
from fashion_lab.config import build, launch

if TYPE_CHECKING:
    from fashion_lab.contracts.catalog import Catalog

VALIDATION = "validation"


def audit(cfg: DictConfig) -> None:
    """Look at every picture of a catalog; print what was found, write it and a page about it."""
    extras.require(extras.MODULES["audit"], "python -m fashion_lab.audit", "audit")
    from rich.console import Console

    from fashion_lab.auditing import audited, checks_for, summary_of
    from fashion_lab.audits.labels import how_to_judge

    out = None if cfg.out is None else Path(cfg.out)
    if missing := sorted(OmegaConf.missing_keys(cfg)):
        raise ValueError(f"{missing[0]}= is missing: say which pictures, such as data.root=<folder>")
    catalog = build(cfg.data, trusted=list(cfg.trusted))
    words = _words()
    chosen = [word for word in words if word.strip('"').startswith(("data=", "data."))]
    runs = [Path(str(run)) for run in ([cfg.runs] if isinstance(cfg.runs, str) else cfg.runs)]
    is_trained = not runs and VALIDATION in catalog.splits
    commands = how_to_judge(catalog.name, chosen, _divided_by(cfg, catalog)) if is_trained else []
    checks = checks_for(catalog, runs, commands=commands, tiny=cfg.tiny, shape=cfg.shape)
    found = audited(catalog, checks, words=words, out=out)
    Console().print(summary_of(found.result))
    for check in found.result["checks"].values():
        if check["how"]:
            print(f"{check['title']}, with these two:", *check["how"], sep="\n  ")
    print(f"result: {found.folder / 'result.json'}")
    print(f"page: {found.folder / 'index.html'}")


def _words() -> Sequence[str]:
    """Repeat the command line."""
    given = HydraConfig.get().overrides.task if HydraConfig.initialized() else []
    return [_for_a_shell(word) for word in given]


def _for_a_shell(word: str) -> str:
    """Quote a word where a shell needs it, readably: Hydra's own quotes are single ones."""
    quoted = shlex.quote(word)
    return quoted if quoted == word or set(word) & set('"$`\\!') else f'"{word}"'


def _divided_by(cfg: DictConfig, catalog: "Catalog") -> str | None:
    """Say which key of the catalog makes a training hold back other pictures, if any does."""
    if "folds" in cfg.data:
        return None if catalog.groups is None else "data.fold"
    if "validation" not in cfg.data:
        return None
    logging.disable()  # what there is to say about it was said
    try:
        again = build(cfg.data, seed=int(cfg.data.seed) + 1, trusted=list(cfg.trusted))
    finally:
        logging.disable(logging.NOTSET)
    here, there = ({one.item(row) for row in one.splits[VALIDATION]} for one in (catalog, again))
    return None if here == there else "data.seed"


if __name__ == "__main__":
    launch(audit, "audit")
