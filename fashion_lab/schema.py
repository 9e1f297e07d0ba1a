"""The typed roots of the configs. The groups below stay free: what they build checks its own arguments."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from omegaconf import MISSING

OF_THE_PLACE = (
    "cache",
    "callbacks.progress",
    "folder",
    "logger",
    "pixels.workers",
    "resume",
    "threads",
    "trainer.accelerator",
    "trainer.default_root_dir",
    "trainer.log_every_n_steps",
    "trusted",
)
"""Where a run lived and what was printed: no part of what it computes."""

STARTS = ("ckpt", "teacher")
"""Keys that name another run, which a run starts or learns from."""


def is_among(key: str, keys: Iterable[str]) -> bool:
    """Say whether a config key is one of some, or below one."""
    return any(key == known or key.startswith(f"{known}.") for known in keys)


@dataclass
class Pixels:
    """How pictures become pixels; see `fashion_lab.pictures.PixelSpec`. Size None: the backbone's own."""

    size: int | None = 64
    fit: str = "squash"
    workers: int | None = None


@dataclass
class Monitor:
    """The logged metric that picks the best checkpoint; whether more (`max`) or less (`min`) is better."""

    metric: str = MISSING
    mode: str = MISSING


@dataclass
class TrainConfig:
    """The root of a training's config."""

    stage: str = MISSING
    folder: str = MISSING
    seed: int = 0
    ckpt: str | None = MISSING
    teacher: str | None = None
    resume: str | None = None
    batch_size: int = MISSING
    threads: int | None = None
    compile: bool = False
    compile_mode: str = "default"
    channels_last: bool = False
    cache: str | None = None
    trusted: list[str] = field(default_factory=list)
    num_classes: int | None = None
    similar_by: str = "class"
    pixels: Pixels = field(default_factory=Pixels)
    monitor: Monitor = field(default_factory=Monitor)
    data: Any = MISSING
    backbone: Any = MISSING
    encoder: Any = None
    network: Any = MISSING
    module: Any = MISSING
    loss: Any = MISSING
    optimizer: Any = MISSING
    scheduler: Any = None
    augment: Any = MISSING
    sampler: Any = MISSING
    trainer: Any = MISSING
    callbacks: dict[str, Any] = field(default_factory=dict)
    logger: dict[str, Any] = field(default_factory=dict)


@dataclass
class ReportConfig:
    """The root of a report's config."""

    runs: list[str] = MISSING
    metrics: list[str] = MISSING
    baseline: str | None = None
    split: str | None = None
    across: list[str] = MISSING
    format: str = MISSING
    out: str | None = None
    plot: str | None = None
