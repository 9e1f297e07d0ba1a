"""The engine that an index was made with, made again from what its manifest says of it.

A manifest may come from elsewhere: it names what a config may name, a class that is an index, and no address:
vectors, queries and the secrets of the environment go only where somebody on this side says.
"""

import importlib
import inspect
from collections.abc import Sequence
from typing import Any

from fashion_lab.commandline import shown
from fashion_lab.contracts.index import Index
from fashion_lab.galleries.contents import Engine
from fashion_lab.indexes.exact import ExactIndex
from fashion_lab.problems import ConfigError
from fashion_lab.targets import check_arguments, check_home, check_name, targets

TARGET = "_target_"


def remade(engine: Engine | None, trusted: Sequence[str] = ()) -> Index:
    """Make an empty engine with the options of this one; exact search where none was built, or from Python.

    Raises:
        ConfigError: a target outside the allow-list (plus the packages in `trusted`), one that is no index or
            takes no such argument, or an engine at an address.
    """
    if engine is None or not is_remade(engine):
        return ExactIndex()
    if len(list(targets(engine.options))) > 1:
        raise ConfigError(f"the engine {engine.name} is made of several parts: name it with engine=")
    target = check_name(engine.options[TARGET], trusted)
    located = _located(target)
    check_home(target, located, trusted)
    if not (inspect.isclass(located) and issubclass(located, Index)):
        raise ConfigError(f"_target_ {target!r} is no engine: make the index again, or name one with engine=")
    options = {key: value for key, value in engine.options.items() if not key.startswith("_")}
    check_arguments(target, located, list(options))
    if located.remote:
        raise ConfigError(
            f"the index was made with engine={engine.name}, whose vectors are elsewhere, and an address that "
            f"comes in a file is not followed: give it, {_words(engine.name, located, options)}"
        )
    return located(**options)


def is_remade(engine: Engine) -> bool:
    """Say whether an index knows how its engine is made: not where it was handed over from Python."""
    return TARGET in engine.options


def _located(target: str) -> Any:
    module, _, name = target.rpartition(".")
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(f"_target_ {target!r} is not there: {' '.join(str(error).split())}") from error


def _words(name: str, located: type[Index], options: dict[str, Any]) -> str:
    """Write the command line that names this engine: what is not as it is by default."""
    usual = inspect.signature(located).parameters
    given = {key: value for key, value in options.items() if value and value != usual[key].default}
    return " ".join([f"engine={name}", *(_word(f"engine.{key}", value) for key, value in given.items())])


def _word(key: str, value: Any) -> str:
    if isinstance(value, dict):
        return f"'{key}={{{', '.join(f'{name}: {one}' for name, one in value.items())}}}'"
    return shown(key, str(value))
