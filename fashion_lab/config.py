"""Configs: `launch` (a verb's way in) and `build` (the only home of Hydra's `instantiate`).

Also of resolvers, and of the version of Hydra's behaviour. Nothing heavier than Hydra is imported here, so
`--help` answers at once.
"""

import logging
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import hydra
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import (
    ConfigCompositionException,
    HydraException,
    InstantiationException,
    MissingConfigException,
    OverrideParseException,
)
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from fashion_lab import extras, pipes
from fashion_lab.commandline import shown
from fashion_lab.jobs import Jobs
from fashion_lab.problems import ArgumentError, ConfigError, nearest, nearest_or_all
from fashion_lab.schema import ReportConfig, TrainConfig
from fashion_lab.targets import check_arguments, check_home, check_name, targets

__all__ = ["CONF", "ConfigError", "build", "compose", "launch", "rebuild"]

PACKAGE = Path(__file__).resolve().parent
CONF = PACKAGE / "conf" if (PACKAGE / "conf").is_dir() else PACKAGE.parent / "conf"

FOR_USERS = (HydraException, OmegaConfBaseException, ValueError)
"""Errors that a user can mend; all others are ours, and keep their traceback."""


def launch(
    task: Callable[[DictConfig], object],
    config_name: str,
    summarise: Callable[[Sequence[Path]], None] | None = None,
) -> None:
    """Run a verb: compose `conf/<config_name>.yaml` with the command line and call the task.

    What a user can mend (`ValueError`) is one line on stderr and exit code 1; HYDRA_FULL_ERROR=1 shows where.
    A failed job leaves `error.txt` in its folder. A sweep goes on after it and ends, also when cut short,
    with `summarise` of its folders. Ctrl-C is exit code 130, a reader that has gone 141.
    """
    wants_trace = os.environ.get("HYDRA_FULL_ERROR") == "1"
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra would print and exit; the errors are explained below
    # OpenMP threads spin while they wait. For long: beside a busy process a step of AdamW took 217 ms, not 2;
    # not at all, and an epoch of stage 1 on two idle cores took 10 s, not 8
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("GOMP_SPINCOUNT", "100000")
    logging.getLogger("matplotlib").setLevel(logging.WARNING)  # its first start tells of a list of fonts
    logging.raiseExceptions = wants_trace  # a log that nobody reads any more, as after `| head`, is no error

    def tell(error: Exception) -> None:
        if (isinstance(error, FOR_USERS) or extras.told(error, "")) and not wants_trace:
            sys.exit(f"error: {explain(error, config_name)}")

    jobs = Jobs(lambda error: explain(error, config_name), tell)
    try:
        hydra.main(version_base="1.3", config_path=str(CONF), config_name=config_name)(jobs.watched(task))()
        sys.stdout.flush()
    except KeyboardInterrupt:
        sys.exit(130)
    except SystemExit as stop:
        sys.exit(pipes.exit_code(stop))
    except Exception as error:
        pipes.end_if_closed(error)
        if jobs.verdict() and not wants_trace:
            sys.exit(jobs.verdict())
        tell(error)
        raise
    finally:
        pipes.drop_unread()
        if summarise is not None and jobs.sweeps:
            summarise(jobs.sweeps)


def explain(error: Exception, config_name: str) -> str:
    """Say in a line what was wrong, with the nearest valid key where a key was misspelt."""
    text = str(error).strip()
    if isinstance(error, InstantiationException) and isinstance(error.__cause__, ValueError):
        return str(error.__cause__)
    missing = None if isinstance(error, ValueError) else extras.told(error, f"fashion_lab.{config_name}")
    if missing is not None:
        return missing
    if not isinstance(error, FOR_USERS):
        return f"{type(error).__name__}: {text}"
    if isinstance(error, OverrideParseException):
        key, _, value = str(error.override).partition("=")
        advice = f"a value that is meant as it stands needs quotes: {shown(key, value)}"
        return f"{error.override}: {text.splitlines()[0]}; {advice}"
    if isinstance(error, MissingConfigException) and error.options:
        hint = nearest(Path(str(error.missing_cfg_file)).name, error.options)
        return f"{text.splitlines()[0]}; there are {', '.join(error.options)}{hint}"
    if isinstance(error, ConfigCompositionException) and error.__cause__ is not None:
        text = f"{text.splitlines()[0]} {str(error.__cause__).splitlines()[0]}"
    if "Multiple values for" in text:
        return f"{text.splitlines()[0].partition('.')[0]}: an option that is named belongs to the other stage"
    misspelt = re.search(r"Could not override '([\w.@/]+)'|Key '([\w.]+)' (?:is )?not in", text)
    if misspelt is None:
        return text
    key, known = misspelt[1] or misspelt[2], _known_keys(config_name)
    group, _, option = key.partition(".")
    choices = sorted(path.stem for path in (CONF / group).glob("*.yaml"))
    if option and choices and group in known and not any(one.startswith(f"{group}.") for one in known):
        return f"{key} needs {group}= as well, to say whose option it is: one of {', '.join(choices)}"
    if re.match(r"Could not override '(?!hydra\.)[\w.]+'\. Key '", text):
        return f"no option is called '{key}'" + _options_near(key, known)
    return text + nearest(key, known)


def _options_near(key: str, known: Sequence[str]) -> str:
    """A hint with the option that may be meant, else with all that stand beside it."""
    group, _, name = key.rpartition(".")
    if group and group not in known:
        return nearest(key, known) or _options_near(key.partition(".")[0], known)
    beside = [one.rpartition(".")[2] for one in known if one.rpartition(".")[0] == group]
    return nearest_or_all(name, beside)


def compose(config_name: str, overrides: Sequence[str] = ()) -> DictConfig:
    """Compose a verb's config as its command line does, without running it; also from inside of a verb."""
    if GlobalHydra.instance().is_initialized():
        return hydra.compose(config_name, list(overrides))
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        return hydra.compose(config_name, list(overrides))


def _known_keys(config_name: str) -> list[str]:
    """Every key of the verb's default config, as the command line writes it."""
    cfg = compose(config_name)

    def walk(node: Mapping[str, Any], prefix: str) -> Iterator[str]:
        for key, value in node.items():
            yield f"{prefix}{key}"
            if isinstance(value, dict):
                yield from walk(value, f"{prefix}{key}.")

    plain = OmegaConf.to_container(cfg)
    assert isinstance(plain, dict)
    return list(walk({str(key): value for key, value in plain.items()}, ""))


def build(node: Any, *args: Any, trusted: Sequence[str] = (), **kwargs: Any) -> Any:
    """Make the object that a node's `_target_` names, with the node's values and then `kwargs` as arguments.

    Raises:
        ConfigError: a target outside the allow-list (plus the packages in `trusted`), or an argument that it
            does not take.
    """
    plain = OmegaConf.to_container(node, resolve=True) if OmegaConf.is_config(node) else node
    check_targets(plain, trusted)
    return hydra.utils.instantiate(plain, *args, _convert_="all", **kwargs)


def rebuild(node: Any, *, origin: str | Path, trusted: Sequence[str] = ()) -> Any:
    """Make the object of a node that `origin`, a checkpoint or a bundle, keeps.

    Raises:
        ConfigError: a target outside the allow-list and `trusted`, or an option that is no more.
    """
    try:
        return build(node, trusted=trusted)
    except ArgumentError as error:
        raise ConfigError(
            f"{origin} was made by other code than is here: {error}. Make it anew, or go back to the code "
            "that made it; the result.json of its run names the commit"
        ) from error


def check_targets(plain: Any, trusted: Sequence[str]) -> None:
    """Raise ConfigError for the first `_target_` that must not be built or takes no such argument."""
    logging.getLogger("hydra.utils").setLevel(logging.CRITICAL)  # it prints what the errors below say too
    for node in list(targets(plain)):
        target = check_name(node["_target_"], trusted)
        try:
            located = hydra.utils.get_object(target)
        except (ImportError, AttributeError, ValueError) as error:
            if missing := extras.told(error, target):
                raise ConfigError(missing) from error
            raise ConfigError(f"_target_ {target!r} is not there: {' '.join(str(error).split())}") from error
        check_home(target, located, trusted)
        check_arguments(target, located, [key for key in node if not key.startswith("_")])


def run_folder(stage: str, resume: str | None) -> str:
    """The folder of this run: that of the run to resume, else a new one named by the time."""
    if resume is not None:
        given = Path(resume)
        return str(given.parent.parent if given.suffix == ".ckpt" else given)
    name = datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
    folder = Path("outputs", stage, name)
    number = 1
    while folder.exists():
        number += 1
        folder = Path("outputs", stage, f"{name}-{number}")
    return str(folder)


OmegaConf.register_new_resolver("run_folder", run_folder, use_cache=True, replace=True)
ConfigStore.instance().store(name="train_schema", node=TrainConfig)
ConfigStore.instance().store(name="report_schema", node=ReportConfig)
