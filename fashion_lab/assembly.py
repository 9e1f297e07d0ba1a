"""From a config to the parts of a training: catalog, pixels, data, module, record."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf

from fashion_lab.checkpoint import FORMAT, Record, warm_start
from fashion_lab.config import ConfigError, build
from fashion_lab.contracts.catalog import Catalog
from fashion_lab.data.module import CatalogData
from fashion_lab.data.pixels import PixelStore
from fashion_lab.modules.base import StageModule
from fashion_lab.networks import SiameseNetwork
from fashion_lab.pictures import PixelSpec
from fashion_lab.summary import NetworkSize, network_size

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Parts:
    """What a run trains, and with what."""

    catalog: Catalog
    store: PixelStore
    data: CatalogData
    module: StageModule
    size: NetworkSize
    record: Record


def assemble(cfg: DictConfig, continued: Record | None, overrides: Sequence[str]) -> Parts:
    """Build the parts; weights come from the seed, then from `ckpt`.

    Args:
        cfg: the config; its `num_classes` is set from the catalog.
        continued: the record of the run that is resumed, which knows its parent already; None for a new run.
        overrides: what the command line said.
    """
    trusted = tuple(cfg.trusted)
    catalog: Catalog = build(cfg.data, trusted=trusted)
    if "train" not in catalog.splits:
        raise ConfigError(f"catalog {catalog.name!r} is searched, not trained on; train with data=folder")
    cfg.num_classes = len(catalog.classes)
    cache = None if cfg.cache is None else Path(cfg.cache)
    spec = PixelSpec(size=cfg.pixels.size, fit=cfg.pixels.fit)
    store = PixelStore.open(catalog, spec, cache=cache, workers=cfg.pixels.workers)
    torch.manual_seed(cfg.seed)
    data = CatalogData(
        catalog,
        store,
        sampler=build(cfg.sampler, trusted=trusted, seed=cfg.seed),
        augment=build(cfg.augment, trusted=trusted),
    )
    module = _module(cfg, catalog, data)
    plain: Any = OmegaConf.to_container(cfg, resolve=True)
    record = Record(
        format=FORMAT,
        stage=cfg.stage,
        config=plain,
        classes=list(catalog.classes),
        parent=_warm_start(cfg, plain, module, catalog) if continued is None else continued["parent"],
        start={} if continued is None else continued["start"],
        overrides=list(overrides) if continued is None else continued["overrides"],
    )
    size = network_size(module.network, spec.size)
    _tune(cfg, module)
    return Parts(catalog, store, data, module, size, record)


def _module(cfg: DictConfig, catalog: Catalog, data: CatalogData) -> StageModule:
    trusted = tuple(cfg.trusted)
    parts = {key: build(cfg[key], trusted=trusted) for key in ("network", "loss", "optimizer")}
    parts["schedule"] = None if cfg.scheduler is None else build(cfg.scheduler, trusted=trusted)
    if cfg.stage == "classifier":
        parts |= {"classes": catalog.classes, "class_counts": data.class_counts().tolist()}
    module: StageModule = build(cfg.module, trusted=trusted, **parts)
    return module


def _warm_start(
    cfg: DictConfig, plain: Mapping[str, Any], module: StageModule, catalog: Catalog
) -> dict[str, Any] | None:
    """Give stage 2 its backbone from `ckpt`, and say what it got."""
    if cfg.stage != "siamese":
        return None
    if cfg.ckpt is None:
        log.warning("ckpt=null: stage 2 starts from scratch, without a stage 1")
        return None
    assert isinstance(module.network, SiameseNetwork), type(module.network)
    backbone = module.network.embedding_network.backbone
    parent = warm_start(backbone, cfg.ckpt, backbone_config=plain["backbone"], classes=catalog.classes)
    theirs = parent["config"]["pixels"]
    if (theirs["size"], theirs["fit"]) != (cfg.pixels.size, cfg.pixels.fit):
        log.warning("the parent saw pixels %s, this run sees %s", theirs, plain["pixels"])
    log.info("backbone: all %d tensors from %s", len(backbone.state_dict()), parent["path"])
    return parent


def _tune(cfg: DictConfig, module: StageModule) -> None:
    """Fit the network to the device; in place, since a wrapper would rename the weights."""
    if cfg.channels_last:
        module.network.to(memory_format=torch.channels_last)
    if cfg.compile:
        module.network.compile()
