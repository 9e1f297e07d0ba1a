"""Which classifier says what a picture shows: a run's own, or the one that its training started from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from fashion_lab.checkpoint import RECORD, Record, plain_config, read, weight_differences, weights_below
from fashion_lab.config import rebuild
from fashion_lab.digest import file_sha256
from fashion_lab.encoders.blueprint import Blueprint
from fashion_lab.networks import MobileNetLikeClassifier, SiameseEncoder
from fashion_lab.run_files import CheckpointError, find, found_again, is_file

LINEAR = "2."  # where the linear layer is in the head of `MobileNetLikeClassifier`


@dataclass(frozen=True)
class Head:
    """A classifier, and where it comes from.

    Attributes:
        module: embeddings to logits where `backbone` is None, else normalised pictures to logits.
        backbone: config node of the classifier's own backbone.
        source: {"path", "sha256"} of its checkpoint.
    """

    module: nn.Module
    backbone: Mapping[str, Any] | None
    source: Mapping[str, str]

    def classifier(self, encoder: SiameseEncoder) -> nn.Module:
        """Give the whole way from normalised pictures to logits."""
        return self.module if self.backbone is not None else nn.Sequential(encoder, self.module)


def own_head(
    weights: Mapping[str, Tensor], classes: int, source: Mapping[str, str]
) -> tuple[Head | None, str]:
    """Take the linear layer of a classifier over its pooled features, or say why there is none.

    Args:
        weights: of the head alone, as the classifier calls them.
        classes: number of classes.
        source: of the checkpoint.
    """
    if set(weights) != {f"{LINEAR}weight", f"{LINEAR}bias"} or len(weights[f"{LINEAR}bias"]) != classes:
        return None, f"the head of {source['path']} is more than a linear layer over pooled features"
    layer = nn.Linear(weights[f"{LINEAR}weight"].shape[1], classes)
    layer.load_state_dict({name.removeprefix(LINEAR): value for name, value in weights.items()})
    return Head(layer, None, source), ""


def head_of(given: str | Path, blueprint: Blueprint, trusted: Sequence[str]) -> Head:
    """Take the whole classifier of another run, with its backbone.

    Raises:
        CheckpointError: no classifier, other classes or pixels than the encoder's, or a damaged file.
        ConfigError: its config names what must not be built, or an option that is no more.
    """
    path = find(given)
    checkpoint = read(path)
    record: Record = checkpoint[RECORD]
    config = plain_config(record, path)
    pixels = {"size": blueprint.pixels.size, "fit": blueprint.pixels.fit}
    theirs = {key: config["pixels"][key] for key in pixels}
    for what, there, here in (
        ("stage", record["stage"], "classifier"),
        ("classes", tuple(record["classes"]), blueprint.classes),
        ("pixels", theirs, pixels),
    ):
        if there != here:
            raise CheckpointError(f"head={given} does not fit: {what} {there}, needed {here}")
    backbone = rebuild(config["backbone"], origin=path, trusted=trusted)
    classifier = MobileNetLikeClassifier(len(blueprint.classes), backbone)
    weights = weights_below(checkpoint["state_dict"], "network.")
    if differences := weight_differences(weights, classifier.state_dict()):
        raise CheckpointError(f"head={given} is no plain classifier: {differences[0]}")
    classifier.load_state_dict(weights)
    return Head(classifier, config["backbone"], {"path": str(path), "sha256": file_sha256(path)})


def located(parent: Mapping[str, Any] | None, run: Path) -> Mapping[str, Any] | None:
    """Say of a run's parent where its file is now.

    Args:
        parent: what the run's record says of it: path and sha256 of the file.
        run: checkpoint of the run.
    """
    if parent is None:
        return None

    def is_it(path: Path) -> bool:
        return path.suffix == ".ckpt" and is_file(path) and file_sha256(path) == parent["sha256"]

    there = found_again(parent["path"], run, is_it)
    return parent if there is None else {**parent, "path": str(there)}


def parents_head(
    parent: Mapping[str, Any] | None, blueprint: Blueprint, trusted: Sequence[str]
) -> tuple[Head | None, str]:
    """Take the classifier that a run was warm-started from, or say why not.

    Args:
        parent: as `located` gives it.
        blueprint: of the run's encoder.
        trusted: packages outside this project whose classes the config may name.
    """
    if parent is None:
        return None, "the run was not started from a classifier"
    path = Path(parent["path"])
    if path.suffix != ".ckpt" or not is_file(path):
        return None, f"the classifier {path}, where the run was started from, is not there any more"
    if file_sha256(path) != parent["sha256"]:
        return None, f"{path} is not the classifier any more that the run was started from"
    try:
        return head_of(path, blueprint, trusted), ""
    except ValueError as error:
        return None, " ".join(str(error).split())
