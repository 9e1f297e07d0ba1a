"""Train a stage: `python -m fashion_lab.train stage=classifier`, then `stage=siamese ckpt=<that run>`."""

import sys
from collections.abc import Sequence
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from fashion_lab.check import check
from fashion_lab.config import launch
from fashion_lab.sweeps.commands import check_resume, commands, remember, resume_word
from fashion_lab.sweeps.points import point_folder

INTERRUPTED = 128  # and above: exit codes of what a signal, or a reader that has gone, ended

OmegaConf.register_new_resolver("point_folder", point_folder, replace=True)


def train(cfg: DictConfig) -> float:
    """Run one training; gives the monitored metric, for a sweeper to compare."""
    job = HydraConfig.get()
    is_sweep = job.mode == RunMode.MULTIRUN
    check(cfg, multirun=is_sweep)
    if is_sweep:
        remember(Path(job.sweep.dir), sys.argv[1:])
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
        if (word := resume_word(sweep)) and any(run.state != "pruned" for run in unfinished):
            print(f"go on with what is not finished:\n  python -m fashion_lab.train {word}")


def launch_each(lines: Sequence[Sequence[str]]) -> None:
    """Run command lines one after another: what fails in one stops no other, an interruption stops all."""
    failed = 0
    for words in lines:
        sys.argv[1:] = words
        try:
            launch(train, "train", summarise)
        except SystemExit as end:
            if len(lines) == 1 or (isinstance(end.code, int) and end.code >= INTERRUPTED):
                raise
            print(end.code or "", file=sys.stderr)
            failed += 1
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    try:
        check_resume(sys.argv[1:])
        lines = commands(sys.argv[1:])
    except ValueError as error:
        sys.exit(f"error: {error}")
    launch_each(lines)
