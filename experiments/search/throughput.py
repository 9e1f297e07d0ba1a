"""How fast is a catalog embedded, and what does it cost to keep? The whole command, from files to an index.

python experiments/search/throughput.py bundle=<folder> run=<folder> pictures=<folder>

Each way three times, taking turns; medians. CPU seconds count all processes; the start is what a sync with
nothing to do takes. Writes throughput.md and throughput.json beside this file.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from fashion_lab.results import hardware

HERE, TIMES = Path(__file__).parent, 3
WAYS = {
    "bundle, onnxruntime": ("bundle", []),
    "bundle, onnxruntime, one thread decodes": ("bundle", ["workers=1"]),
    "run, torch": ("run", []),
    "bundle, `executor=ray workers=2`": ("bundle", ["executor=ray", "workers=2"]),
}
MEMORY = """
import sys
from pathlib import Path
from fashion_lab.galleries import Gallery
def resident():
    return int(Path("/proc/self/status").read_text().split("VmRSS:")[1].split()[0]) * 1024
before = resident()
gallery = Gallery.load(sys.argv[1])
print((resident() - before) / len(gallery), gallery.vectors_ND[0].nbytes)
"""


def timed(words: list[str]) -> dict[str, float]:
    """Run the verb; wall and CPU seconds of it and its children, and the largest one's memory."""
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "fashion_lab.index", "data=photos", *words], stdout=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"failed: {words}")
    return {
        "wall_s": time.perf_counter() - start,
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "memory_mb": usage.ru_maxrss / 1024,
    }


def disk(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def measure(given: dict[str, str]) -> dict:
    found: dict[str, list] = {name: [] for name in (*WAYS, "nothing to do")}
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch, "index")
        for _ in range(TIMES):
            for name, (source, words) in WAYS.items():
                shutil.rmtree(out, ignore_errors=True)
                words = [f"ckpt={given[source]}", f"data.root={given['pictures']}", f"out={out}", *words]
                found[name].append(timed(words))
                if source == "bundle" and len(words) == 3:
                    found["nothing to do"].append(timed([*words, "mode=sync"]))
        manifest = json.loads((out / "manifest.json").read_text())
        done = subprocess.run([sys.executable, "-c", MEMORY, out], capture_output=True, text=True, check=True)
        memory, vector = map(float, done.stdout.split())
        count = sum(shard["rows"] for shard in manifest["shards"])
        size = disk(out) / count
    rows = {name: {key: median(one[key] for one in all_) for key in all_[0]} for name, all_ in found.items()}
    return {
        "pictures": count,
        "rows": rows,
        "disk_bytes": size,
        "memory_bytes": memory,
        "vector_bytes": vector,
        "hardware": hardware(),
    }


def table(found: dict) -> str:
    count, start = found["pictures"], found["rows"]["nothing to do"]
    lines = [
        f"{count} pictures. Each takes {found['disk_bytes']:,.0f} bytes on disk and "
        f"{found['memory_bytes']:,.0f} in memory without an engine, {found['vector_bytes']:.0f} as vector.",
        "",
        "| way | wall s | CPU s | pictures/s | CPU ms a picture, start left out | memory MB |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for name, row in found["rows"].items():
        idle = name == "nothing to do"
        each = "" if idle else f"{1000 * (row['cpu_s'] - start['cpu_s']) / count:.2f}"
        speed = "" if idle else f"{count / row['wall_s']:.0f}"
        times = f"{row['wall_s']:.1f} | {row['cpu_s']:.1f}"
        lines.append(f"| {name} | {times} | {speed} | {each} | {row['memory_mb']:.0f} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    result = measure(dict(word.split("=", 1) for word in sys.argv[1:]))
    (HERE / "throughput.json").write_text(json.dumps(result, indent=1) + "\n")
    (HERE / "throughput.md").write_text(table(result))
    print(table(result))
