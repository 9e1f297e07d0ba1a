"""One training from its config to `result.json`."""

import gc
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from fashion_lab.assembly import Parts, assemble
from fashion_lab.callbacks.checkpoint_io import AtomicCheckpointIO
from fashion_lab.callbacks.dashboard import Dashboard
from fashion_lab.callbacks.run import Clock, SeedSteps, StopOnSignal, WriteRecord
from fashion_lab.checkpoint import RECORD, read
from fashion_lab.comparison import table_of
from fashion_lab.config import ConfigError, build
from fashion_lab.device import effective_precision, settle
from fashion_lab.modules.base import StageModule
from fashion_lab.modules.classifier import ClassifierModule
from fashion_lab.outcomes import LAST_EPOCH, START, VALIDATION
from fashion_lab.record_outcomes import outcome_metrics, stage_2_compared
from fashion_lab.results import surroundings, write_result
from fashion_lab.resume import held, last_checkpoint, resumed_config
from fashion_lab.run_files import BEST, CONFIG, FOLDER, LAST, find
from fashion_lab.summary import closing_block, opening_block, pretraining

console = Console()


class Training:
    """One run: what it does, in order.

    Args:
        cfg: the composed config, checked.
        folder: where the run lives.
        overrides: what the command line said.
        callbacks: more than the config has.
    """

    def __init__(
        self,
        cfg: DictConfig,
        folder: Path,
        *,
        overrides: Sequence[str] = (),
        callbacks: Sequence[pl.Callback] = (),
    ) -> None:
        self.folder, self.overrides, self.callbacks = folder, list(overrides), list(callbacks)
        self.resume_from: Path | None = None
        if cfg.resume is not None:
            self.resume_from = last_checkpoint(folder)
            cfg = resumed_config(self.resume_from, folder, overrides)
        self.cfg = cfg
        self.trusted = tuple(cfg.trusted)

    def run(self) -> float:
        """Train, evaluate the best checkpoint, write the result; gives the monitored metric."""
        clock = Clock(time.monotonic())
        with held(self.folder):
            self._spare_another_run()
            settle(self.cfg)
            precision = effective_precision(self.cfg)
            continued = None if self.resume_from is None else read(self.resume_from)[RECORD]
            parts = assemble(self.cfg, continued, self.overrides)
            (self.folder / CONFIG).write_text(OmegaConf.to_yaml(OmegaConf.create(parts.record["config"])))
            console.print(opening_block(parts.catalog, parts.data, parts.size, parts.record, self.folder))
            trainer = self._fit(parts, precision, clock)
            metrics, best = self._metrics(parts, precision)
            result = self._result(parts, trainer, metrics, clock.seconds())
            path = write_result(self.folder, result)
            self._show(parts, trainer, best, metrics)
            console.print(closing_block(result, path))
            if self.cfg.stage == "siamese":
                console.print(table_of(result))
        del parts, trainer, best
        gc.collect()
        return metrics[self.cfg.monitor.metric]

    def _spare_another_run(self) -> None:
        if self.resume_from is None and (self.folder / FOLDER).exists():
            raise ConfigError(
                f"{self.folder} holds a run already: continue it with resume={self.folder}, or give this one "
                "another folder"
            )

    def _fit(self, parts: Parts, precision: str, clock: Clock) -> pl.Trainer:
        callbacks = [
            build(node, trusted=self.trusted) for node in self.cfg.callbacks.values() if node is not None
        ]
        if not console.is_terminal:
            callbacks = [
                callback for callback in callbacks if not isinstance(callback, pl.callbacks.ProgressBar)
            ]
        stop = StopOnSignal(self.folder)
        callbacks += [SeedSteps(self.cfg.seed), WriteRecord(parts.record), clock, stop, *self.callbacks]
        logger = [build(node, trusted=self.trusted) for node in self.cfg.logger.values() if node is not None]
        if self.cfg.stage == "siamese" and not parts.record["start"]:
            parts.record["start"] = self._evaluate(parts, precision, logger, keep=START)
        trainer = self._trainer(callbacks=callbacks, logger=logger, precision=precision)
        path = self.resume_from and str(self.resume_from)
        try:
            trainer.fit(parts.module, datamodule=parts.data, ckpt_path=path)
        finally:
            stop.release()
        return trainer

    def _trainer(self, **kwargs: Any) -> pl.Trainer:
        has_bar = any(isinstance(callback, pl.callbacks.ProgressBar) for callback in kwargs["callbacks"])
        trainer: pl.Trainer = build(
            self.cfg.trainer,
            trusted=self.trusted,
            plugins=[AtomicCheckpointIO()],
            enable_progress_bar=has_bar,
            **kwargs,
        )
        return trainer

    def _evaluate(self, parts: Parts, precision: str, logger: Any = False, *, keep: str) -> dict[str, float]:
        """Evaluate the module as it is on validation, in a trainer of its own: no averaging, no checkpoints.

        The outcomes by picture stay in the run's folder under the name `keep`.
        """
        trainer = self._trainer(callbacks=[], logger=logger, enable_checkpointing=False, precision=precision)
        (metrics,) = trainer.validate(parts.module, datamodule=parts.data, verbose=False)
        found = {name.split("/", 1)[1]: float(value) for name, value in metrics.items()}
        return found | outcome_metrics(parts, self.folder, keep)

    def _metrics(self, parts: Parts, precision: str) -> tuple[dict[str, float], dict[str, Any]]:
        """Evaluate the last and the best checkpoint; the best one stays in the module, and is returned."""
        metrics = {f"val_start/{name}": value for name, value in parts.record["start"].items()}
        last = self.folder / FOLDER / LAST
        best = read(find(self.folder))
        if last.exists():
            parts.module.load_state_dict(read(last)["state_dict"])
            found = self._evaluate(parts, precision, keep=LAST_EPOCH)
            metrics |= {f"val_last/{name}": value for name, value in found.items()}
        parts.module.load_state_dict(best["state_dict"])
        found = self._evaluate(parts, precision, keep=VALIDATION)
        metrics |= {f"val/{name}": value for name, value in found.items()}
        return metrics, best

    def _result(
        self, parts: Parts, trainer: pl.Trainer, metrics: dict[str, float], seconds: dict[str, float]
    ) -> dict[str, Any]:
        """Everything that a table of runs needs beside a metric."""
        parent = parts.record["parent"]
        return {
            "stage": self.cfg.stage,
            "metrics": metrics,
            **_confusion(parts.module),
            "monitor": OmegaConf.to_container(self.cfg.monitor),
            **stage_2_compared(parts, self.folder, tuple(self.cfg.trusted)),
            **parts.size._asdict(),
            "seconds": {name: round(value, 1) for name, value in seconds.items()},
            "epochs": trainer.current_epoch,
            "steps": trainer.global_step,
            "seed": self.cfg.seed,
            "catalog": parts.catalog.name,
            "classes": list(parts.catalog.classes),
            "splits": {name: len(rows) for name, rows in parts.data.splits.items()},
            "unreadable": len(parts.store.broken),
            "pixels": {"size": self.cfg.pixels.size, "fit": self.cfg.pixels.fit},
            "pretraining": pretraining(parts.record),
            "parent": parent and {key: parent[key] for key in ("path", "sha256", "stage")},
            "teacher": parts.record["teacher"],
            "precision": str(trainer.precision),
            "overrides": parts.record["overrides"],
            "folder": str(self.folder),
            "checkpoint": str(Path(FOLDER, BEST)),
            **surroundings(),
        }

    def _show(
        self, parts: Parts, trainer: pl.Trainer, best: dict[str, Any], metrics: dict[str, float]
    ) -> None:
        """Let the dashboard, where there is one, show the best checkpoint, which is in the module now."""
        for callback in trainer.callbacks:  # type: ignore[attr-defined]
            if isinstance(callback, Dashboard):
                callback.finish(
                    parts.module,
                    parts.catalog,
                    parts.store,
                    best=best,
                    config=parts.record["config"],
                    overrides=parts.record["overrides"],
                    metrics=metrics,
                )
        for logger in trainer.loggers:
            logger.finalize("success")


def _confusion(module: StageModule) -> dict[str, Any]:
    """Of a classifier, the counts behind its metrics: rows are true classes, columns predicted ones."""
    if not isinstance(module, ClassifierModule) or module.last_confusion is None:
        return {}
    return {"confusion": {"val": module.last_confusion.tolist()}}
