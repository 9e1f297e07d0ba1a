"""Which `_target_` a config may name: a fence, since a config can come inside a checkpoint from elsewhere.

Of this package only classes of the parts that configs are made of may be built: not its functions, some of
which write or delete files. Of torch.optim and pytorch-metric-learning whatever is defined there; all else by
name.
"""

import inspect
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from fashion_lab.problems import ArgumentError, ConfigError, nearest

OUR_PARTS = (
    "fashion_lab.backbones",
    "fashion_lab.benchmarks",
    "fashion_lab.callbacks",
    "fashion_lab.catalogs",
    "fashion_lab.data",
    "fashion_lab.indexes",
    "fashion_lab.losses",
    "fashion_lab.metrics",
    "fashion_lab.modules",
    "fashion_lab.networks",
)
ALLOWED_PACKAGES = (
    *OUR_PARTS,
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


def targets(plain: Any) -> Iterator[dict[str, Any]]:
    """Every mapping with a `_target_` in a plain config, outermost first.

    Raises:
        ConfigError: an interpolation is left over; it could turn into a target after this look.
    """
    if isinstance(plain, dict):
        if "_target_" in plain:
            yield plain
        for key, value in plain.items():
            yield from targets(key)
            yield from targets(value)
    elif isinstance(plain, list | tuple):
        for value in plain:
            yield from targets(value)
    elif isinstance(plain, str) and "${" in plain:
        raise ConfigError(f"{plain!r}: an interpolation is left over in a complete config; write its value")


def check_name(target: object, trusted: Sequence[str]) -> str:
    """Give the target if its name may be looked up at all.

    Raises:
        ConfigError: it is outside the allowed packages and names.
    """
    allowed = (*ALLOWED_PACKAGES, *trusted)
    if isinstance(target, str) and (target in ALLOWED_NAMES or _is_inside(target, allowed)):
        return target
    raise ConfigError(
        f"_target_ {target!r} is not allowed; allowed are {', '.join(ALLOWED_PACKAGES)}, and by name "
        f"{', '.join(ALLOWED_NAMES)}. For code of your own add trusted=[{str(target).split('.')[0]}]"
    )


def check_home(target: str, located: object, trusted: Sequence[str]) -> None:
    """Raise ConfigError where an allowed name leads elsewhere (`fashion_lab.networks.torch.load`)."""
    if target in ALLOWED_NAMES:
        return
    home = getattr(located, "__module__", None) or "a module"
    if not _is_inside(str(home), (*ALLOWED_PACKAGES, *trusted)):
        raise ConfigError(f"_target_ {target!r} leads to {home}, outside the packages that may be built")
    if _is_inside(str(home), OUR_PARTS) and not inspect.isclass(located) and not _is_inside(target, trusted):
        raise ConfigError(f"_target_ {target!r} is not a class; of fashion_lab only classes may be built")


def check_arguments(target: str, located: Callable[..., Any], given: Sequence[str]) -> None:
    """Raise ArgumentError for the first key that the target does not take, with the nearest that it does."""
    parameters = inspect.signature(located).parameters
    if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        return
    for key in given:
        if key not in parameters:
            hint = nearest(key, list(parameters))
            allowed = hint or f"; it takes {', '.join(parameters)}"
            raise ArgumentError(f"{target} takes no {key!r}{allowed}")


def _is_inside(name: str, packages: Sequence[str]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)
