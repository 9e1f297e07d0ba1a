"""The words of a sweep's command line: `seeds=5`, `folds=3` and `resume=<a sweep's folder>`, written out."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from fashion_lab.commandline import PLAIN, quoted
from fashion_lab.schema import OF_THE_PLACE

MULTIRUN = "multirun.yaml"
"""In a sweep's folder: its config, with the words of its command line. Hydra's sweepers write it."""

REPEATS = {"folds": ("data.fold", 2), "seeds": ("seed", 1)}
"""What counts repeats: the key that takes 0, 1, ..., and the smallest count."""

FLAGS = ("-m", "--multirun")
CONFIG_DIR = ("--config-dir", "-cd")
"""Hydra's flag that names a folder with configs of one's own."""


def sweep_words(words: Sequence[str]) -> list[str]:
    """Write a training's command line as Hydra takes it.

    `seeds=5` is `-m seed=range(5)`; `folds=3` is `-m data.folds=3 data.fold=range(3)`; `resume=<sweep>` is
    the sweep's own command line, `--config-dir` and all, in its own folder. `-m` may stand anywhere: Hydra
    alone wants it at an end.

    Raises:
        ValueError: a count that is none, a key that is given twice, or a word that a sweep cannot go on with.
    """
    ordered = sorted(words, key=lambda word: word not in FLAGS)
    return repeated(continued(ordered))


def repeated(words: Sequence[str]) -> list[str]:
    """Write out `seeds=` and `folds=`."""
    counts = {key: _count(key, word) for key in REPEATS if (word := _only(key, words)) is not None}
    if not counts:
        return list(words)
    rest = [word for word in words if _key(word) not in counts and word not in FLAGS]
    for key, count in counts.items():
        target = REPEATS[key][0]
        for word in rest:
            if _key(word) in (target, target.replace("fold", "folds")):
                raise ValueError(f"both {word} and {key}={count} are given; take one of them")
    folds = [f"data.folds={counts['folds']}"] if "folds" in counts else []
    return ["-m", *rest, *folds, *(f"{REPEATS[key][0]}=range({count})" for key, count in counts.items())]


def continued(words: Sequence[str]) -> list[str]:
    """Write out `resume=<sweep>`: the words that the sweep was started with, and what may differ."""
    word = _only("resume", words)
    folder = Path((word or "").partition("=")[2].strip("'\""))
    if word is None or not (folder / MULTIRUN).is_file():
        return list(words)
    place, words = _config_dir(words)
    more = [other for other in words if other != word and other not in FLAGS]
    for other in more:
        if not _is_of_the_place(_key(other)):
            raise ValueError(
                f"{other} cannot change on resume={folder}; leave it out, or give the whole command with "
                f"hydra.sweep.dir={folder}: points of another recipe get folders of their own there"
            )
    changed = {"hydra.mode", "hydra.sweep.dir", *map(_key, more)}
    saved = _saved(folder)
    kept = [other for other in _saved_words(saved) if _key(other) not in changed]
    name = str(folder) if PLAIN.fullmatch(str(folder)) else quoted(str(folder))
    return ["-m", *(place or _saved_config_dir(saved, folder)), *kept, *more, f"hydra.sweep.dir={name}"]


def resume_words(folder: Path) -> str | None:
    """Say with which word a sweep goes on; None where there is nothing to go on with."""
    from fashion_lab.commandline import shown

    relative = os.path.relpath(folder)
    name = str(folder) if relative.startswith("..") else relative
    return shown("resume", name) if (folder / MULTIRUN).is_file() else None


def _saved(folder: Path) -> dict[str, Any]:
    saved: Any = OmegaConf.to_container(OmegaConf.load(folder / MULTIRUN), resolve=False)
    hydra: dict[str, Any] = saved["hydra"]
    return hydra


def _saved_words(saved: dict[str, Any]) -> list[str]:
    return [str(word) for word in (*saved["overrides"]["hydra"], *saved["overrides"]["task"])]


def _saved_config_dir(saved: dict[str, Any], folder: Path) -> list[str]:
    """Give the folder of configs that a sweep was started with, as words; none for none."""
    sources = saved.get("runtime", {}).get("config_sources", [])
    path = next((source["path"] for source in sources if source["provider"] == "command-line"), None)
    if path is None:
        return []
    if not Path(path).is_dir():
        raise ValueError(
            f"resume={folder} was started with --config-dir={path}, which is not there; add "
            "--config-dir=<where it is now>"
        )
    return ["--config-dir", path]


def _config_dir(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Split words into the folder of configs of one's own, as words, and the rest."""
    for number, word in enumerate(words):
        if word.partition("=")[0] in CONFIG_DIR:
            end = number + (1 if "=" in word else 2)
            return list(words[number:end]), [*words[:number], *words[end:]]
    return [], list(words)


def _key(word: str) -> str:
    return word.lstrip("+~").partition("=")[0]


def _only(key: str, words: Sequence[str]) -> str | None:
    found = [word for word in words if word.startswith(f"{key}=")]
    if len(found) > 1:
        raise ValueError(f"{' and '.join(found)}: give {key}= once")
    return found[0] if found else None


def _count(key: str, word: str) -> int:
    target, least = REPEATS[key]
    value = word.partition("=")[2]
    if not (value.isdecimal() and int(value) >= least):
        raise ValueError(
            f"{word}: give their number, {least} or more; chosen ones are -m {target}=0,3,7"
            + (" with data.folds=" if key == "folds" else "")
        )
    return int(value)


def _is_of_the_place(key: str) -> bool:
    return any(key == place or key.startswith(f"{place}.") for place in (*OF_THE_PLACE, "hydra"))
