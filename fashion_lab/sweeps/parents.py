"""Which run a repeat starts or learns from: the stage 1 run of the same seed and fold in a sweep's folder."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fashion_lab.commandline import shown
from fashion_lab.problems import ConfigError
from fashion_lab.run_files import FOLDER
from fashion_lab.studies.runs import Run, find_runs

SHARED = ("seed", "data.folds", "data.fold")
"""What a repeat shares with the run that it starts or learns from."""


def parent_of(key: str, given: str, repeat: Mapping[str, Any]) -> str:
    """Find the run that a key means: itself, or of a sweep's folder the run of the same repeat.

    Args:
        key: `ckpt` or `teacher`.
        given: a checkpoint, a run's folder or a sweep's.
        repeat: seed, number of folds and fold of the new run, by the names in SHARED.

    Raises:
        ConfigError: the sweep has no finished run of this repeat, or several.
    """
    folder = Path(given)
    if not folder.is_dir() or (folder / FOLDER).exists():
        return given
    finished, unfinished = find_runs([folder])
    known = [run for run in finished if run.result["stage"] == "classifier"]
    if not known and not unfinished:
        return given  # no sweep: reading it as a run says what it lacks
    fitting = [run for run in known if _repeat(run) == {key: repeat.get(key) for key in SHARED}]
    if len(fitting) == 1:
        return str(fitting[0].folder)
    wanted = " ".join(f"{key}={repeat[key]}" for key in SHARED if repeat.get(key) is not None)
    if fitting:
        raise ConfigError(
            f"{key}={given}: {len(fitting)} stage 1 runs with {wanted}, of different recipes: "
            f"{', '.join(str(run.folder) for run in fitting)}; name one run, or a sweep of one recipe"
        )
    raise ConfigError(
        f"{key}={given}: no finished stage 1 run with {wanted} in it; there are {_listed(known)}. Train it: "
        f"the command of stage 1 with this repeat and {shown('hydra.sweep.dir', given)}"
    )


def _repeat(run: Run) -> dict[str, Any]:
    return {key: run.config.get(key) for key in SHARED} | {"seed": run.result["seed"]}


def _listed(runs: Sequence[Run]) -> str:
    repeats = (
        " ".join(f"{key}={value}" for key, value in _repeat(run).items() if value is not None) for run in runs
    )
    return "; ".join(dict.fromkeys(repeats)) or "none"
