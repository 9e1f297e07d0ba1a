"""Helps tests to train: composes a config as the command line does, and runs it in this process."""

from pathlib import Path

from omegaconf import DictConfig

from fashion_lab.config import compose

TINY = (
    "data.products=21",
    "data.views=4",
    "data.size=64",
    "pixels.size=32",
    "trainer=cpu",
    "batch_size=8",
    "backbone.width=0.5",
    "backbone.depth=1",
    "threads=1",
    "callbacks.ema.decay=0.9",
)


def composed(folder: Path, *overrides: str, config: str = "train") -> DictConfig:
    """The config of a run that lives in `folder`."""
    return compose(config, [f"folder={folder}", *overrides])


def trained(folder: Path, *overrides: str, tiny: tuple[str, ...] = TINY) -> Path:
    """Train a tiny run in `folder`, and say where it is."""
    from fashion_lab.training import Training

    folder.mkdir(parents=True, exist_ok=True)
    Training(composed(folder, *tiny, *overrides), folder).run()
    return folder
