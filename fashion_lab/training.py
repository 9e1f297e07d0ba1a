"""One training from its config to `result.json`."""

import gc
import logging
import time
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from fashion_lab.callbacks.checkpoint_io import AtomicCheckpointIO
from fashion_lab.callbacks.dashboard import Dashboard
from fashion_lab.callbacks.run import SeedSteps, StopOnSignal, WriteRecord
from fashion_lab.checkpoint import BEST, FOLDER, FORMAT, Record, find, read, warm_start
from fashion_lab.config import build
from fashion_lab.contracts.catalog import Catalog
from fashion_lab.data.augment import Augment
from fashion_lab.data.module import CatalogData
from fashion_lab.data.pixels import PixelStore
from fashion_lab.evaluation import gallery_metrics
from fashion_lab.modules.base import StageModule
from fashion_lab.modules.classifier import ClassifierModule
from fashion_lab.modules.siamese import SiameseModule
from fashion_lab.pictures import PixelSpec
from fashion_lab.results import surroundings, write_result
from fashion_lab.resume import held, last_checkpoint, resumed_config
from fashion_lab.summary import closing_block, network_size, opening_block

log = logging.getLogger(__name__)
console = Console(stderr=False)


class Training:
    """One run: what it is made of and what it does, in order.

    Args:
        cfg: the composed config, checked.
        folder: where the run lives.
        overrides: what the command line said.
    """

    def __init__(self, cfg: DictConfig, folder: Path, *, overrides: Sequence[str] = ()) -> None:
        self.folder, self.overrides = folder, list(overrides)
        self.resume_from: Path | None = None
        if cfg.resume is not None:
            self.resume_from = last_checkpoint(folder)
            cfg = resumed_config(self.resume_from, folder, overrides)
        self.cfg = cfg
        self.trusted = tuple(cfg.trusted)

    def run(self) -> float:
        """Train, evaluate the best checkpoint, write the result; gives the monitored metric."""
        started = time.monotonic()
        with held(self.folder):
            settle(self.cfg)
            self._load_catalog()
            self._assemble()
            console.print(opening_block(self.module, self.catalog, self.data, self.size, self.record, self.folder))
            trainer = self._fit()
            result = self._result(trainer, time.monotonic() - started)
            path = write_result(self.folder, result)
            self._show(trainer, result["metrics"])
            console.print(closing_block(result, path))
            score = result["metrics"][self.cfg.monitor.metric]
        del self.module, self.data, trainer
        gc.collect()
        return float(score)

    def _load_catalog(self) -> None:
        self.catalog: Catalog = build(self.cfg.data, trusted=self.trusted)
        self.cfg.num_classes = len(self.catalog.classes)
        pixels = self.cfg.pixels
        cache = None if self.cfg.cache is None else Path(self.cfg.cache)
        self.spec = PixelSpec(size=pixels.size, fit=pixels.fit)
        self.store = PixelStore.open(self.catalog, self.spec, cache=cache, workers=pixels.workers)

    def _assemble(self) -> None:
        """Build data, module and record; weights come from the seed, then from `ckpt`."""
        torch.manual_seed(self.cfg.seed)
        augment: Augment = self._build("augment")
        sampler = self._build("sampler", seed=self.cfg.seed)
        self.data = CatalogData(self.catalog, self.store, sampler=sampler, augment=augment)
        self.module = self._module()
        plain: Any = OmegaConf.to_container(self.cfg, resolve=True)
        self.record = Record(
            format=FORMAT,
            stage=self.cfg.stage,
            config=plain,
            classes=list(self.catalog.classes),
            parent=self._warm_start(plain),
            start={},
        )
        (self.folder / "config.yaml").write_text(OmegaConf.to_yaml(OmegaConf.create(plain)))
        self.size = network_size(self.module.network, self.spec.size)
        if self.cfg.channels_last:
            self.module.network.to(memory_format=torch.channels_last)
        if self.cfg.compile:
            self.module.network.compile()

    def _module(self) -> StageModule:
        parts = {
            "network": self._build("network"),
            "loss": self._build("loss"),
            "optimizer": self._build("optimizer"),
            "schedule": None if self.cfg.scheduler is None else self._build("scheduler"),
        }
        if self.cfg.stage == "classifier":
            parts |= {"classes": self.catalog.classes, "class_counts": self.data.class_counts().tolist()}
        module: StageModule = self._build("module", **parts)
        return module

    def _build(self, key: str, **kwargs: Any) -> Any:
        return build(self.cfg[key], trusted=self.trusted, **kwargs)

    def _warm_start(self, plain: Mapping[str, Any]) -> dict[str, Any] | None:
        if self.cfg.stage != "siamese":
            return None
        if self.cfg.ckpt is None:
            log.warning("ckpt=null: stage 2 starts from scratch, without a stage 1")
            return None
        backbone = self.module.network.embedding_network.backbone  # type: ignore[union-attr]
        parent = warm_start(
            backbone, self.cfg.ckpt, backbone_config=plain["backbone"], classes=self.catalog.classes
        )
        theirs = parent["config"]["pixels"]
        if (theirs["size"], theirs["fit"]) != (self.spec.size, self.spec.fit):
            log.warning("the parent saw pixels %s, this run %s", theirs, plain["pixels"])
        log.info("backbone: all %d tensors from %s", len(backbone.state_dict()), parent["path"])
        return parent

    def _fit(self) -> pl.Trainer:
        callbacks = [self._callback(node) for node in self.cfg.callbacks.values() if node is not None]
        callbacks += [SeedSteps(self.cfg.seed), WriteRecord(self.record), StopOnSignal(self.folder)]
        logger = [build(node) for node in self.cfg.logger.values() if node is not None]
        trainer = self._trainer(callbacks=[c for c in callbacks if c is not None], logger=logger)
        if self.resume_from is not None:
            self.record["start"] = read(self.resume_from)["fashion_lab"]["start"]
        elif self.cfg.stage == "siamese":
            self.record["start"] = self._evaluate("val", logger)
        self.seconds_before_fit = time.monotonic()
        trainer.fit(self.module, datamodule=self.data, ckpt_path=self.resume_from and str(self.resume_from))
        self.fit_seconds = time.monotonic() - self.seconds_before_fit
        return trainer

    def _callback(self, node: Any) -> pl.Callback | None:
        callback: pl.Callback = build(node, trusted=self.trusted)
        is_bar = isinstance(callback, pl.callbacks.ProgressBar)
        return None if is_bar and not console.is_terminal else callback

    def _trainer(self, **kwargs: Any) -> pl.Trainer:
        has_bar = any(isinstance(c, pl.callbacks.ProgressBar) for c in kwargs.get("callbacks", ()))
        trainer: pl.Trainer = build(
            self.cfg.trainer,
            trusted=self.trusted,
            precision=effective_precision(self.cfg.trainer),
            plugins=[AtomicCheckpointIO()],
            enable_progress_bar=has_bar,
            **kwargs,
        )
        return trainer

    def _evaluate(self, split: str, logger: Any = False) -> dict[str, float]:
        """Evaluate the module as it is, in a trainer of its own: no averaging, no checkpoints."""
        trainer = self._trainer(callbacks=[], logger=logger, enable_checkpointing=False)
        run = trainer.validate if split == "val" else trainer.test
        (metrics,) = run(self.module, datamodule=self.data, verbose=False)
        metrics = {name.removeprefix(f"{split}/"): value for name, value in metrics.items()}
        if isinstance(self.module, SiameseModule):
            name = "validation" if split == "val" else split
            metrics |= gallery_metrics(self.module.network.embedding_network, self.catalog, self.store, name)
        return metrics

    def _result(self, trainer: pl.Trainer, seconds: float) -> dict[str, Any]:
        """Evaluate the best checkpoint and put everything that a table of runs needs beside it."""
        metrics = {f"val_last/{k[4:]}": float(v) for k, v in trainer.callback_metrics.items() if k.startswith("val/")}
        metrics |= {f"val_start/{name}": value for name, value in self.record["start"].items()}
        self.best = read(find(self.folder))
        self.module.load_state_dict(self.best["state_dict"])
        metrics |= {f"val/{name}": value for name, value in self._evaluate("val").items()}
        if len(self.data.splits.get("test", ())):
            metrics |= {f"test/{name}": value for name, value in self._evaluate("test").items()}
        parent = self.record["parent"]
        return {
            "stage": self.cfg.stage,
            "metrics": metrics,
            "monitor": OmegaConf.to_container(self.cfg.monitor),
            "parameters": self.size.parameters,
            "multiply_adds": self.size.multiply_adds,
            "seconds": {"total": round(seconds, 1), "fit": round(self.fit_seconds, 1)},
            "epochs": trainer.current_epoch,
            "steps": trainer.global_step,
            "seed": self.cfg.seed,
            "catalog": self.catalog.name,
            "classes": list(self.catalog.classes),
            "splits": {name: len(rows) for name, rows in self.data.splits.items()},
            "unreadable": len(self.store.broken),
            "pixels": {"size": self.spec.size, "fit": self.spec.fit},
            "pretraining": None if parent is None else f"stage 1, {parent['path']}",
            "parent": parent and {key: parent[key] for key in ("path", "sha256", "stage")},
            "precision": str(trainer.precision),
            "overrides": self.overrides,
            "folder": str(self.folder),
            "checkpoint": str(Path(FOLDER, BEST)),
            **surroundings(),
        }

    def _show(self, trainer: pl.Trainer, metrics: Mapping[str, float]) -> None:
        """Let the dashboard, where there is one, show the best checkpoint, which is in the module now."""
        for callback in trainer.callbacks:  # type: ignore[attr-defined]
            if isinstance(callback, Dashboard):
                callback.finish(
                    self.module,
                    self.catalog,
                    self.store,
                    best=self.best,
                    config=self.record["config"],
                    overrides=self.overrides,
                    metrics=metrics,
                )
        for logger in trainer.loggers:
            logger.finalize("success")


def settle(cfg: DictConfig) -> None:
    """Set every process-wide switch from the config, so that a job in a sweep is the same as alone."""
    pl.seed_everything(cfg.seed, verbose=False)
    if cfg.threads is not None:
        torch.set_num_threads(cfg.threads)
    logging.getLogger("pytorch_lightning.utilities.rank_zero").setLevel(logging.WARNING)
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    for message in (
        ".*does not have many workers.*",
        ".*LeafSpec.*",
        ".*smaller than the logging interval.*",
        ".*Trying to infer the `batch_size`.*",
        ".*exists and is not empty.*",
    ):
        warnings.filterwarnings("ignore", message=message)


def effective_precision(trainer: DictConfig) -> str:
    """What `precision=auto` means: bf16-mixed on a GPU that has it, else 16-mixed; 32-true without a GPU."""
    if trainer.precision != "auto":
        return str(trainer.precision)
    if trainer.accelerator == "cpu" or not torch.cuda.is_available():
        return "32-true"
    return "bf16-mixed" if torch.cuda.is_bf16_supported(including_emulation=False) else "16-mixed"
