"""Train a stage: `python -m fashion_lab.train stage=classifier`, then `stage=siamese ckpt=<that run>`."""

import sys
from collections.abc import Sequence
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from fashion_lab.check import check
from fashion_lab.config import launch
from fashion_lab.sweeps.points import point_folder
from fashion_lab.sweeps.words import resume_words, sweep_words

OmegaConf.register_new_resolver("point_folder", point_folder, replace=True)


def train(cfg: DictConfig) -> float:
    """Run one training; gives the monitored metric, for a sweeper to compare."""
    job = HydraConfig.get()
    is_sweep = job.mode == RunMode.MULTIRUN
    check(cfg, multirun=is_sweep)
    from fashion_lab.sweeping import trained, trained_point

    run = trained_point if is_sweep else trained
    return run(cfg, Path(job.runtime.output_dir), list(job.overrides.task))


def summarise(sweeps: Sequence[Path]) -> None:
    """Print the table of a sweep, also of one that was cut short, and write its leaderboard."""
    from fashion_lab.studies.formats import print_report
    from fashion_lab.studies.runs import find_runs
    from fashion_lab.studies.tables import summary
    from fashion_lab.sweeps.leaderboard import write_leaderboard

    print(f"\nsweep: {', '.join(map(str, sweeps))}")
    runs, unfinished = find_runs(sweeps)
    print_report(summary(runs, unfinished))
    for sweep in sweeps:
        print(f"leaderboard: {write_leaderboard(sweep)}")
        if (word := resume_words(sweep)) and any(run.state != "pruned" for run in unfinished):
            print(f"go on with what is not finished:\n  python -m fashion_lab.train {word}")


if __name__ == "__main__":
    try:
        sys.argv[1:] = sweep_words(sys.argv[1:])
    except ValueError as error:
        sys.exit(f"error: {error}")
    launch(train, "train", summarise)
