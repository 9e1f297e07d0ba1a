"""Runs on disk: which are finished, with what, and what became of the others. Imports nothing heavy."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from yaml import YAMLError

from fashion_lab.commandline import shown
from fashion_lab.jobs import ERROR, PRUNED
from fashion_lab.problems import ConfigError
from fashion_lab.results import RESULT
from fashion_lab.run_files import CONFIG, FOLDER, LAST, is_held
from fashion_lab.studies.reading import read_config, read_mapping, read_result, read_yaml
from fashion_lab.studies.resampling import Interval

MARKS = (RESULT, CONFIG, ".hydra")


@dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes:
        folder: where it lives.
        result: its `result.json`.
        config: its whole config by dotted key (`optimizer.lr`), lists as values; empty without `config.yaml`.
        overrides: what its command line said, key to text.
        intervals: of the metrics that its evaluation of a split added to the result's.
    """

    folder: Path
    result: Mapping[str, Any]
    config: Mapping[str, Any]
    overrides: Mapping[str, str]
    intervals: Mapping[str, Interval] = field(default_factory=dict)


class Unfinished(NamedTuple):
    """A run without a result: running, failed, pruned, interrupted, stopped or unreadable; what to do."""

    folder: Path
    state: str
    advice: str
    overrides: Mapping[str, str]


def find_runs(given: Sequence[Path]) -> tuple[list[Run], list[Unfinished]]:
    """Read every run at or below the folders, each once, in order of their names.

    Raises:
        ConfigError: a folder is not there.
    """
    finished: list[Run] = []
    unfinished: list[Unfinished] = []
    seen: set[Path] = set()
    for top in given:
        if not top.exists():
            raise ConfigError(f"{top} does not exist; give folders that hold runs, e.g. outputs/classifier")
        for folder in _run_folders(top if top.is_dir() else top.parent):
            if folder.resolve() in seen:
                continue
            seen.add(folder.resolve())
            run = read_run(folder) if (folder / RESULT).is_file() else _unfinished(folder)
            finished.append(run) if isinstance(run, Run) else unfinished.append(run)
    return finished, unfinished


def _run_folders(top: Path) -> Iterator[Path]:
    for folder, below, files in os.walk(top):
        if any(mark in below or mark in files for mark in MARKS):
            below.clear()
            if not _is_of_another_verb(Path(folder), {*below, *files}):
                yield Path(folder)
        below.sort()


def _is_of_another_verb(folder: Path, names: set[str]) -> bool:
    """Say whether a result is of `evaluate` or `audit`, which write their command into it."""
    return names.isdisjoint((CONFIG, ".hydra")) and "command" in read_mapping(folder / RESULT)


def read_run(folder: Path) -> Run | Unfinished:
    """Read a run's result and config; a result that cannot be used makes it `unreadable`, with the reason."""
    try:
        result, config = read_result(folder / RESULT), read_config(folder / CONFIG)
        if "trainer.precision" in config and "precision" in result:
            config["trainer.precision"] = result["precision"]  # `auto` is no setting that can be compared
    except Exception as error:  # whatever is wrong with one file, the others are still reported
        reason = " ".join(str(error).split())
        return Unfinished(folder, "unreadable", f"{RESULT} or {CONFIG} cannot be used: {reason}", {})
    return Run(folder, result, config, _overrides(result.get("overrides") or ()))


def _overrides(words: Sequence[str]) -> dict[str, str]:
    pairs = (str(word).lstrip("+~").partition("=") for word in words)
    return {key: value for key, _, value in pairs if not key.startswith("hydra")}


def _unfinished(folder: Path) -> Unfinished:
    """Say what became of a run that has no result."""
    path = folder / ".hydra" / "overrides.yaml"
    try:
        words = read_yaml(path) if path.is_file() else []
    except (OSError, ValueError, YAMLError):
        words = []  # what its command line said is all that is lost
    return Unfinished(folder, *_state(folder), _overrides(words if isinstance(words, list) else []))


def _state(folder: Path) -> tuple[str, str]:
    if is_held(folder):
        return "running", "wait for it"
    can_resume = (folder / FOLDER / LAST).is_file()
    resume = f"python -m fashion_lab.train {shown('resume', str(folder))}"
    if (folder / ERROR).is_file():
        lines = (folder / ERROR).read_text(errors="replace").splitlines()
        reason = lines[0] if lines else f"see {ERROR}"
        return "failed", f"{reason}; continue: {resume}" if can_resume else reason
    if (folder / PRUNED).is_file():
        return "pruned", " ".join((folder / PRUNED).read_text(errors="replace").split())
    if can_resume:
        return "interrupted", f"continue: {resume}"
    return "stopped", "before its first checkpoint; start it anew"
