"""Both stages on a GPU: beside a bare compiled loop, and beside what the card could do."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch

from fashion_lab.assembly import assemble
from fashion_lab.benchmarks.bare import BareLoop
from fashion_lab.benchmarks.card import Card, demand_of, measure_card
from fashion_lab.benchmarks.ours import TRAINING, epochs_in_turns
from fashion_lab.benchmarks.recipes import catalog_of, recipe
from fashion_lab.benchmarks.rows import Part, Row, Unavailable
from fashion_lab.benchmarks.timing import wait
from fashion_lab.modules.siamese import SiameseModule

BYTES = {"32-true": 4, "bf16-mixed": 2}
DTYPES = {"32-true": torch.float32, "bf16-mixed": torch.bfloat16}
SHARE = 0.7  # target: of the bare compiled loop's throughput
WHOLE_RUN = 30.0  # seconds, target for both stages


class Gpu(Part):
    """Pictures a second of both stages on a GPU, beside a bare compiled loop and the limits of the card.

    Args:
        stages: `classifier`, `siamese`.
        batch_sizes: pictures of a batch; in stage 2 the nearest multiple of the number of classes.
        precisions: as Lightning names them.
        data: words of the command line that choose the pictures.
        rounds: of each comparison.
        compile_modes: of `torch.compile`; None runs without it. `reduce-overhead` is CUDA graphs.
        device: `cuda`; `cpu` tries whether this runs.
        whole: also both stages of the default recipe, from cold start to `result.json`.
    """

    def __init__(
        self,
        *,
        stages: list[str],
        batch_sizes: list[int],
        precisions: list[str],
        data: list[str],
        rounds: int,
        compile_modes: Sequence[str | None] = (None, "default", "reduce-overhead"),
        device: str = "cuda",
        whole: bool = True,
    ) -> None:
        self.stages, self.batch_sizes, self.precisions = stages, batch_sizes, precisions
        self.compile_modes = list(compile_modes)
        self.data, self.rounds, self.device, self.whole = data, rounds, torch.device(device), whole

    def rows(self) -> Iterator[Row]:
        """Go through stages, precisions and batch sizes; eager and compiled for each."""
        if self.device.type == "cuda" and not torch.cuda.is_available():
            raise Unavailable("PyTorch sees no GPU here; where there is one: make bench ARGS='parts=[gpu]'")
        for precision in self.precisions:
            card = measure_card(self.device, DTYPES[precision])
            for stage in self.stages:
                for batch_size in self.batch_sizes:
                    yield from self._compared(stage, batch_size, precision, card)
        if self.whole:
            yield self._whole_run()

    def _words(self, stage: str, batch_size: int, precision: str) -> list[str]:
        trainer = "gpu" if self.device.type == "cuda" else "cpu"
        words = [*self.data, f"stage={stage}", f"trainer={trainer}", f"trainer.precision={precision}"]
        if stage == "classifier":
            return [*words, f"batch_size={batch_size}"]
        classes = len(catalog_of(recipe([*words, "ckpt=null"])).classes)
        return [*words, "ckpt=null", f"sampler.pictures_per_class={max(2, batch_size // classes)}"]

    def _compared(self, stage: str, batch_size: int, precision: str, card: Card) -> Iterator[Row]:
        words = self._words(stage, batch_size, precision)
        pictures, floor = _pictures_and_floor(words, precision, card, self.device)
        best = self.compile_modes[-1]
        bare = f"a bare {'loop' if best is None else f'loop, compiled ({best})'}"
        others = {bare: BareLoop(recipe([*words, *_compiled(best)]), self.device).epoch}
        name, unit = f"{stage}, batch {batch_size}, {precision}", "pictures/s"
        for mode in self.compile_modes:
            share = GpuShare()
            times = epochs_in_turns([*words, *_compiled(mode)], others, rounds=self.rounds, callbacks=[share])
            ours, theirs = pictures / times[TRAINING], pictures / times[bare]
            busy = "" if share.busy is None else f"; the GPU computes {share.busy:.0%} of the time"
            what = f"{name}, {'eager' if mode is None else f'compiled ({mode})'}{busy}"
            target = None if mode is None or mode != best else SHARE
            yield Row(what=what, ours=ours, unit=unit, theirs=theirs, than=bare, at_least=target)
        yield Row(what=f"{name}, the same", ours=ours, unit=unit, theirs=1 / floor, than="the card's limit")

    def _whole_run(self) -> Row:
        """Both stages of the default recipe on the drawn catalog, in processes of their own."""
        with tempfile.TemporaryDirectory() as name:
            runs = [Path(name, stage) for stage in ("classifier", "siamese")]
            started = time.perf_counter()
            for stage, folder, more in (
                ("classifier", runs[0], []),
                ("siamese", runs[1], [f"ckpt={runs[0]}"]),
            ):
                words = [f"stage={stage}", *self.data, f"hydra.run.dir={folder}", *more]
                done = subprocess.run(
                    [sys.executable, "-m", "fashion_lab.train", *words], capture_output=True, text=True
                )
                if done.returncode:
                    raise RuntimeError(f"{' '.join(words)} failed:\n{done.stderr[-2000:]}")
            seconds = time.perf_counter() - started
        what = "both stages of the default recipe, from cold start to result.json"
        return Row(what=what, ours=seconds, theirs=WHOLE_RUN, than="the target", at_least=1)


def _compiled(mode: str | None) -> list[str]:
    return [] if mode is None else ["compile=true", f"compile_mode={mode}"]


def _pictures_and_floor(
    words: Sequence[str], precision: str, card: Card, device: torch.device
) -> tuple[int, float]:
    """Count an epoch's pictures, and give the seconds a picture below which this card cannot be."""
    cfg = recipe(words)
    parts = assemble(cfg, None, ())
    module = parts.module.to(device).train()
    size = cfg.pixels.size
    encoder = module.network.embedding_network if isinstance(module, SiameseModule) else module.network
    demand = demand_of(encoder, torch.zeros(64, 3, size, size, device=device), BYTES[precision])
    pictures = sum(len(batch.indices) for batch in parts.data.sampler.batches(0))
    return pictures, card.floor(demand)


class GpuShare(pl.Callback):
    """Profiles the second epoch: `busy` is the share of its time in which kernels ran; None without a GPU."""

    busy: float | None = None

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._profiler: Any = None
        if trainer.current_epoch == 1 and pl_module.device.type == "cuda":
            self._profiler = torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA])
            self._profiler.__enter__()
            self._started = time.perf_counter()

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self._profiler is None:
            return
        wait(pl_module.device)
        seconds = time.perf_counter() - self._started
        self._profiler.__exit__(None, None, None)
        kernels = sum(event.self_device_time_total for event in self._profiler.key_averages())
        self.busy, self._profiler = kernels / 1e6 / seconds, None
