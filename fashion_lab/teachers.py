"""The classifier that another one learns from: `teacher=<a stage 1 run>`, checked against the new run."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from torch import nn

from fashion_lab.encoders.runs import read_run
from fashion_lab.encoders.torch_encoder import at_rest
from fashion_lab.pictures import PixelSpec
from fashion_lab.problems import ConfigError


def read_teacher(
    given: str | Path,
    *,
    classes: Sequence[str],
    pixels: PixelSpec,
    known: Mapping[str, str] | None = None,
    trusted: Sequence[str] = (),
) -> tuple[nn.Module, dict[str, str]]:
    """Read a stage 1 run as a teacher: normalised pictures to logits, at rest; its path and sha256.

    Args:
        given: run folder or checkpoint.
        classes: the student's.
        pixels: the student's; the teacher gets the very same pictures.
        known: what a run that is resumed learnt from until now.
        trusted: packages outside this project whose classes the teacher's config may name.

    Raises:
        ConfigError: no classifier, other classes or pixels, or another teacher than before.
        CheckpointError: missing or damaged.
    """
    run = read_run(given, trusted=trusted)
    problems = []
    if run.blueprint.stage != "classifier" or run.head is None:
        problems.append(
            f"stage {run.blueprint.stage}{run.why_no_head and ', '}{run.why_no_head}; give a stage 1 run"
        )
    if list(run.blueprint.classes) != list(classes):
        problems.append(f"classes: {', '.join(run.blueprint.classes)} there, {', '.join(classes)} here")
    if run.blueprint.pixels != pixels:
        problems.append(f"pixels: {run.blueprint.pixels} there, {pixels} here")
    if known is not None and known["sha256"] != run.source["sha256"]:
        problems.append(
            f"it is another one than before: sha256 {run.source['sha256'][:12]}, was {known['sha256'][:12]}"
        )
    if problems or run.head is None:
        raise ConfigError("\n  ".join([f"teacher={given} cannot teach this run:", *problems]))
    return at_rest(run.head.classifier(run.network)), {
        key: str(run.source[key]) for key in ("path", "sha256")
    }
