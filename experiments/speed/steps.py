"""Where a step of training spends its time: operations (torch.profiler) and Python functions (cProfile).

python experiments/speed/steps.py data=clothing     words of a training; writes profile.md
"""

import cProfile
import pstats
import sys
import tempfile
from pathlib import Path

import pytorch_lightning as pl
from torch.profiler import ProfilerActivity, profile

from fashion_lab.config import compose
from fashion_lab.training import Training

HERE = Path(__file__).parent
TOP = 12


class Profiled(pl.Callback):
    """Profiles the operations of the second epoch's steps and the Python functions of the third's."""

    def __init__(self):
        self.operations = profile(activities=[ProfilerActivity.CPU])
        self.functions = cProfile.Profile()
        self.steps = 0

    def on_train_epoch_start(self, trainer, module):
        self.steps = trainer.num_training_batches
        if trainer.current_epoch == 1:
            self.operations.__enter__()
        if trainer.current_epoch == 2:
            self.functions.enable()

    def on_validation_start(self, trainer, module):
        if trainer.current_epoch == 1:
            self.operations.__exit__(None, None, None)
        self.functions.disable()


def top_operations(found):
    events = sorted(found.operations.key_averages(), key=lambda event: -event.self_cpu_time_total)
    total = sum(event.self_cpu_time_total for event in events)
    lines = ["| operation | share | ms a step | calls a step |", "|---|---:|---:|---:|"]
    for event in events[:TOP]:
        share, ms = event.self_cpu_time_total / total, event.self_cpu_time_total / 1000 / found.steps
        lines.append(f"| `{event.key}` | {share:.1%} | {ms:.2f} | {event.count / found.steps:.1f} |")
    return lines


def top_functions(found):
    stats = pstats.Stats(found.functions).stats
    rows = [(own, calls, name) for name, (_, calls, own, _, _) in stats.items()]
    total, calls = sum(row[0] for row in rows), sum(row[1] for row in rows)
    lines = [f"{calls / found.steps:,.0f} calls a step.", ""]
    lines += ["| function | share | ms a step | calls a step |", "|---|---:|---:|---:|"]
    for own, count, (file, number, name) in sorted(rows, reverse=True)[:TOP]:
        place = name if file == "~" else f"{'/'.join(Path(file).parts[-2:])}:{number} {name}"
        line = (
            f"| `{place}` | {own / total:.1%} | {own * 1000 / found.steps:.2f} | {count / found.steps:.1f} |"
        )
        lines.append(line)
    return lines


def main(words):
    found = Profiled()
    with tempfile.TemporaryDirectory() as name:
        cfg = compose("train", [f"folder={name}", "trainer.max_epochs=3", *words])
        Training(cfg, Path(name), callbacks=[found]).run()
    title = f"`python experiments/speed/steps.py {' '.join(words)}`: {found.steps} steps"
    lines = [
        title,
        "",
        "## Operations",
        "",
        *top_operations(found),
        "",
        "## Python",
        "",
        *top_functions(found),
    ]
    (HERE / "profile.md").write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main(sys.argv[1:])
