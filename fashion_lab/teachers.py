"""The classifier that another one learns from: `teacher=<a stage 1 run>`, checked against the new run."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from fashion_lab.encoders.runs import TrainedRun, read_run
from fashion_lab.encoders.torch_encoder import at_rest
from fashion_lab.leaks import refuse_leak
from fashion_lab.pictures import PixelSpec
from fashion_lab.problems import ConfigError


def read_teacher(
    given: str | Path,
    *,
    classes: Sequence[str],
    pixels: PixelSpec,
    data: Mapping[str, Any],
    known: Mapping[str, str] | None = None,
    trusted: Sequence[str] = (),
) -> tuple[nn.Module, dict[str, str]]:
    """Read a stage 1 run as a teacher: normalised pictures to logits, at rest; and where it comes from.

    Args:
        given: run folder or checkpoint.
        classes: the student's.
        pixels: the student's; the teacher gets the very same pictures.
        data: config node of the student's catalog.
        known: what a run that is resumed learnt from until now.
        trusted: packages outside this project whose classes the teacher's config may name.

    Raises:
        ConfigError: no classifier, other classes or pixels, another fold, another teacher than before.
        CheckpointError: missing or damaged.
    """
    run = read_run(given, trusted=trusted)
    path, sha256 = str(Path(run.source["path"]).absolute()), str(run.source["sha256"])
    problems = list(_problems(run, classes, pixels))
    if known is not None and known["sha256"] != sha256:
        problems.append(f"it is another one than before: sha256 {sha256[:12]}, was {known['sha256'][:12]}")
    refuse_leak("teacher", str(given), run.data, data)
    if problems or run.head is None:
        advice = "give a stage 1 run that fits, or train one with the classes and pixels of this run"
        raise ConfigError("\n  ".join([f"teacher={given} cannot teach this run:", *problems, advice]))
    began = {} if run.pretraining is None else {"pretraining": run.pretraining["source"]}
    return at_rest(run.head.classifier(run.network)), {"path": path, "sha256": sha256, **began}


def _problems(run: TrainedRun, classes: Sequence[str], pixels: PixelSpec) -> Iterator[str]:
    if run.blueprint.stage != "classifier":
        yield f"it is of stage {run.blueprint.stage}"
    elif run.head is None:
        yield run.why_no_head
    if list(run.blueprint.classes) != list(classes):
        yield f"classes: {', '.join(run.blueprint.classes)} there, {', '.join(classes)} here"
    if run.blueprint.pixels != pixels:
        yield f"pixels: {run.blueprint.pixels} there, {pixels} here"
