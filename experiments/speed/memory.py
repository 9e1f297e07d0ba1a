"""What keeping freed memory brings (fashion_lab/allocator.py): a training with and without it, in turns.

python experiments/speed/memory.py data=clothing trainer.max_epochs=3     words of a training; prints a table
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time

from fashion_lab.benchmarks.processes import TRAIN

ROUNDS = 3
WAYS = {"returned": {"GLIBC_TUNABLES": ""}, "kept": {}}


def once(words, settings):
    with tempfile.TemporaryDirectory() as folder:
        command = [*TRAIN, *words, f"hydra.run.dir={folder}", "logger=none"]
        start = time.perf_counter()
        process = subprocess.Popen(command, env=os.environ | settings, stdout=subprocess.DEVNULL)
        _, status, used = os.wait4(process.pid, 0)
        assert status == 0, command
        seconds = time.perf_counter() - start
    return seconds, used.ru_utime + used.ru_stime, used.ru_minflt / 1e6, used.ru_maxrss / 2**20


def main(words):
    found = {way: [] for way in WAYS}
    for _ in range(ROUNDS):
        for way, settings in WAYS.items():
            found[way].append(once(words, settings))
    medians = {
        way: [statistics.median(column) for column in zip(*rows, strict=True)] for way, rows in found.items()
    }
    print(
        "| words | memory | s | CPU s | million page faults | peak GB |",
        "|---|---|---:|---:|---:|---:|",
        sep="\n",
    )
    for way, (seconds, cpu, faults, peak) in medians.items():
        print(f"| `{' '.join(words)}` | {way} | {seconds:.0f} | {cpu:.0f} | {faults:.2f} | {peak:.2f} |")


if __name__ == "__main__":
    main(sys.argv[1:])
