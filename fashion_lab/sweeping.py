"""One training of a sweep: skipped if it is done, continued if it was interrupted, left to who trains it."""

import json
import logging
import math
import shutil
from collections.abc import Sequence
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from fashion_lab.jobs import PRUNED, Pruned
from fashion_lab.results import RESULT
from fashion_lab.run_files import FOLDER
from fashion_lab.schema import STARTS
from fashion_lab.sweeps.parents import SHARED, parent_of
from fashion_lab.sweeps.points import State, visited
from fashion_lab.sweeps.trials import current_trial

log = logging.getLogger(__name__)


def trained(cfg: DictConfig, folder: Path, overrides: Sequence[str]) -> float:
    """Train in a folder; gives the monitored metric. A sweep as another run means its run of this repeat."""
    from fashion_lab.callbacks.pruning import Pruning
    from fashion_lab.training import Training

    if cfg.resume is None:
        repeat = {key: OmegaConf.select(cfg, key) for key in SHARED}
        for key in STARTS:
            if cfg[key] is not None:
                cfg[key] = parent_of(key, cfg[key], repeat)
    trial = current_trial()
    callbacks = [] if trial is None else [Pruning(trial.given_up, monitor=cfg.monitor.metric)]
    return Training(cfg, folder, overrides=overrides, callbacks=callbacks).run()


def trained_point(cfg: DictConfig, folder: Path, overrides: Sequence[str]) -> float:
    """Train a point of a sweep, as far as that was not done before; gives the monitored metric.

    It is NaN where another process trains the point.

    Raises:
        Pruned: a search gave the point up before.
    """
    with visited(folder, cfg, overrides) as state:
        if state is State.ELSEWHERE:
            log.warning("%s: another process trains this point; left to it", folder)
            return math.nan
        if state is State.FINISHED:
            value = _found(folder, cfg.monitor.metric)
            log.info("%s: done before, %s %.4f", folder, cfg.monitor.metric, value)
            return value
        if state is State.PRUNED and current_trial() is not None:
            raise Pruned((folder / PRUNED).read_text().strip())
        (folder / PRUNED).unlink(missing_ok=True)
        return trained(cfg, folder, _going_on(cfg, folder, overrides))


def _found(folder: Path, metric: str) -> float:
    value = json.loads((folder / RESULT).read_text())["metrics"][metric]
    return math.nan if value is None else float(value)


def _going_on(cfg: DictConfig, folder: Path, overrides: Sequence[str]) -> list[str]:
    """Let the config continue what is in the folder, if it can be; gives the words that still count."""
    if not (folder / FOLDER).exists():
        return list(overrides)
    from fashion_lab.resume import last_checkpoint, may_change

    try:
        last_checkpoint(folder)
    except ValueError as error:
        log.warning("%s: trained anew: %s", folder, error)
        shutil.rmtree(folder / FOLDER)
        return list(overrides)
    cfg.resume = str(folder)
    kept = [word for word in overrides if may_change(word.lstrip("+~").partition("=")[0])]
    return [*kept, f"trusted=[{','.join(cfg.trusted)}]"]  # a recipe's file may say it, as well as a word
