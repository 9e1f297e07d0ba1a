"""Encoders, ready to embed pictures: of a run or of a bundle, computed by torch or by onnxruntime."""

from collections.abc import Sequence
from pathlib import Path

from fashion_lab import extras, run_files
from fashion_lab.bundles.bundle import Bundle, is_bundle, open_bundle
from fashion_lab.contracts.encoder import Encoder

AUTO, TORCH, ONNX = "auto", "torch", "onnx"
RUNTIMES = (AUTO, TORCH, ONNX)


def load(
    given: str | Path, *, runtime: str = AUTO, trusted: Sequence[str] = (), threads: int | None = None
) -> Encoder:
    """Load the encoder of a run folder, a checkpoint or a bundle. What is not needed is not imported.

    Args:
        given: what `python -m fashion_lab.train` or `python -m fashion_lab.export` wrote.
        runtime: `torch`, `onnx`, or `auto`: a bundle goes to onnxruntime where that is installed, else to
            torch; a run goes to torch. With `onnx` a run is exported once, into the cache.
        trusted: packages outside this project whose classes a config inside may name.
        threads: of onnxruntime; None takes one a core (torch has `torch.set_num_threads`).

    Raises:
        ValueError: nothing there, damaged, foreign or newer; no such runtime; an extra that is not installed.
    """
    if runtime not in RUNTIMES:
        raise ValueError(f"runtime={runtime}: choose one of {', '.join(RUNTIMES)}")
    if threads is not None and threads < 1:
        raise ValueError(f"threads={threads}: give 1 or more, or none for one a core")
    if is_bundle(given):
        return _of_bundle(open_bundle(given), runtime, trusted, threads)
    if runtime != ONNX:
        return _of_run(given, trusted)
    from fashion_lab.encoders.cached import cached_bundle

    return _of_bundle(cached_bundle(given, trusted=trusted), ONNX, trusted, threads)


def found_again(named: str, beside: Path) -> Path | None:
    """Find the run or bundle that an index names, also when both have moved together; None: it is gone."""
    if Path(named).exists():
        return Path(named)
    return run_files.found_again(named, beside, lambda path: is_bundle(path) or run_files.is_run(path))


def _of_bundle(bundle: Bundle, runtime: str, trusted: Sequence[str], threads: int | None) -> Encoder:
    has_torch = extras.is_installed("torch")
    if runtime == TORCH or (runtime == AUTO and has_torch and not extras.is_installed("onnxruntime")):
        extras.require(["torch"], "runtime=torch", "train", "runtime=onnx")
        from fashion_lab.encoders.bundled import load_bundled

        return load_bundled(bundle, trusted=trusted)
    extras.require(["onnxruntime"], "a bundle", "onnx")
    from fashion_lab.encoders.onnx_encoder import OnnxEncoder

    return OnnxEncoder.load(bundle, threads=threads)


def _of_run(given: str | Path, trusted: Sequence[str]) -> Encoder:
    run_files.find(given)  # before torch: what is not there is told at once
    instead = "a bundle of it: python -m fashion_lab.export ckpt=<run> out=<folder>, where it was trained"
    extras.require(["torch"], f"the run {given}", "train", instead)
    from fashion_lab.encoders.runs import load_run

    return load_run(given, trusted=trusted)
