"""The command lines of a sweep: `resume=<a sweep's folder>` goes on with each that it was started with."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from fashion_lab.commandline import PLAIN, quoted, shown
from fashion_lab.folders import replace_text
from fashion_lab.run_files import CONFIG, FOLDER
from fashion_lab.sweeps.points import exclusive
from fashion_lab.sweeps.words import FLAGS, is_of_the_place, key_of, only, sweep_words

COMMANDS = "commands.json"
"""In a sweep's folder: what it was started with, in order."""

CONFIG_DIR = ("--config-dir", "-cd")
"""Hydra's flag that names a folder with configs of one's own."""


class Command(NamedTuple):
    """A sweep's folder of configs of one's own, whole, if it had one, and its words, without the sweep's."""

    config_dir: str | None
    words: list[str]

    def recipe(self) -> list[str]:
        """Choose the words that say what is computed."""
        return [word for word in self.words if not is_of_the_place(key_of(word))]


def commands(words: Sequence[str]) -> list[list[str]]:
    """Write a training's command line as Hydra takes it: one; of `resume=<sweep>`, all of the sweep.

    Raises:
        ValueError: as `sweep_words`; or a word that a sweep cannot go on with.
    """
    folder = _resumed(words)
    if folder is None or not (known := _known(folder)):
        return [sweep_words(words)]
    more = _parsed([word for word in words if key_of(word) != "resume"])
    for other in more.recipe():
        raise ValueError(
            f"{other} cannot change on resume={folder}; leave it out, or give the whole command with "
            f"hydra.sweep.dir={folder}: points of another recipe get folders of their own there"
        )
    return [_going_on(command, more, folder) for command in known]


def check_resume(words: Sequence[str]) -> None:
    """Refuse a `resume=` that names neither a run nor a known sweep, before Hydra writes its own files there.

    Raises:
        ValueError: what the folder is, and what to give instead.
    """
    folder = _resumed(words)
    if folder is None or folder.is_file() or _known(folder):
        return
    from fashion_lab.studies.runs import MARKS

    if any((folder / name).exists() for name in (*MARKS, FOLDER)):
        return
    if any(folder.glob(f"*/{CONFIG}")):
        what = f"a sweep without a list of its commands; give the whole one with hydra.sweep.dir={folder}"
    elif folder.is_dir():
        what = f"neither a run nor a sweep, it has no {CONFIG}; give the folder of one"
    else:
        what = "no such folder; give the folder of a run or a sweep"
    raise ValueError(f"resume={folder}: {what}")


def remember(sweep: Path, words: Sequence[str]) -> None:
    """Write down with what a sweep was started, once for each recipe; safe among processes."""
    command = _parsed(words)
    with exclusive(sweep):
        known = _known(sweep)
        if not any(command.recipe() == other.recipe() for other in known):
            told = [one._asdict() for one in (*known, command)]
            replace_text(sweep / COMMANDS, json.dumps(told, indent=2) + "\n")


def resume_word(folder: Path) -> str | None:
    """Say with which word a sweep goes on; None where there is nothing to go on with."""
    relative = os.path.relpath(folder)
    name = str(folder) if relative.startswith("..") else relative
    return shown("resume", name) if _known(folder) else None


def _resumed(words: Sequence[str]) -> Path | None:
    """Read what `resume=` names, as a shell leaves it. Raises ValueError where it is given twice."""
    value = (only("resume", words) or "").partition("=")[2].strip("'\"")
    return None if value in ("", "null") else Path(value)


def _known(folder: Path) -> list[Command]:
    path = folder / COMMANDS
    return [Command(**one) for one in json.loads(path.read_text())] if path.is_file() else []


def _parsed(words: Sequence[str]) -> Command:
    config_dir, rest = None, []
    given = iter(words)
    for word in given:
        flag, _, value = word.partition("=")
        if flag in CONFIG_DIR:
            config_dir = str(Path(value or next(given, "")).absolute())
        elif word not in FLAGS and key_of(word) not in ("hydra.mode", "hydra.sweep.dir"):
            rest.append(word)
    return Command(config_dir, rest)


def _going_on(command: Command, more: Command, folder: Path) -> list[str]:
    place = more.config_dir or command.config_dir
    if place is not None and not Path(place).is_dir():
        raise ValueError(
            f"resume={folder} was started with --config-dir={place}, which is not there; add "
            "--config-dir=<where it is now>"
        )
    changed = set(map(key_of, more.words))
    kept = [word for word in command.words if key_of(word) not in changed]
    name = str(folder) if PLAIN.fullmatch(str(folder)) else quoted(str(folder))
    flags = [] if place is None else ["--config-dir", place]
    return ["-m", *flags, *kept, *more.words, f"hydra.sweep.dir={name}"]
