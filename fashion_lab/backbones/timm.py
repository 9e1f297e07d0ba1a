"""Any model of timm (PyTorch Image Models) as a backbone: https://huggingface.co/docs/timm. Extra `timm`.

It normalises by itself: pictures come as for every backbone, -1 .. 1, and a multiply-add of each channel
gives them the mean and deviation that the model was trained with. Both are among the weights, so a
checkpoint keeps them whatever a later timm says.
"""

import logging
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from fashion_lab import extras
from fashion_lab.contracts.backbone import Backbone
from fashion_lab.digest import digest, file_sha256
from fashion_lab.problems import nearest

log = logging.getLogger(__name__)

POOLED, MAP = "pooled", "map"
SHOWN = 300  # letters of what timm or the hub says


class TimmBackbone(Backbone):
    """A timm model without its classifier.

    Args:
        name: as timm calls it, with or without a tag: `resnet18`, `vit_tiny_patch16_224.augreg_in21k`.
        pretrained: where a training without `ckpt=` takes its weights from: True from timm's hub, a file
            (.safetensors, or a torch file of plain tensors), False from nowhere.
        features: `pooled`, the model's own pooling, as one place [B, C, 1, 1]; `map`, what it pools.
        image_size: side in pixels of the pictures; None: the model's own. Some models are built for one size.
    """

    free_options = ("pretrained", "image_size")

    def __init__(
        self,
        *,
        name: str,
        pretrained: bool | str = False,
        features: str = POOLED,
        image_size: int | None = None,
    ) -> None:
        super().__init__()
        extras.require(["timm"], "backbone=timm", "timm")
        if features not in (POOLED, MAP):
            raise ValueError(f"backbone.features is {features!r}; allowed are {POOLED} and {MAP}")
        if not isinstance(pretrained, bool | str) or not str(pretrained).strip() or "://" in str(pretrained):
            raise ValueError(f"backbone.pretrained is {pretrained!r}; allowed are true, false and a file")
        config = _config(name)
        self.name, self.pretrained, self.features = name, pretrained, features
        self.own_size = int(config["input_size"][-1])
        size = self.own_size if image_size is None else image_size
        self._options: dict[str, Any] = {"num_classes": 0}
        if features == MAP:
            self._options["global_pool"] = ""
        if config["fixed_input_size"] and size != self.own_size:
            self._options["img_size"] = size
        self.model, shape = self._built(size)
        if len(shape) != 4:
            raise ValueError(f"backbone.name={name} has no feature map; take backbone.features={POOLED}")
        self.out_channels = shape[1]
        mean, deviation = (torch.tensor(config[key]).view(3, 1, 1) for key in ("mean", "std"))
        self.register_buffer("scale", 0.5 / deviation)  # (x + 1) / 2 is 0 .. 1, as timm counts
        self.register_buffer("shift", (0.5 - mean) / deviation)
        self.scale: Tensor
        self.shift: Tensor

    def forward(self, images_BCHW: Tensor) -> Tensor:
        """Map images [B, 3, H, W] to features [B, out_channels, h, w]; pooled, h and w are 1."""
        return self._places(self.model(images_BCHW * self.scale + self.shift))

    def start(self) -> Mapping[str, str] | None:
        """Take the weights that `pretrained` names."""
        if self.pretrained is False:
            return None
        logging.getLogger("timm").setLevel(logging.WARNING)  # it tells of every file; so does the run
        if self.pretrained is True:
            return self._from_hub()
        path = Path(self.pretrained)
        self.model.load_state_dict(self._fitting(_read(path), path))
        return {"source": str(path), "sha256": file_sha256(path)}

    def layers(self) -> Sequence[Sequence[nn.Parameter]]:
        """Give the parameters as timm groups them, from input to output."""
        matcher: Any = getattr(self.model, "group_matcher", None)
        if matcher is None:
            return super().layers()
        from timm.models import group_parameters

        names = group_parameters(self.model, matcher(coarse=False))
        return [[self.model.get_parameter(name) for name in names[layer]] for layer in sorted(names)]

    def _built(self, size: int) -> tuple[nn.Module, torch.Size]:
        """Build the model, and try it on a picture: its features' shape."""
        import timm

        try:
            model: nn.Module = timm.create_model(self.name, pretrained=False, **self._options)
            with torch.no_grad():
                self._channels_last = getattr(model, "output_fmt", "NCHW") == "NHWC"
                shape = self._places(model.eval()(torch.zeros(1, 3, size, size))).shape
        except Exception as error:  # a thousand models, each with its own way to say no
            raise ValueError(
                f"backbone.name={self.name} cannot give backbone.features={self.features} for pictures of "
                f"{size} pixels: {_said(error)}; its own size is {self.own_size}"
            ) from error
        return model.train(), shape

    def _places(self, features: Tensor) -> Tensor:
        """Give features their places: [B, C, h, w]; what has none stays as it is."""
        if self.features == POOLED:
            return features[:, :, None, None]
        return features.permute(0, 3, 1, 2) if self._channels_last else features

    def _from_hub(self) -> Mapping[str, str]:
        """Fetch what timm's hub has for the model, or find it in the hub's cache."""
        import timm
        from huggingface_hub.utils import logging as hub_logging

        log.info("weights of %s: from timm's hub, or its cache", self.name)
        before = hub_logging.get_verbosity()
        hub_logging.set_verbosity(logging.ERROR)  # it tells of every try
        try:
            model = timm.create_model(self.name, pretrained=True, **self._options)
        except Exception as error:  # of the hub, of the network, of timm
            raise ValueError(
                f"backbone.pretrained=true: no weights of {self.name} from timm's hub: {_said(error)}; give "
                "backbone.pretrained=<file>, or false"
            ) from error
        finally:
            hub_logging.set_verbosity(before)
        self.model.load_state_dict(model.state_dict())
        config: Any = model.pretrained_cfg
        source = str(config.get("hf_hub_id") or config.get("url"))
        return {"source": f"{source} ({config.get('tag') or 'no tag'})", "sha256": digest(model.state_dict())}

    def _fitting(self, weights: dict[str, Tensor], path: Path) -> dict[str, Tensor]:
        """Give a file's weights without its classifier, converted where timm knows how. All or none."""
        expected = self.model.state_dict()
        classifiers = _config(self.name)["classifier"] or ()
        heads = (classifiers,) if isinstance(classifiers, str) else tuple(classifiers)
        parts = tuple(f"{head}." for head in heads)
        kept = {key: value for key, value in weights.items() if not key.startswith(parts)}
        if not _differences(kept, expected):
            return kept
        convert = getattr(sys.modules[type(self.model).__module__], "checkpoint_filter_fn", None)
        try:
            converted = dict(weights) if convert is None else convert(dict(weights), self.model)
            kept = {key: value for key, value in converted.items() if not key.startswith(parts)}
        except Exception as error:  # not made for this file
            log.debug("timm does not convert %s: %s", path, error)
        if differences := _differences(kept, expected):
            raise ValueError(
                f"backbone.pretrained={path} does not fit backbone.name={self.name}: {differences[0]} and "
                f"{len(differences) - 1} more differences; give its own weights, or another name"
            )
        return kept


def _config(name: str) -> dict[str, Any]:
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
        raise ValueError(f"backbone.pretrained={path} cannot be read: {_said(error)}") from error
    return weights


def _differences(theirs: Mapping[str, Tensor], ours: Mapping[str, Tensor]) -> list[str]:
    missing = [f"{name} is not in it" for name in ours if name not in theirs]
    shapes = [
        f"{name} has shape {tuple(value.shape)}, needed {tuple(ours[name].shape)}"
        for name, value in theirs.items()
        if name in ours and value.shape != ours[name].shape
    ]
    return [*missing, *shapes, *(f"{name} is too many" for name in theirs if name not in ours)]


def _said(error: Exception) -> str:
    return " ".join(str(error).split())[:SHOWN] or type(error).__name__
