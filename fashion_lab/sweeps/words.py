"""The words of a sweep's command line: `seeds=5` and `folds=3`, written out."""

from collections.abc import Sequence

from fashion_lab.schema import OF_THE_PLACE, is_among

REPEATS = {"folds": ("data.fold", 2), "seeds": ("seed", 1)}
"""What counts repeats: the key that takes 0, 1, ..., and the smallest count."""

FLAGS = ("-m", "--multirun")


def sweep_words(words: Sequence[str]) -> list[str]:
    """Write a training's command line as Hydra takes it.

    `seeds=5` is `-m seed=range(5)`; `folds=3` is `-m data.folds=3 data.fold=range(3)`; `sweep=optuna` is `-m
    sweep=optuna`. `-m` may stand anywhere: Hydra alone wants it at an end.

    Raises:
        ValueError: a count that is none, or a key that is given twice.
    """
    counts = {key: _count(key, word) for key in REPEATS if (word := only(key, words)) is not None}
    sweeper = only("sweep", words)
    is_sweep = counts or sweeper not in (None, "sweep=null") or any(word in FLAGS for word in words)
    rest = [word for word in words if key_of(word) not in counts and word not in FLAGS]
    for key, count in counts.items():
        target = REPEATS[key][0]
        for word in rest:
            if key_of(word) in (target, target.replace("fold", "folds")):
                raise ValueError(f"both {word} and {key}={count} are given; take one of them")
    folds = [f"data.folds={counts['folds']}"] if "folds" in counts else []
    repeats = [f"{REPEATS[key][0]}=range({count})" for key, count in counts.items()]
    return [*(["-m"] if is_sweep else []), *rest, *folds, *repeats]


def key_of(word: str) -> str:
    """Give the key that a word sets."""
    return word.lstrip("+~").partition("=")[0]


def only(key: str, words: Sequence[str]) -> str | None:
    """Find the word that sets a key, if there is one. Raises ValueError where there are several."""
    found = [word for word in words if word.startswith(f"{key}=")]
    if len(found) > 1:
        raise ValueError(f"{' and '.join(found)}: give {key}= once")
    return found[0] if found else None


def is_of_the_place(key: str) -> bool:
    """Say whether a setting is no part of what a sweep's points compute."""
    return is_among(key, (*OF_THE_PLACE, "hydra"))


def _count(key: str, word: str) -> int:
    target, least = REPEATS[key]
    value = word.partition("=")[2]
    if not (value.isdecimal() and int(value) >= least):
        raise ValueError(
            f"{word}: give their number, {least} or more; chosen ones are -m {target}=0,3,7"
            + (" with data.folds=" if key == "folds" else "")
        )
    return int(value)
