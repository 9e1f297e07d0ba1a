"""Serve the search page and its API: `python -m fashion_lab.serve index=<folder>`."""

import signal
import sys
from types import FrameType
from typing import Any

from omegaconf import DictConfig, OmegaConf

from fashion_lab import extras
from fashion_lab.config import build, launch

TERMINATED = 128 + signal.SIGTERM


def serve(cfg: DictConfig) -> None:
    """Open the index, listen, answer until Ctrl-C (exit code 130) or SIGTERM (143)."""
    signal.signal(signal.SIGTERM, _terminate)
    if cfg.index is None:
        raise ValueError("index= is missing: give the folder that python -m fashion_lab.index wrote")
    extras.require(extras.MODULES["web"], "python -m fashion_lab.serve", "web")
    from fashion_lab.web import server
    from fashion_lab.web.settings import Batch, Settings, Upload

    plain: Any = OmegaConf.to_container(cfg, resolve=True)
    settings = Settings(
        hosts=tuple(str(name).lower() for name in plain["hosts"]),
        **{name: plain[name] for name in ("public", "sample", "max_k", "reload_seconds")},
        upload=Upload(**plain["upload"]),
        batch=Batch(**plain["batch"]),
    )
    with server.bound(str(cfg.host), cfg.port, public=settings.public) as socket:
        live = server.watched(
            str(cfg.index),
            None if cfg.ckpt is None else str(cfg.ckpt),
            engine=None if cfg.engine is None else lambda: build(cfg.engine, trusted=plain["trusted"]),
            runtime=str(cfg.runtime),
            trusted=plain["trusted"],
            every=settings.reload_seconds,
        )
        server.run(live, settings, socket)


def _terminate(number: int, frame: FrameType | None) -> None:
    sys.exit(TERMINATED)


if __name__ == "__main__":
    launch(serve, "serve")
