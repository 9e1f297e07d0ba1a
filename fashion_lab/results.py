"""`result.json`: what a run found, with everything needed to judge and repeat it."""

import json
import math
import os
import platform
import subprocess
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from fashion_lab.folders import replace_text

RESULT = "result.json"
PACKAGES = (
    *("torch", "torchvision", "pytorch-lightning", "torchmetrics"),
    *("hydra-core", "numpy", "pillow", "fashion_lab"),
)


def write_result(folder: Path, result: Mapping[str, Any]) -> Path:
    """Write `result.json` whole or not at all; a metric that has no value is null: JSON knows no NaN."""
    metrics = {
        name: value if math.isfinite(value) else None for name, value in result.get("metrics", {}).items()
    }
    return write_json(folder / RESULT, {**result, "metrics": metrics})


def write_json(path: Path, content: Mapping[str, Any]) -> Path:
    """Write a file of JSON whole or not at all; NaN is a fault of ours."""
    replace_text(path, json.dumps(content, indent=2, allow_nan=False) + "\n")
    return path


def surroundings() -> dict[str, Any]:
    """What a run depends on besides its config: versions, commit, hardware."""
    return {
        "versions": {"python": platform.python_version()} | {name: version(name) for name in PACKAGES},
        "git_commit": git_commit(),
        "hardware": hardware(),
    }


def git_commit() -> str | None:
    """The commit that this package runs from, with `+changes` if there are any; None outside of git."""
    here = Path(__file__).parent

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(here), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        if git("ls-files", Path(__file__).name) == "":
            return None
        return git("rev-parse", "HEAD") + ("+changes" if git("status", "--porcelain", "-uno") else "")
    except (OSError, subprocess.CalledProcessError):
        return None


def hardware() -> dict[str, Any]:
    """Processor, cores, threads and the GPU where there is one."""
    import torch

    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "gpu": gpu,
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
