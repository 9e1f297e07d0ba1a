"""`fashion_lab.train` with a training that takes no time: `python toy_sweeps.py <words>`, run by tests.

Its score is best at optimizer.lr=1e-2 and rises over the epochs. TOY says what goes wrong, by seed:
fail=1 raises, kill=1 ends the process with SIGKILL, stop=1 is a Ctrl-C, wait=1 waits for a file `go`;
`kill=#4` does it in the fourth training.
"""

import json
import math
import os
import runpy
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

from omegaconf import OmegaConf

LOG = "trained.txt"


def started(words, cwd, toy=""):
    """Start the command in a folder; its trainings are lines of trained.txt there."""
    return subprocess.Popen(
        [sys.executable, __file__, *words],
        cwd=cwd,
        env={**os.environ, "TOY": toy},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(*words, cwd, toy=""):
    """Run it to its end."""
    process = started(words, cwd, toy)
    process.out, process.err = process.communicate()
    return process


def trainings(cwd):
    """Folder and words of each training, in order."""
    path = cwd / LOG
    return [tuple(line.split(" ", 1)) for line in path.read_text().splitlines()] if path.exists() else []


class Training:
    """Reports its score epoch by epoch, and writes what a report reads."""

    def __init__(self, cfg, folder, *, overrides, callbacks):
        self.cfg, self.folder, self.overrides, self.callbacks = cfg, folder, overrides, callbacks

    def run(self):
        seed, lr = self.cfg.seed, self.cfg.optimizer.lr
        with Path(LOG).open("a") as file:
            file.write(f"{self.folder.name} seed={seed} lr={lr:g} ckpt={self.cfg.ckpt}\n")
        self.trouble(seed)
        score = 1 / (1 + math.log10(lr / 1e-2) ** 2)
        for epoch in range(epochs := self.cfg.trainer.max_epochs):
            for callback in self.callbacks:
                callback(epoch, score * (epoch + 1) / epochs)
        OmegaConf.save(self.cfg, self.folder / "config.yaml")
        (self.folder / "result.json").write_text(json.dumps(self.result(score)))
        return score

    def trouble(self, seed):
        kind, _, wanted = os.environ["TOY"].partition("=")
        if wanted not in (str(seed), f"#{len(Path(LOG).read_text().splitlines())}"):
            return
        if kind == "fail":
            raise RuntimeError("out of memory")
        if kind == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if kind == "stop":
            raise KeyboardInterrupt
        while kind == "wait" and not Path("go").exists():
            time.sleep(0.02)

    def result(self, score):
        return {
            "stage": self.cfg.stage,
            "metrics": {self.cfg.monitor.metric: score},
            "monitor": OmegaConf.to_container(self.cfg.monitor),
            "parameters": 10,
            "seconds": {"total": 1.0},
            "seed": self.cfg.seed,
            "catalog": "toy",
            "classes": ["hat"],
            "splits": {"train": 1},
            "pixels": {"size": 8, "fit": "squash"},
            "precision": "32-true",
            "overrides": self.overrides,
        }


def pruning(given_up, *, monitor):
    """The callback, without Lightning."""
    from fashion_lab.jobs import Pruned

    def report(epoch, value):
        if given_up(epoch, value):
            raise Pruned(f"{monitor} {value:.4f} after epoch {epoch + 1}")

    return report


if __name__ == "__main__":
    for name, content in {
        "training": {"Training": Training},
        "callbacks.pruning": {"Pruning": pruning},
    }.items():
        module = sys.modules[f"fashion_lab.{name}"] = ModuleType(name)
        vars(module).update(content)
    runpy.run_module("fashion_lab.train", run_name="__main__")
