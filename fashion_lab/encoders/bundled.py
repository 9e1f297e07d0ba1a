"""A bundle's encoder that torch computes: built from the config in `bundle.json`, filled from safetensors."""

from collections.abc import Mapping, Sequence
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from torch import Tensor, nn

from fashion_lab.bundles.bundle import Bundle
from fashion_lab.bundles.manifest import WEIGHTS, damaged
from fashion_lab.checkpoint import weight_differences, weights_below
from fashion_lab.config import rebuild
from fashion_lab.encoders.blueprint import Blueprint
from fashion_lab.encoders.heads import Head
from fashion_lab.encoders.torch_encoder import TorchEncoder, at_rest
from fashion_lab.networks import MobileNetLikeClassifier


def load_bundled(bundle: Bundle, *, trusted: Sequence[str] = ()) -> TorchEncoder:
    """Load a bundle's encoder for torch.

    Args:
        bundle: as `open_bundle` gives it.
        trusted: packages outside this project whose classes its config may name.

    Raises:
        BundleError: its weights do not fit its own config or fingerprint.
        ConfigError: its config names what must not be built.
    """
    blueprint = Blueprint(
        stage=bundle.stage,
        backbone=bundle.facts["backbone"],
        encoder=bundle.facts["encoder"],
        pixels=bundle.pixels,
        classes=bundle.classes,
    )
    try:
        weights = load_tensors(bundle.read(WEIGHTS))
    except SafetensorError as error:
        raise damaged(bundle.folder, f"{WEIGHTS}: {error}") from error
    network = blueprint.built(trusted, origin=bundle.folder)
    _fill(network, weights_below(weights, "encoder."), bundle)
    if blueprint.fingerprint(network.state_dict()) != bundle.fingerprint:
        raise damaged(bundle.folder, f"{WEIGHTS} has not the fingerprint that bundle.json gives")
    head = _head(bundle, weights_below(weights, "head."), network.dim, trusted)
    return TorchEncoder(
        network=at_rest(network),
        pixels=bundle.pixels,
        classes=bundle.classes,
        fingerprint=bundle.fingerprint,
        run=str(bundle.folder),
        classifier=None if head is None else at_rest(head.classifier(network)),
        calibration=bundle.calibration,
    )


def _head(bundle: Bundle, weights: Mapping[str, Tensor], dim: int, trusted: Sequence[str]) -> Head | None:
    facts: Mapping[str, Any] | None = bundle.facts["head"]
    if facts is None:
        return None
    module: nn.Module = nn.Linear(dim, len(bundle.classes))
    if facts["backbone"] is not None:
        backbone = rebuild(facts["backbone"], origin=bundle.folder, trusted=trusted)
        module = MobileNetLikeClassifier(len(bundle.classes), backbone)
    _fill(module, weights, bundle)
    return Head(module, facts["backbone"], facts)


def _fill(module: nn.Module, weights: Mapping[str, Tensor], bundle: Bundle) -> None:
    if differences := weight_differences(weights, module.state_dict()):
        raise damaged(bundle.folder, f"{WEIGHTS} does not fit its config: {differences[0]}")
    module.load_state_dict(dict(weights))
