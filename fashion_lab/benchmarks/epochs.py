"""An epoch of each stage, beside the notebook's way and beside a bare loop."""

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import ClassVar

import torch

from fashion_lab.benchmarks import notebook
from fashion_lab.benchmarks.bare import BareLoop
from fashion_lab.benchmarks.ours import TRAINING, WHOLE, epochs_in_turns
from fashion_lab.benchmarks.recipes import catalog_of, recipe
from fashion_lab.benchmarks.rows import Part, Row
from fashion_lab.benchmarks.timing import in_turns
from fashion_lab.data.class_table import ClassTable

ARITHMETIC = "forward, backward and optimizer step alone"
NOTEBOOK = ("experiment=notebook", "logger=tensorboard")


class Stage1(Part):
    """An epoch of stage 1 as the notebook trains, batch 32; its steps, without validation."""

    TARGETS: ClassVar = {"dense": 1.8, "depthwise": 8.0}

    def __init__(self, *, data: list[str], rounds: int) -> None:
        self.data, self.rounds = data, rounds

    def rows(self) -> Iterator[Row]:
        """Time the dense network in turns with the notebook's way, then the depthwise one with its faster."""
        overrides = [*self.data, *NOTEBOOK]
        catalog = catalog_of(recipe(overrides))
        with tempfile.TemporaryDirectory() as folder:
            dataset = notebook.pictures(notebook.class_folders(catalog, "train", Path(folder)))
            variants = {
                "dense": ["backbone.depthwise=false"],
                "depthwise": ["backbone.depthwise=true"],
                "depthwise, compiled, fused Adam": [
                    *("backbone.depthwise=true", "compile=true", "+optimizer.fused=true"),
                ],
            }
            with notebook.faster(partial(notebook.classifier_epoch, dataset)) as (than, theirs):
                for name, words in variants.items():
                    yield from _compared_with(
                        theirs,
                        than,
                        f"stage 1 epoch, {name} network",
                        [*overrides, *words],
                        rounds=self.rounds,
                        at_least=self.TARGETS.get(name),
                    )


class Stage2(Part):
    """An epoch of stage 2 on drawn triplets as the notebook trains, batch 32, and one of P x K batches."""

    FASTER = 10.0  # target

    def __init__(self, *, data: list[str], rounds: int) -> None:
        self.data, self.rounds = data, rounds

    def rows(self) -> Iterator[Row]:
        """Time triplets in turns with the notebook's way, then the label table, then mining in the batch."""
        overrides = [*self.data, *NOTEBOOK, "stage=siamese", "ckpt=null"]
        catalog = catalog_of(recipe(overrides))
        labels = catalog.labels[catalog.splits["train"]]
        with tempfile.TemporaryDirectory() as folder:
            dataset = notebook.pictures(notebook.class_folders(catalog, "train", Path(folder)))
            started = time.perf_counter()
            triplets = notebook.TripleDataset(dataset)
            decoded = time.perf_counter() - started
            ours = in_turns({"ours": lambda: ClassTable(labels)}, rounds=self.rounds)["ours"]
            than = "the notebook's, which decodes all pictures"
            yield Row(what="table of labels", ours=ours, theirs=decoded, than=than)
            with notebook.faster(partial(notebook.triplet_epoch, triplets)) as (than, theirs):
                yield from _compared_with(
                    theirs,
                    than,
                    "triplet epoch, depthwise network",
                    [*overrides, "backbone.depthwise=true", "network.one_pass=true"],
                    rounds=self.rounds,
                    at_least=self.FASTER,
                )
        yield self._mined(len(labels))

    def _mined(self, pictures: int) -> Row:
        """Every picture of a P x K batch is an anchor, compared with all others of the batch."""
        times = epochs_in_turns([*self.data, "stage=siamese", "ckpt=null"], {}, rounds=self.rounds)
        what = "P x K batches, default recipe"
        return Row(what=what, ours=pictures / times[TRAINING], unit="anchors/s")


class Overhead(Part):
    """Our Trainer with all that is on by default, beside a bare loop over the same network and pictures."""

    TARGET = 1 / 1.10

    def __init__(self, *, data: list[str], rounds: int, batch_sizes: list[int]) -> None:
        self.data, self.rounds, self.batch_sizes = data, rounds, batch_sizes

    def rows(self) -> Iterator[Row]:
        """Time the default recipe of stage 1 at each batch size, and the notebook's dense network."""
        for batch_size in self.batch_sizes:
            target = self.TARGET if batch_size == 64 else None
            yield from self._compared(
                f"default recipe, batch {batch_size}", [f"batch_size={batch_size}"], target
            )
        yield from self._compared("the notebook's recipe, batch 32", list(NOTEBOOK), self.TARGET)

    def _compared(self, name: str, words: list[str], target: float | None) -> Iterator[Row]:
        overrides = [*self.data, *words]
        cfg = recipe(overrides)
        catalog_of(cfg)
        than = "a bare loop"
        times = epochs_in_turns(overrides, {than: BareLoop(cfg, _device()).epoch}, rounds=self.rounds)
        yield Row(what=f"{name}: steps", ours=times[TRAINING], theirs=times[than], than=than, at_least=target)
        if WHOLE not in times:
            return
        what = f"{name}: with validation, metrics, checkpoints"
        yield Row(what=what, ours=times[WHOLE], theirs=times[than], than=f"{than} that only trains")


def _compared_with(
    theirs: Callable[[], object],
    than: str,
    what: str,
    overrides: Sequence[str],
    *,
    rounds: int,
    at_least: float | None,
) -> Iterator[Row]:
    """Time our epochs, theirs, and `ARITHMETIC`: below it ours cannot be without other kernels."""
    alone = BareLoop(recipe(overrides), _device()).arithmetic
    times = epochs_in_turns(overrides, {than: theirs, ARITHMETIC: alone}, rounds=rounds)
    yield Row(what=what, ours=times[TRAINING], theirs=times[than], than=than, at_least=at_least)
    yield Row(what=f"{what}: {ARITHMETIC}", ours=times[ARITHMETIC], theirs=times[than], than=than)


def _device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
