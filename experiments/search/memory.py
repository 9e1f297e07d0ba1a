"""How much memory does a search take for each picture? All of it: items, vectors, ids, filters, engine.

python experiments/search/memory.py [count=100000]

A drawn index of vectors with 128 numbers, opened as `VisualSearch` in a process for each engine, one thread;
counted is what the process has grown by after its first query. Writes memory.md beside this file.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from fashion_lab.benchmarks.searching import clustered
from fashion_lab.config import build, compose
from fashion_lab.galleries import Gallery, Item, Source
from fashion_lab.pictures import PixelSpec
from fashion_lab.visual_search import VisualSearch

HERE, DIM, SIZE = Path(__file__).parent, 128, 8
ENGINES = {
    "items and vectors alone": [],
    "exact": ["engine=exact"],
    "faiss, IVF-Flat": ["engine=faiss", "engine.kind=flat"],
    "faiss, IVF-PQ + refine": ["engine=faiss", "engine.kind=pq"],
}


class Drawn:
    """The encoder of a drawn index: nothing is embedded."""

    fingerprint, pixels, calibration, has_head, classes = "0" * 64, PixelSpec(SIZE, "squash"), None, False, ()


def draw(folder: Path, count: int) -> None:
    """Write an index whose items have what photos in a folder have."""
    vectors_ND, _ = clustered(count, DIM, 1, 0)
    items = tuple(
        Item(
            id=f"class-{number % 10}/{number:032x}.jpg",
            class_name=f"class-{number % 10}",
            path=f"/srv/photos/class-{number % 10}/{number:032x}.jpg",
            added="2026-01-01T00:00:00+00:00",
            sha256=f"{number:064x}",
        )
        for number in range(count)
    )
    source = Source(
        run="none", fingerprint=Drawn.fingerprint, size=SIZE, fit="squash", classes=[], catalog="drawn",
        catalog_fingerprint="", split="all",
    )  # fmt: skip
    pictures = np.broadcast_to(np.zeros((1, 3, SIZE, SIZE), np.uint8), (count, 3, SIZE, SIZE))
    Gallery(items=items, vectors_ND=vectors_ND, pictures=pictures, source=source).write(folder)


def resident() -> int:
    return int(Path("/proc/self/status").read_text().split("VmRSS:")[1].split()[0]) * 1024


def grown(folder: str, words: list[str]) -> float:
    """Open an index with an engine, ask it once, and give bytes a picture."""
    engine = build(compose("search", words).engine) if words else None
    if "engine=faiss" in words:
        import faiss  # noqa: F401, its own code is not a picture's
    before = resident()
    gallery = Gallery.load(folder)
    if engine is not None:
        search = VisualSearch(gallery, Drawn(), engine)
        search.nearest(gallery.vectors_ND[:1], 5)
    return (resident() - before) / len(gallery)


def main() -> None:
    words = dict(word.split("=", 1) for word in sys.argv[1:] if word.startswith(("count=", "index=")))
    if "index" in words:
        print(grown(words["index"], [word for word in sys.argv[1:] if word.startswith("engine")]))
        return
    count = int(words.get("count", 100_000))
    lines = [
        f"{count:,} pictures, vectors of {DIM} numbers ({4 * DIM} bytes).",
        "",
        "| | bytes a picture |",
        "|---|---:|",
    ]
    with tempfile.TemporaryDirectory() as home:
        draw(Path(home, "index"), count)
        for name, engine in ENGINES.items():
            command = [sys.executable, __file__, f"index={home}/index", *engine]
            environment = {**os.environ, "OMP_NUM_THREADS": "1"}
            done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True, text=True)
            lines.append(f"| {name} | {float(done.stdout.split()[-1]):,.0f} |")
    (HERE / "memory.md").write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
