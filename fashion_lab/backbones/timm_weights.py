"""Where a timm model's weights come from: its hub, or a file, converted where timm knows how."""

import logging
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from fashion_lab.digest import digest, file_sha256
from fashion_lab.problems import nearest

log = logging.getLogger(__name__)

SHOWN = 300  # letters of what timm or the hub says


def from_hub(model: nn.Module, name: str, options: Mapping[str, Any]) -> dict[str, str]:
    """Give a model what timm's hub has for it, or what is in the hub's cache; says where that is from."""
    import timm
    from huggingface_hub.utils import logging as hub_logging

    log.info("weights of %s: from timm's hub, or its cache", name)
    before = hub_logging.get_verbosity()
    hub_logging.set_verbosity(logging.ERROR)  # it tells of every try
    try:
        found = timm.create_model(name, pretrained=True, **options)
    except Exception as error:  # of the hub, of the network, of timm
        raise ValueError(
            f"backbone.pretrained=true: no weights of {name} from timm's hub: {said(error)}; give "
            "backbone.pretrained=<file>, or false"
        ) from error
    finally:
        hub_logging.set_verbosity(before)
    model.load_state_dict(found.state_dict())
    config: Any = found.pretrained_cfg
    source = str(config.get("hf_hub_id") or config.get("url"))
    return {"source": f"{source} ({config.get('tag') or 'no tag'})", "sha256": digest(found.state_dict())}


def from_file(model: nn.Module, name: str, path: Path) -> dict[str, str]:
    """Give a model the weights of a file, all or none; says which file that was."""
    model.load_state_dict(_fitting(_read(path), model, name, path))
    return {"source": str(path), "sha256": file_sha256(path)}


def known_config(name: str) -> dict[str, Any]:
    """Say what timm knows of a model. Raises ValueError for an unknown name or tag, with the nearest."""
    import timm
    from timm.models import get_pretrained_cfg

    if not isinstance(name, str) or not timm.is_model(name):
        arch = str(name).split(".")[0]
        hint = nearest(arch, timm.list_models()) or "; `timm.list_models()` lists all"
        raise ValueError(f"backbone.name is {name!r}, which timm does not have{hint}")
    try:
        config = get_pretrained_cfg(name)
    except RuntimeError as error:
        tags = ", ".join(timm.list_pretrained(name.split(".")[0])) or "none"
        raise ValueError(
            f"backbone.name is {name!r}, a tag that timm does not have; there are {tags}"
        ) from error
    known: dict[str, Any] = vars(config)
    return known


def _read(path: Path) -> dict[str, Tensor]:
    """Read tensors from a file, never code."""
    if not path.is_file():
        raise ValueError(f"backbone.pretrained={path} is no file; give one, or true for timm's hub")
    from timm.models import load_state_dict

    try:
        weights: dict[str, Tensor] = load_state_dict(str(path), device="cpu", weights_only=True)
    except Exception as error:  # of safetensors, of pickle, of the disk
        raise ValueError(f"backbone.pretrained={path} cannot be read: {said(error)}") from error
    return weights


def _fitting(weights: dict[str, Tensor], model: nn.Module, name: str, path: Path) -> dict[str, Tensor]:
    """Give a file's weights without its classifier, converted where timm knows how. All or none."""
    expected = model.state_dict()
    classifiers = known_config(name)["classifier"] or ()
    heads = (classifiers,) if isinstance(classifiers, str) else tuple(classifiers)
    parts = tuple(f"{head}." for head in heads)
    kept = {key: value for key, value in weights.items() if not key.startswith(parts)}
    if not _differences(kept, expected):
        return kept
    convert = getattr(sys.modules[type(model).__module__], "checkpoint_filter_fn", None)
    try:
        converted = dict(weights) if convert is None else convert(dict(weights), model)
        kept = {key: value for key, value in converted.items() if not key.startswith(parts)}
    except Exception as error:  # not made for this file
        log.debug("timm does not convert %s: %s", path, error)
    if differences := _differences(kept, expected):
        raise ValueError(
            f"backbone.pretrained={path} does not fit backbone.name={name}: {differences[0]} and "
            f"{len(differences) - 1} more differences; give its own weights, or another name"
        )
    return kept


def _differences(theirs: Mapping[str, Tensor], ours: Mapping[str, Tensor]) -> list[str]:
    missing = [f"{name} is not in it" for name in ours if name not in theirs]
    shapes = [
        f"{name} has shape {tuple(value.shape)}, needed {tuple(ours[name].shape)}"
        for name, value in theirs.items()
        if name in ours and value.shape != ours[name].shape
    ]
    return [*missing, *shapes, *(f"{name} is too many" for name in theirs if name not in ours)]


def said(error: Exception) -> str:
    """Give the first words of what an error says."""
    return " ".join(str(error).split())[:SHOWN] or type(error).__name__
