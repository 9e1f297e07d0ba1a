"""Words of a command line that Hydra's grammar would take apart: paths with spaces, commas, quotes or `=`."""

import re
import shlex
from collections.abc import Sequence
from pathlib import Path

PLAIN = re.compile(r"[\w./+@%-]+")
SPECIAL_IN_QUOTES = set('"$`\\!')
FLAGS_WITH_VALUE = re.compile("--?(cfg|c|package|p|config-path|cp|config-name|cn|config-dir|cd)")


def quoted(value: str) -> str:
    """A text that Hydra reads as exactly this text."""
    escaped = re.sub(r"(\\*)'", r"\1\1\\'", value.replace("${", "\\${"))
    trailing = len(escaped) - len(escaped.rstrip("\\"))
    return f"'{escaped}{chr(92) * trailing}'"


def shown(key: str, value: str) -> str:
    """`key=value` as a person must type it in a shell."""
    if PLAIN.fullmatch(value):
        return f"{key}={value}"
    word = f"{key}={quoted(value)}"
    return shlex.quote(word) if set(word) & SPECIAL_IN_QUOTES else f'"{word}"'


def as_text(words: Sequence[str], keys: Sequence[str]) -> list[str]:
    """Quote the values of some keys, which are texts of any kind: `baseline=lr=0.1` to `baseline='lr=0.1'`.

    What is quoted already and `null` stay as they are.
    """
    done = []
    for word in words:
        key, _, value = word.partition("=")
        is_plain = key not in keys or value == "null" or not value
        is_quoted = len(value) > 1 and value[0] in "'\"" and value[-1] == value[0]
        done.append(word if is_plain or is_quoted else f"{key}={quoted(value)}")
    return done


def with_key(words: Sequence[str], key: str) -> list[str]:
    """Turn the words that are paths into one override: `a b format=csv` into `key=['a','b'] format=csv`.

    Raises:
        ValueError: the key is given as well.
    """
    flags = {number for number, word in enumerate(words[:-1], start=1) if FLAGS_WITH_VALUE.fullmatch(word)}
    paths = [word for number, word in enumerate(words) if number not in flags and _is_path(word)]
    rest = [word for number, word in enumerate(words) if number in flags or not _is_path(word)]
    if not paths:
        return rest
    if any(word.startswith(f"{key}=") for word in rest):
        raise ValueError(f"both {paths[0]} and {key}= are given; name all folders in one way")
    return [*rest, f"{key}=[{','.join(quoted(path) for path in paths)}]"]


def _is_path(word: str) -> bool:
    """Flags begin with `-`; overrides have a `=` after a key. A path may hold one too, if it is there."""
    if word.startswith("-"):
        return False
    return "=" not in word or Path(word).exists()
