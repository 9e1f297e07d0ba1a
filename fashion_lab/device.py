"""Process-wide switches and the precision of a training: set from the config, every time, never left over."""

import logging
import warnings

import pytorch_lightning as pl
import torch
from omegaconf import DictConfig, OmegaConf

from fashion_lab.allocator import keep_freed_memory
from fashion_lab.config import ConfigError

EXPECTED_WARNINGS = (
    ".*does not have many workers.*",  # pictures are decoded already
    ".*LeafSpec.*",  # Lightning 2.6 on torch 2.15
    ".*smaller than the logging interval.*",  # small catalogs have few steps an epoch
    ".*Trying to infer the `batch_size`.*",
    ".*exists and is not empty.*",  # a resumed run
)


def settle(cfg: DictConfig) -> None:
    """Set every process-wide switch, so that a job in a sweep is the same as alone."""
    keep_freed_memory()
    pl.seed_everything(cfg.seed, verbose=False)
    if cfg.threads is not None:
        torch.set_num_threads(cfg.threads)
    # with trainer.deterministic PyTorch fills every new tensor, to show reads of what was never written: 506
    # fills and 5.5 of 32 ms a step of the notebook's network
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    for name in ("pytorch_lightning", "pytorch_lightning.utilities.rank_zero"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for message in EXPECTED_WARNINGS:
        warnings.filterwarnings("ignore", message=message)


def effective_precision(cfg: DictConfig) -> str:
    """Resolve `trainer.precision=auto`, and refuse what the device cannot do.

    Raises:
        ConfigError: a GPU is asked for and there is none; 16-mixed without one, which Lightning would run as
            bf16; clipping with a fused optimizer in 16-mixed, where gradients stay scaled until its kernel.
    """
    precision = _precision(cfg.trainer)
    fused = OmegaConf.select(cfg, "optimizer.fused")
    if precision == "16-mixed" and fused and cfg.trainer.gradient_clip_val:
        raise ConfigError(
            "optimizer.fused=true cannot clip gradients in trainer.precision=16-mixed; take "
            "optimizer.fused=false, trainer.gradient_clip_val=null or trainer.precision=bf16-mixed"
        )
    if precision == "16-mixed" and (cfg.trainer.accelerator == "cpu" or not torch.cuda.is_available()):
        raise ConfigError("trainer.precision=16-mixed needs a GPU; on a CPU take bf16-mixed or 32-true")
    return precision


def _precision(trainer: DictConfig) -> str:
    """What `precision=auto` means: bf16-mixed on a GPU that has it, else 16-mixed; 32-true without a GPU."""
    if trainer.accelerator in ("gpu", "cuda") and not torch.cuda.is_available():
        raise ConfigError(
            f"trainer.accelerator={trainer.accelerator}, but PyTorch sees no GPU here; "
            "take trainer=auto or trainer=cpu"
        )
    if trainer.precision != "auto":
        return str(trainer.precision)
    if trainer.accelerator == "cpu" or not torch.cuda.is_available():
        return "32-true"
    return "bf16-mixed" if torch.cuda.is_bf16_supported(including_emulation=False) else "16-mixed"
