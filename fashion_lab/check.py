"""Checks of a training's config, all problems at once, before a picture is read."""

from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from fashion_lab.config import ConfigError

STAGES = ("classifier", "siamese")
NO_CKPT = (
    "stage=siamese needs ckpt=<a stage 1 run folder or checkpoint> to take its backbone from; "
    "ckpt=null trains from scratch"
)


def check(cfg: DictConfig, *, multirun: bool = False) -> None:
    """Raise ConfigError with every problem that the config alone shows."""
    missing = OmegaConf.missing_keys(cfg)
    problems = [NO_CKPT if key == "ckpt" else f"{key} is missing: add {key}=..." for key in sorted(missing)]
    if not missing:
        problems += [*_of_values(cfg), *_of_paths(cfg), *_of_stage(cfg), *_of_devices(cfg, multirun)]
    if problems:
        raise ConfigError("\n  ".join(["the config cannot be run:", *problems]) if len(problems) > 1 else problems[0])


def _of_values(cfg: DictConfig) -> list[str]:
    problems = []
    if cfg.stage not in STAGES:
        problems.append(f"stage={cfg.stage}; allowed are {', '.join(STAGES)}")
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
    if cfg.threads is not None and cfg.threads < 1:
        problems.append(f"threads={cfg.threads}; it must be at least 1, or null for PyTorch's choice")
    return problems


def _of_paths(cfg: DictConfig) -> list[str]:
    given = {"ckpt": cfg.ckpt, "resume": cfg.resume}
    return [
        f"{key}={path} does not exist; give a run folder (outputs/<stage>/<time>) or a .ckpt file"
        for key, path in given.items()
        if path is not None and "://" not in path and not Path(path).exists()
    ]


def _of_stage(cfg: DictConfig) -> list[str]:
    problems = []
    is_partial = bool(OmegaConf.select(cfg, "loss._partial_"))
    if cfg.stage == "classifier":
        if not is_partial:
            problems.append("loss is one for embeddings, the stage a classifier; take loss=cross_entropy")
        if cfg.ckpt is not None:
            problems.append(f"ckpt={cfg.ckpt} with stage=classifier; ckpt= is where stage=siamese starts from")
    else:
        if is_partial:
            problems.append("loss is one for classes, the stage is siamese; take loss=triplet, batch_hard, ...")
        if OmegaConf.select(cfg, "augment.mixup"):
            problems.append("augment.mixup blends classes, which stage=siamese cannot learn from; set it to 0")
        drawn = str(OmegaConf.select(cfg, "sampler._target_")).endswith("TripletSampler")
        if OmegaConf.select(cfg, "network.one_pass") is False and not drawn:
            problems.append("network.one_pass=false passes anchors, positives, negatives; take loss=triplet with it")
    return problems


def _of_devices(cfg: DictConfig, multirun: bool) -> list[str]:
    devices = OmegaConf.select(cfg, "trainer.devices")
    if multirun and devices not in (1, "1", [0]):
        return [f"trainer.devices={devices} in a sweep: each process would start the whole sweep; use 1"]
    return []
