"""How problems of a config are told: the error that a user can mend, a guess at the word that was meant."""

import difflib
from collections.abc import Sequence


class ConfigError(ValueError):
    """A config that cannot be run: what it says, what is allowed, what to do next."""


class ArgumentError(ConfigError):
    """A key that what is built does not take."""


def nearest(word: str, known: Sequence[str]) -> str:
    """A hint with the most similar known words, or nothing."""
    close = difflib.get_close_matches(word, known, n=3, cutoff=0.6)
    return f"; did you mean {' or '.join(close)}?" if close else ""


def nearest_or_all(word: str, known: Sequence[str]) -> str:
    """A hint with the most similar known words, else with all of them."""
    return nearest(word, known) or f"; there are {', '.join(known)}"
