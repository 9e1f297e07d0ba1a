"""The encoder of a trained run: read from its checkpoint, computed by torch."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from fashion_lab.checkpoint import RECORD, Record, plain_config, read, weight_differences, weights_below
from fashion_lab.digest import file_sha256
from fashion_lab.encoders.blueprint import Blueprint
from fashion_lab.encoders.heads import Head, head_of, located, own_head, parents_head
from fashion_lab.encoders.torch_encoder import TorchEncoder, at_rest
from fashion_lab.networks import SiameseEncoder
from fashion_lab.pictures import PixelSpec
from fashion_lab.run_files import CheckpointError, find

log = logging.getLogger(__name__)

AUTO = "auto"
HEAD = "head."


@dataclass(frozen=True, kw_only=True)
class TrainedRun:
    """What a checkpoint says about its encoder.

    Attributes:
        given: how the run was named.
        blueprint: what the encoder is built from.
        network: the encoder with its weights, at rest.
        fingerprint: sha256 over weights and preprocessing.
        head: says what a picture shows; None where there is none.
        why_no_head: then the reason.
        source: path, sha256 and stage of the checkpoint, and of its parent: {"path", "sha256", "stage"}.
        data: config node of the catalog that it was trained on.
        pretraining: source and sha256 of the weights that its first stage began with; None: from scratch.
    """

    given: str
    blueprint: Blueprint
    network: SiameseEncoder
    fingerprint: str
    head: Head | None
    why_no_head: str
    source: Mapping[str, Any]
    data: Any
    pretraining: Mapping[str, str] | None

    def encoder(self) -> TorchEncoder:
        """Give the encoder."""
        return TorchEncoder(
            network=self.network,
            pixels=self.blueprint.pixels,
            classes=self.blueprint.classes,
            fingerprint=self.fingerprint,
            run=self.given,
            classifier=None if self.head is None else at_rest(self.head.classifier(self.network)),
        )


def load_run(given: str | Path, *, trusted: Sequence[str] = ()) -> TorchEncoder:
    """Load the encoder of a run of either stage; of a classifier, the backbone with average pooling.

    Args:
        given: run folder or checkpoint file.
        trusted: packages outside this project whose classes the run's config may name.

    Raises:
        CheckpointError: missing, damaged, or its weights do not fit its own config.
        ConfigError: its config names what must not be built, or an option that is no more.
    """
    return read_run(given, trusted=trusted).encoder()


def read_run(given: str | Path, *, head: str | Path | None = AUTO, trusted: Sequence[str] = ()) -> TrainedRun:
    """Read a run of either stage; `head` is `auto` (its own, else its parent's), a classifier's run, or None.

    Raises:
        CheckpointError: missing, damaged, its weights do not fit its own config, or a head that does not fit.
    """
    path = find(given)
    checkpoint = read(path)
    record: Record = checkpoint[RECORD]
    config = plain_config(record, path)
    blueprint = Blueprint(
        stage=record["stage"],
        backbone=config["backbone"],
        encoder=config.get("encoder"),
        pixels=PixelSpec(size=config["pixels"]["size"], fit=config["pixels"]["fit"]),
        classes=tuple(record["classes"]),
    )
    prefix = "network.embedding_network." if blueprint.stage == "siamese" else "network."
    weights = weights_below(checkpoint["state_dict"], prefix)
    network = _filled(blueprint.built(trusted, origin=path), _without_head(weights), path)
    source = {"path": str(path), "sha256": file_sha256(path)}
    parent = located(record.get("parent"), path)
    if head is None:
        found, why = None, "head=null"
    elif head != AUTO:
        found, why = head_of(head, blueprint, trusted), ""
    elif blueprint.stage == "classifier":
        found, why = own_head(weights_below(weights, HEAD), len(blueprint.classes), source)
    else:
        found, why = parents_head(parent, blueprint, trusted)
        if parent is not None and found is None:
            log.warning("%s finds pictures, but cannot say of which class they are: %s", given, why)
    return TrainedRun(
        given=str(given),
        blueprint=blueprint,
        network=at_rest(network),
        fingerprint=blueprint.fingerprint(_without_head(weights)),
        head=found,
        why_no_head=why,
        source={**source, "stage": blueprint.stage, "parent": _named(parent)},
        data=config.get("data"),
        pretraining=record.get("pretraining"),
    )


def _without_head(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: value for name, value in weights.items() if not name.startswith(HEAD)}


def _filled(network: SiameseEncoder, weights: Mapping[str, Tensor], path: Path) -> SiameseEncoder:
    if differences := weight_differences(weights, network.state_dict()):
        listed = "\n  ".join(differences)
        raise CheckpointError(f"{path} does not fit the config inside it:\n  {listed}")
    network.load_state_dict(weights)
    return network


def _named(parent: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Leave out what only a training needs of its parent."""
    return None if parent is None else {key: parent.get(key) for key in ("path", "sha256", "stage")}
