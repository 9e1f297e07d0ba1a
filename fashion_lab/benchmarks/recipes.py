"""The trainings that benchmarks take apart, as configs, and their catalogs."""

from collections.abc import Sequence

from omegaconf import DictConfig

from fashion_lab.benchmarks.rows import Unavailable
from fashion_lab.config import FOR_USERS, build, compose, explain
from fashion_lab.contracts.catalog import Catalog


def recipe(words: Sequence[str]) -> DictConfig:
    """Compose a training from the words of its command line, without running it.

    Raises:
        Unavailable: there is no such config.
    """
    try:
        return compose("train", ["folder=nowhere", *words])
    except FOR_USERS as error:
        raise Unavailable(explain(error, "train")) from error


def catalog_of(cfg: DictConfig) -> Catalog:
    """Build a training's catalog.

    Raises:
        Unavailable: it cannot be built; most often its files are not here.
    """
    try:
        catalog: Catalog = build(cfg.data)
    except FOR_USERS as error:
        raise Unavailable(explain(error, "train")) from error
    return catalog
