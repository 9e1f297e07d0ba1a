"""Any model of timm (PyTorch Image Models) as a backbone: https://huggingface.co/docs/timm. Extra `timm`.

It normalises by itself: pictures come as for every backbone, -1 .. 1, and a multiply-add of each channel
gives them the mean and deviation that the model was trained with. Both are among the weights, so a
checkpoint keeps them whatever a later timm says.
"""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from fashion_lab import extras
from fashion_lab.backbones.timm_weights import from_file, from_hub, known_config, said
from fashion_lab.contracts.backbone import Backbone

POOLED, MAP = "pooled", "map"


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
        config = known_config(name)
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
            return from_hub(self.model, self.name, self._options)
        return from_file(self.model, self.name, Path(self.pretrained))

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
                f"{size} pixels: {said(error)}; its own size is {self.own_size}"
            ) from error
        return model.train(), shape

    def _places(self, features: Tensor) -> Tensor:
        """Give features their places: [B, C, h, w]; what has none stays as it is."""
        if self.features == POOLED:
            return features[:, :, None, None]
        return features.permute(0, 3, 1, 2) if self._channels_last else features
