"""Recall and latency of every engine at growing sizes, against exact search; one process a row, in one run.

python experiments/search/engines.py                     all rows, then table and plot: 4 minutes
python experiments/search/engines.py sizes=3000,100000   fewer sizes
python experiments/search/engines.py rows=               the table and plot of what is there

Each row is built, saved, opened again in the same process, and asked 1,000 queries one by one on one thread.
Milvus is its embedded form, in a file; a cluster is another machine.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from fashion_lab.benchmarks.searching import clustered
from fashion_lab.config import build, compose
from fashion_lab.indexes.exact import ExactIndex

HERE = Path(__file__).parent
DIM, QUERIES, K, FEW = 64, 1000, 10, 34
SIZES = (3_000, 100_000, 1_000_000)
ENGINES = {
    "exact": ["engine=exact"],
    "faiss, IVF-Flat": ["engine=faiss", "engine.kind=flat"],
    "faiss, IVF-PQ + refine": ["engine=faiss", "engine.kind=pq"],
    "milvus, in a file": ["engine=milvus"],
}
LARGEST = {"milvus, in a file": 100_000}  # beyond it a query takes half a second
DATA = ("clustered", "isotropic")


def isotropic(size: int, seed: int):
    draw = np.random.default_rng(seed)
    make = lambda count: draw.standard_normal((count, DIM), dtype=np.float32)  # noqa: E731
    return make(size), make(QUERIES)


def wanted(sizes) -> list[dict]:
    return [
        {"engine": engine, "data": data, "size": size}
        for data in DATA
        for size in sizes
        for engine in ENGINES
        if size <= LARGEST.get(engine, size) and (data == "clustered" or size == 100_000)
    ]


def memory() -> float:
    text = Path("/proc/self/status").read_text()
    return int(text.split("VmRSS:")[1].split()[0]) / 1024


def measure(row: dict) -> dict:
    """Build, save, open, ask."""
    size = row["size"]
    vectors, queries = clustered(size, DIM, QUERIES, 0) if row["data"] == "clustered" else isotropic(size, 0)
    with tempfile.TemporaryDirectory() as home:
        overrides = [*ENGINES[row["engine"]]]
        if "milvus" in row["engine"]:
            overrides += [f"engine.uri={home}/vectors.db"]
        node = compose("search", overrides).engine
        folder = Path(home, "engine")
        folder.mkdir()
        before = memory()
        engine = build(node)
        start = time.process_time()
        engine.build(vectors)
        row["build_cpu_s"] = time.process_time() - start
        engine.save(folder)
        engine.close()
        row["disk_mb"] = sum(path.stat().st_size for path in Path(home).rglob("*") if path.is_file()) / 1e6
        engine = build(node)
        start = time.perf_counter()
        engine.load(folder, vectors, np.arange(size))
        row["open_s"] = time.perf_counter() - start
        row["memory_mb"] = memory() - before
        row |= ask(engine, vectors, queries)
        engine.close()
    return row


def ask(engine, vectors, queries) -> dict:
    truth = ExactIndex()
    truth.build(vectors)
    right = truth.search(queries, K)
    count = min(QUERIES, max(20, 20_000_000 // len(vectors)))
    for query in queries[:5]:
        engine.search(query[None], K)
    times = []
    for query in queries[:count]:
        start = time.perf_counter()
        engine.search(query[None], K)
        times.append(1000 * (time.perf_counter() - start))
    start = time.perf_counter()
    found = engine.search(queries, K)
    seconds = time.perf_counter() - start
    few = np.sort(np.random.default_rng(1).choice(len(vectors), FEW, replace=False))
    start = time.perf_counter()
    filtered = engine.search(queries[:20], K, few).ids
    filter_ms = 1000 * (time.perf_counter() - start) / 20
    reach = right.distances[:, -1:] * (1 + 1e-6)
    return {
        "p50_ms": float(np.median(times)),
        "p99_ms": float(np.quantile(times, 0.99)),
        "batch_per_s": QUERIES / seconds,
        "recall": float((found.distances <= reach).mean()),
        "filter_ms": filter_ms,
        "filtered_recall": float((filtered == truth.search(queries[:20], K, few).ids).mean()),
    }


HEAD = {
    "data": "vectors",
    "size": "number",
    "engine": "engine",
    "recall": "recall@10",
    "p50_ms": "ms, one query (median)",
    "p99_ms": "99%",
    "batch_per_s": "queries/s, 1,000 at once",
    "filter_ms": f"ms, {FEW} rows allowed",
    "filtered_recall": "its recall",
    "build_cpu_s": "CPU s to build",
    "open_s": "s to open",
    "disk_mb": "MB on disk",
    "memory_mb": "MB of memory",
}
DIGITS = {
    "recall": 3,
    "filtered_recall": 3,
    "p50_ms": 3,
    "p99_ms": 3,
    "filter_ms": 3,
    "build_cpu_s": 1,
    "open_s": 2,
}


def cell(name: str, value) -> str:
    return value if isinstance(value, str) else f"{value:,.{DIGITS.get(name, 0)}f}"


def table(rows: list[dict]) -> str:
    lines = ["| " + " | ".join(HEAD.values()) + " |", "|---|---:|---|" + "---:|" * (len(HEAD) - 3)]
    lines += ["| " + " | ".join(cell(name, row[name]) for name in HEAD) + " |" for row in rows]
    return "\n".join(lines)


def plot(rows: list[dict]) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
    for engine in ENGINES:
        some = [row for row in rows if row["engine"] == engine and row["data"] == "clustered"]
        left.plot([row["size"] for row in some], [row["p50_ms"] for row in some], "o-", label=engine)
        for row in rows:
            if row["engine"] == engine and row["size"] == 100_000:
                kind = row["data"] == "clustered"
                colour = f"C{list(ENGINES).index(engine)}"
                right.plot(row["p50_ms"], row["recall"], "o" if kind else "s", color=colour)
    left.set(
        xscale="log", yscale="log", xlabel=f"vectors of {DIM} numbers", ylabel="ms, one query, one thread"
    )
    left.set_title("Latency by size (clustered vectors)", fontsize=10)
    left.legend(frameon=False, fontsize=8)
    right.set(
        xscale="log", xlabel="ms, one query, one thread", ylabel="recall@10 against exact", ylim=(0, 1.05)
    )
    right.set_title("Recall at 100,000 vectors (dots: clustered, squares: isotropic)", fontsize=10)
    for axis in (left, right):
        axis.grid(alpha=0.25)
        axis.spines[["top", "right"]].set_visible(False)
    figure.savefig(HERE / "engines.png", dpi=130)


def main() -> None:
    words = dict(word.split("=", 1) for word in sys.argv[1:])
    if "row" in words:
        print(json.dumps(measure(json.loads(words["row"]))))
        return
    kept = HERE / "engines.json"
    if words.get("rows") != "":
        sizes = [int(size) for size in words["sizes"].split(",")] if "sizes" in words else SIZES
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        rows = []
        for row in wanted(sizes):
            done = subprocess.run(
                [sys.executable, __file__, f"row={json.dumps(row)}"],
                env=environment, stdout=subprocess.PIPE, check=True, text=True,
            )  # fmt: skip
            rows.append(json.loads(done.stdout.splitlines()[-1]))
            print(rows[-1], flush=True)
        kept.write_text(json.dumps(rows, indent=1) + "\n")
    rows = json.loads(kept.read_text())
    (HERE / "engines.md").write_text(table(rows) + "\n")
    plot(rows)
    print(table(rows))


if __name__ == "__main__":
    main()
