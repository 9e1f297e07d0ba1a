"""Train a stage: `python -m fashion_lab.train stage=classifier`, then `stage=siamese ckpt=<that run>`."""

from collections.abc import Sequence
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from fashion_lab.check import check
from fashion_lab.config import launch


def train(cfg: DictConfig) -> float:
    """Run one training; gives the monitored metric, for a sweeper to compare."""
    job = HydraConfig.get()
    check(cfg, multirun=job.mode == RunMode.MULTIRUN)
    from fashion_lab.training import Training

    return Training(cfg, Path(job.runtime.output_dir), overrides=list(job.overrides.task)).run()


def summarise(sweeps: Sequence[Path]) -> None:
    """Print the table of a sweep, also of one that was cut short."""
    from fashion_lab.studies.formats import print_report
    from fashion_lab.studies.runs import find_runs
    from fashion_lab.studies.tables import summary

    print(f"\nsweep: {', '.join(map(str, sweeps))}")
    print_report(summary(*find_runs(sweeps)))


if __name__ == "__main__":
    launch(train, "train", summarise)
