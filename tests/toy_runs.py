"""Runs of both stages without a training, the second started from the first, and their bundles."""

from pathlib import Path

import numpy as np
import toy_checkpoints

from fashion_lab import checkpoint as files
from fashion_lab.bundles.golden import golden_pictures
from fashion_lab.bundles.writing import export_bundle
from fashion_lab.digest import file_sha256
from fashion_lab.encoders.runs import AUTO, read_run


def save(folder: Path, content) -> Path:
    files.write(folder / "checkpoints" / "best.ckpt", content)
    return folder


def save_runs(home: Path) -> tuple[Path, Path]:
    """A classifier's run, and one of stage 2 that says it was started from it."""
    classifier = save(home / "classifier", toy_checkpoints.content(seed=1))
    path = classifier / "checkpoints" / "best.ckpt"
    parent = {"path": str(path), "sha256": file_sha256(path), "stage": "classifier", "config": {}}
    return classifier, save(home / "siamese", toy_checkpoints.content("siamese", seed=2, parent=parent))


def bundle_of(given: Path, out: Path, *, head=AUTO, **options) -> Path:
    run = read_run(given, head=head)
    export_bundle(run, out, golden_pictures(None, run.blueprint.pixels), **options)
    return out


def pictures(count: int, size: int = 16, seed: int = 0):
    return np.random.default_rng(seed).integers(0, 256, (count, 3, size, size), dtype=np.uint8)
