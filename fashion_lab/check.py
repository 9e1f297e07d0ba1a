"""Checks of a training's config, all problems at once, before a picture is read."""

from dataclasses import fields
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from fashion_lab.problems import ConfigError, nearest_or_all
from fashion_lab.schema import STARTS, TrainConfig

STAGES = ("classifier", "siamese")
SIMILAR_BY = ("class", "product")
COMPILE_MODES = ("default", "reduce-overhead", "max-autotune", "max-autotune-no-cudagraphs")  # torch.compile
NO_CKPT = (
    "stage=siamese needs ckpt=<a stage 1 run folder or checkpoint> to take its backbone from; "
    "ckpt=null trains from scratch"
)


def check(cfg: DictConfig, *, multirun: bool = False) -> None:
    """Raise ConfigError with every problem that the config alone shows."""
    missing = OmegaConf.missing_keys(cfg)
    problems = [NO_CKPT if key == "ckpt" else f"{key} is missing: add {key}=..." for key in sorted(missing)]
    problems += _of_keys(cfg)
    cfg = _without(cfg, missing)
    found = [*_of_values(cfg), *_of_paths(cfg), *_of_stage(cfg), *_of_sweeps(cfg, multirun)]
    problems += [problem for problem in found if problem.partition("=")[0] not in missing]
    if problems:
        raise ConfigError(
            "\n  ".join(["the config cannot be run:", *problems]) if len(problems) > 1 else problems[0]
        )


def _of_keys(cfg: DictConfig) -> list[str]:
    """`+key=...` on the command line adds any key; one at the root would be read by nobody."""
    known = [field.name for field in fields(TrainConfig)]
    return [
        f"{key} is no key of a training{nearest_or_all(key, known)}"
        for key in map(str, cfg)
        if key not in known
    ]


def _without(cfg: DictConfig, missing: set[str]) -> DictConfig:
    """The same config with None where a value is missing, so that the others can be looked at."""
    filled = OmegaConf.create(OmegaConf.to_container(cfg))
    for key in missing:
        OmegaConf.update(filled, key, None)
    assert isinstance(filled, DictConfig)
    return filled


def _of_values(cfg: DictConfig) -> list[str]:
    problems = []
    if cfg.stage not in STAGES:
        problems.append(f"stage={cfg.stage}; allowed are {', '.join(STAGES)}")
    if cfg.similar_by not in SIMILAR_BY:
        problems.append(f"similar_by={cfg.similar_by}; allowed are {', '.join(SIMILAR_BY)}")
    if cfg.compile_mode not in COMPILE_MODES:
        problems.append(f"compile_mode={cfg.compile_mode}; allowed are {', '.join(COMPILE_MODES)}")
    if not 0 <= cfg.seed < 2**31:
        problems.append(f"seed={cfg.seed}; allowed is 0 .. {2**31 - 1}")
    if cfg.monitor.mode not in ("min", "max"):
        problems.append(f"monitor.mode={cfg.monitor.mode}; allowed are min and max")
    for key in ("batch_size", "trainer.max_epochs"):
        value = OmegaConf.select(cfg, key)
        if not isinstance(value, int) or value < 1:
            problems.append(f"{key}={value}; it must be a whole number of at least 1")
    lr = OmegaConf.select(cfg, "optimizer.lr")
    if lr is not None and not (isinstance(lr, (int, float)) and 0 < lr < float("inf")):
        problems.append(f"optimizer.lr={lr}; it must be a finite number over 0")
    devices = OmegaConf.select(cfg, "trainer.devices")
    if str(devices) != "1" and not (OmegaConf.is_list(devices) and len(devices) == 1):
        problems.append(
            f"trainer.devices={devices}; a run is one process: 1, or [2] for the GPU of that number"
        )
    if cfg.threads is not None and cfg.threads < 1:
        problems.append(f"threads={cfg.threads}; it must be at least 1, or null for PyTorch's choice")
    return problems


def _of_paths(cfg: DictConfig) -> list[str]:
    problems = []
    for key in (*STARTS, "resume"):
        path = cfg[key]
        if path is None or Path(path).exists():
            continue
        if "://" in path:
            problems.append(
                f"{key}={path} is an address; only files and run folders are read: download it first"
            )
        else:
            problems.append(
                f"{key}={path} does not exist; give a run folder (outputs/<stage>/<time>) or a .ckpt file"
            )
    return problems


def _of_stage(cfg: DictConfig) -> list[str]:
    problems = []
    is_partial = bool(OmegaConf.select(cfg, "loss._partial_"))
    if cfg.stage == "classifier":
        if not is_partial:
            problems.append("loss is one for embeddings, the stage a classifier; take loss=cross_entropy")
        if cfg.ckpt is not None:
            problems.append(
                f"ckpt={cfg.ckpt} with stage=classifier; ckpt= is where stage=siamese starts from"
            )
        if cfg.similar_by != TrainConfig.similar_by:
            problems.append(f"similar_by={cfg.similar_by} with stage=classifier; it is for stage=siamese")
    else:
        if cfg.teacher is not None:
            problems.append(f"teacher={cfg.teacher} with stage=siamese; a classifier learns from a teacher")
        if is_partial:
            problems.append(
                "loss is one for classes, the stage is siamese; take loss=triplet, batch_hard, ..."
            )
        if OmegaConf.select(cfg, "augment.mixup"):
            problems.append(
                "augment.mixup blends classes, which stage=siamese cannot learn from; set it to 0"
            )
        sampler = str(OmegaConf.select(cfg, "sampler._target_"))
        if sampler.endswith("ShuffleSampler"):
            problems.append(
                "sampler=shuffle draws no triplets, which stage=siamese learns from; take sampler=balanced "
                "or sampler=triplets"
            )
        drawn = sampler.endswith("TripletSampler")
        if OmegaConf.select(cfg, "network.one_pass") is False and not drawn:
            problems.append(
                "network.one_pass=false passes anchors, positives, negatives; take loss=triplet with it"
            )
    return problems


def _of_sweeps(cfg: DictConfig, multirun: bool) -> list[str]:
    if not multirun or cfg.resume is None:
        return []
    return [f"resume={cfg.resume} in a sweep: a run goes on in its own folder; resume it without -m"]
