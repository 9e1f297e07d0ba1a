"""From a config to the parts of a training: catalog, pixels, data, module, record."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf
from torch import nn

from fashion_lab.checkpoint import FORMAT, Record, warm_start
from fashion_lab.config import ConfigError, build
from fashion_lab.contracts.backbone import Backbone
from fashion_lab.contracts.catalog import Catalog
from fashion_lab.data.module import CatalogData
from fashion_lab.data.pixels import PixelStore
from fashion_lab.data.similarity import CLASS
from fashion_lab.leaks import refuse_leak
from fashion_lab.modules.base import StageModule
from fashion_lab.modules.tuning import find_backbone
from fashion_lab.networks import SiameseNetwork
from fashion_lab.pictures import PixelSpec
from fashion_lab.summary import NetworkSize, network_size
from fashion_lab.teachers import read_teacher

log = logging.getLogger(__name__)

FEWEST_CHANNELS = 8  # of a strided 1x1 convolution in channels last, see `_corrupts_memory`
FAR = 2  # times the backbone's own size; convolutions bear that, EfficientNet's family spans it; assumption


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
    backbone: Backbone = build(cfg.backbone, trusted=trusted)  # before pictures are decoded: it may refuse
    _settle_size(cfg, backbone)
    pretraining = backbone.start() if continued is None and cfg.ckpt is None else None
    spec = PixelSpec(size=cfg.pixels.size, fit=cfg.pixels.fit)
    data = _data(cfg, catalog, spec)
    torch.manual_seed(cfg.seed)
    cfg.num_classes = len(data.learned_names)
    network, teacher = _teacher(cfg, catalog, spec, continued)
    module = _module(cfg, catalog, data, network)
    if pretraining is not None:
        _copy(backbone, module)
    plain: Any = OmegaConf.to_container(cfg, resolve=True)
    parent = _warm_start(cfg, plain, module, catalog) if continued is None else continued["parent"]
    if parent is not None:
        pretraining = parent.get("pretraining")
    record = Record(
        format=FORMAT,
        stage=cfg.stage,
        config=plain,
        classes=list(catalog.classes),
        parent=parent,
        teacher=teacher,
        pretraining=_plain(pretraining if continued is None else continued.get("pretraining")),
        start={} if continued is None else continued["start"],
        overrides=list(overrides) if continued is None else continued["overrides"],
    )
    size = network_size(module.network, spec.size)
    _tune(cfg, module)
    return Parts(catalog, data.store, data, module, size, record)


def _data(cfg: DictConfig, catalog: Catalog, spec: PixelSpec) -> CatalogData:
    """Build the batches; the pictures are decoded here, unless they were before."""
    trusted = tuple(cfg.trusted)
    cache = None if cfg.cache is None else Path(cfg.cache)
    return CatalogData(
        catalog,
        PixelStore.open(catalog, spec, cache=cache, workers=cfg.pixels.workers),
        sampler=build(cfg.sampler, trusted=trusted, seed=cfg.seed),
        augment=build(cfg.augment, trusted=trusted),
        similar_by=OmegaConf.select(cfg, "similar_by", default=CLASS),
    )


def _settle_size(cfg: DictConfig, backbone: Backbone) -> None:
    """Give pictures the backbone's own size where none is asked for; warn where another is far from it."""
    own = backbone.own_size
    if cfg.pixels.size is None:
        if own is None:
            raise ConfigError(
                "pixels.size=null, but this backbone has no size of its own: give pixels.size=64"
            )
        cfg.pixels.size = own
    elif own is not None and not own / FAR <= cfg.pixels.size <= own * FAR:
        log.warning("the backbone was made for pictures of %d pixels, these have %d", own, cfg.pixels.size)


def _copy(backbone: Backbone, module: StageModule) -> None:
    """Put the weights of a backbone into the network that has another one like it."""
    inside = find_backbone(module.network)
    if inside is None:
        raise ConfigError("backbone.pretrained is given, but the network has no backbone to take it")
    inside.load_state_dict(backbone.state_dict())


def _plain(facts: Mapping[str, str] | None) -> dict[str, str] | None:
    return None if facts is None else dict(facts)


def _teacher(
    cfg: DictConfig, catalog: Catalog, pixels: PixelSpec, continued: Record | None
) -> tuple[nn.Module | None, dict[str, str] | None]:
    """Read the classifier that the run learns from, where there is one."""
    given = OmegaConf.select(cfg, "teacher")  # runs of older versions, resumed, do not have it
    if given is None:
        return None, None
    data: Any = OmegaConf.to_container(cfg.data, resolve=True)
    return read_teacher(
        given,
        classes=catalog.classes,
        pixels=pixels,
        data=data,
        known=None if continued is None else continued.get("teacher"),
        trusted=tuple(cfg.trusted),
    )


def _module(cfg: DictConfig, catalog: Catalog, data: CatalogData, teacher: nn.Module | None) -> StageModule:
    trusted = tuple(cfg.trusted)
    parts = {key: build(cfg[key], trusted=trusted) for key in ("network", "loss", "optimizer")}
    parts["schedule"] = None if cfg.scheduler is None else build(cfg.scheduler, trusted=trusted)
    if cfg.stage == "classifier":
        parts |= {"classes": catalog.classes, "class_counts": data.class_counts().tolist()}
    if teacher is not None:
        parts["teacher"] = teacher
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
    refuse_leak("ckpt", cfg.ckpt, parent["config"].get("data"), plain["data"])
    theirs = parent["config"]["pixels"]
    if (theirs["size"], theirs["fit"]) != (cfg.pixels.size, cfg.pixels.fit):
        log.warning("the parent saw pixels %s, this run sees %s", theirs, plain["pixels"])
    log.info("backbone: all %d tensors from %s", len(backbone.state_dict()), parent["path"])
    return parent


def _tune(cfg: DictConfig, module: StageModule) -> None:
    """Fit the network to the device; in place, since a wrapper would rename the weights."""
    if cfg.channels_last and not _corrupts_memory(module.network):
        module.network.to(memory_format=torch.channels_last)
    if cfg.compile:
        network = module.network
        called = network.embedding_network if isinstance(network, SiameseNetwork) else network
        called.compile(mode=cfg.compile_mode)


def _corrupts_memory(network: nn.Module) -> bool:
    """Say whether PyTorch 2.15 would end the process in channels last, on CPUs without AMX.

    The backward pass of a 1x1 convolution with a stride then writes beyond its buffer where there are fewer
    than 8 input channels: seen with 4 and 6, not with 8 and more.
    """
    convolutions = (part for part in network.modules() if isinstance(part, nn.Conv2d))
    return any(
        one.kernel_size == (1, 1) and one.stride != (1, 1) and one.in_channels < FEWEST_CHANNELS
        for one in convolutions
    )
