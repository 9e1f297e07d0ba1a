"""Configs: the typed root, `launch` (a verb's way in), `check` (before anything is read) and `build`.

This is the only home of Hydra's `instantiate`, of resolvers and of the version of Hydra's behaviour. Nothing
heavier than Hydra is imported here, so `--help` answers at once.
"""

import difflib
import inspect
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import hydra
from hydra.core.config_store import ConfigStore
from hydra.errors import ConfigCompositionException, HydraException, InstantiationException
from omegaconf import MISSING, DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

PACKAGE = Path(__file__).resolve().parent
CONF = PACKAGE / "conf" if (PACKAGE / "conf").is_dir() else PACKAGE.parent / "conf"

ALLOWED_PACKAGES = (
    "fashion_lab",
    "torch.optim",
    "pytorch_metric_learning.distances",
    "pytorch_metric_learning.losses",
    "pytorch_metric_learning.miners",
    "pytorch_metric_learning.reducers",
    "pytorch_metric_learning.regularizers",
)
ALLOWED_NAMES = (
    "torch.nn.CrossEntropyLoss",
    "torch.nn.MultiMarginLoss",
    "torch.nn.NLLLoss",
    "torch.nn.TripletMarginLoss",
    "torch.nn.TripletMarginWithDistanceLoss",
    "pytorch_lightning.Trainer",
    "pytorch_lightning.callbacks.EarlyStopping",
    "pytorch_lightning.callbacks.LearningRateMonitor",
    "pytorch_lightning.callbacks.ModelCheckpoint",
    "pytorch_lightning.callbacks.RichProgressBar",
    "pytorch_lightning.callbacks.Timer",
    "pytorch_lightning.callbacks.WeightAveraging",
    "pytorch_lightning.loggers.CSVLogger",
    "pytorch_lightning.loggers.TensorBoardLogger",
)


class ConfigError(ValueError):
    """A config that cannot be run: what it says, what is allowed, what to do next."""


@dataclass
class Pixels:
    """How pictures become pixels; see `fashion_lab.pictures.PixelSpec`."""

    size: int = 64
    fit: str = "squash"
    workers: int | None = None


@dataclass
class Monitor:
    """The logged metric that picks the best checkpoint, and whether more (`max`) or less (`min`) is better."""

    metric: str = MISSING
    mode: str = MISSING


@dataclass
class TrainConfig:
    """The root of a training's config. The groups stay free: what they build checks its own arguments."""

    stage: str = MISSING
    seed: int = 0
    ckpt: str | None = MISSING
    resume: str | None = None
    batch_size: int = MISSING
    threads: int | None = None
    compile: bool = False
    channels_last: bool = False
    cache: str | None = None
    trusted: list[str] = field(default_factory=list)
    num_classes: int | None = None
    pixels: Pixels = field(default_factory=Pixels)
    monitor: Monitor = field(default_factory=Monitor)
    data: Any = MISSING
    backbone: Any = MISSING
    encoder: Any = None
    network: Any = MISSING
    module: Any = MISSING
    loss: Any = MISSING
    optimizer: Any = MISSING
    scheduler: Any = None
    augment: Any = MISSING
    sampler: Any = MISSING
    trainer: Any = MISSING
    callbacks: dict[str, Any] = field(default_factory=dict)
    logger: dict[str, Any] = field(default_factory=dict)


def launch(task: Callable[[DictConfig], object], config_name: str) -> None:
    """Run a verb: compose `conf/<config_name>.yaml` with the command line and call the task.

    What a user can mend (`ValueError`) is one line on stderr and exit code 1; HYDRA_FULL_ERROR=1 shows where.
    """
    wants_trace = os.environ.get("HYDRA_FULL_ERROR") == "1"
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra would print and exit; the errors are explained below
    # OpenMP's threads spin while they wait; beside one busy process that made an AdamW step of 2 ms take 217 ms
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        hydra.main(version_base="1.3", config_path=str(CONF), config_name=config_name)(task)()
    except (HydraException, OmegaConfBaseException, ValueError) as error:
        if wants_trace:
            raise
        sys.exit(f"error: {explain(error, config_name)}")
    except KeyboardInterrupt:
        sys.exit(130)


def explain(error: Exception, config_name: str) -> str:
    """Say in a line what was wrong, with the nearest valid key where a key was misspelt."""
    text = str(error).strip()
    if isinstance(error, InstantiationException) and isinstance(error.__cause__, ValueError):
        return str(error.__cause__)
    if isinstance(error, ConfigCompositionException) and error.__cause__ is not None:
        text = f"{text.splitlines()[0]} {str(error.__cause__).splitlines()[0]}"
    misspelt = re.search(r"Could not override '([\w.@/]+)'|Key '([\w.]+)' (?:is )?not in", text)
    if misspelt is None:
        return text
    return text + nearest(misspelt[1] or misspelt[2], _known_keys(config_name))


def nearest(word: str, known: Sequence[str]) -> str:
    """A hint with the most similar known words, or nothing."""
    close = difflib.get_close_matches(word, known, n=3, cutoff=0.6)
    return f"; did you mean {' or '.join(close)}?" if close else ""


def _known_keys(config_name: str) -> list[str]:
    """Every key of the verb's default config, as the command line writes it."""
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = hydra.compose(config_name)

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
        ConfigError: a target outside the allow-list (plus the packages in `trusted`), or an argument that it does
            not take.
    """
    plain = OmegaConf.to_container(node, resolve=True) if OmegaConf.is_config(node) else node
    check_targets(plain, trusted)
    return hydra.utils.instantiate(plain, *args, _convert_="all", **kwargs)


def check_targets(plain: Any, trusted: Sequence[str]) -> None:
    """Raise ConfigError for the first `_target_` that must not be built or takes no such argument."""
    for node in _nodes(plain):
        target = node["_target_"]
        if not _is_allowed(target, trusted):
            raise ConfigError(
                f"_target_ {target!r} is not allowed; allowed are {', '.join(ALLOWED_PACKAGES)}, and by name "
                f"{', '.join(ALLOWED_NAMES)}. For code of your own add trusted=[{str(target).split('.')[0]}]"
            )
        located = hydra.utils.get_object(target)
        home = getattr(located, "__module__", None) or ""
        if target not in ALLOWED_NAMES and not _is_inside(home, (*ALLOWED_PACKAGES, *trusted)):
            raise ConfigError(f"_target_ {target!r} leads to {home}, outside the packages that may be built")
        _check_arguments(target, located, [key for key in node if not key.startswith("_")])


def _check_arguments(target: str, located: Callable[..., Any], given: Sequence[str]) -> None:
    parameters = inspect.signature(located).parameters
    if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        return
    for key in given:
        if key not in parameters:
            hint = nearest(key, list(parameters))
            raise ConfigError(f"{target} takes no {key!r}{hint or '; it takes ' + ', '.join(parameters)}")


def _nodes(plain: Any) -> Iterator[dict[str, Any]]:
    """Every mapping with a `_target_`, outermost first."""
    if isinstance(plain, dict):
        if "_target_" in plain:
            yield plain
        for value in plain.values():
            yield from _nodes(value)
    elif isinstance(plain, list):
        for value in plain:
            yield from _nodes(value)


def _is_allowed(target: object, trusted: Sequence[str]) -> bool:
    packages = (*ALLOWED_PACKAGES, *trusted)
    return isinstance(target, str) and (target in ALLOWED_NAMES or _is_inside(target, packages))


def _is_inside(name: str, packages: Sequence[str]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


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
