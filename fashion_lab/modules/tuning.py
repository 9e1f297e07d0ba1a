"""Fine-tuning: a backbone that learns slower than what is new on it, and only after it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import nn
from torch.optim import Optimizer

from fashion_lab.contracts.backbone import Backbone


@dataclass(frozen=True, kw_only=True)
class FineTuning:
    """How a backbone that has learnt something already is trained on.

    Attributes:
        backbone_lr: its learning rate as a share of `optimizer.lr`.
        layer_decay: factor of the learning rate from each of its layers to the one before.
        freeze_epochs: at the beginning, while only the rest learns; statistics of BatchNorm stay too.
        decay_norms: whether weight decay pulls at norms and biases too; False: only at what has several axes
            (He et al. 2019, "Bag of Tricks for Image Classification", section 3.1).
    """

    backbone_lr: float = 1.0
    layer_decay: float = 1.0
    freeze_epochs: int = 0
    decay_norms: bool = True

    def __post_init__(self) -> None:
        for name in ("backbone_lr", "layer_decay"):
            value = getattr(self, name)
            if not 0 < value <= 1:
                raise ValueError(f"module.{name} is {value}; allowed is over 0, up to 1")
        if not isinstance(self.freeze_epochs, int) or self.freeze_epochs < 0:
            raise ValueError(f"module.freeze_epochs is {self.freeze_epochs}; give a whole number, 0 for none")

    def groups(
        self, parameters: Iterable[nn.Parameter], backbone: Backbone | None
    ) -> list[tuple[float, list[nn.Parameter]]]:
        """Split parameters by their share of the learning rate: the rest first, then layers from the output.

        Raises:
            ValueError: there is no backbone, or not more than it, to do that with.
        """
        every = list(parameters)
        if replace(self, decay_norms=True) == FineTuning():
            return [(1.0, every)]
        if backbone is None:
            raise ValueError(f"{self} needs a network with a backbone; leave these options of the module out")
        own = {id(parameter) for parameter in backbone.parameters()}
        rest = [parameter for parameter in every if id(parameter) not in own]
        if self.freeze_epochs and not rest:
            raise ValueError(
                f"module.freeze_epochs={self.freeze_epochs}, but there is only the backbone to learn: give "
                "the encoder a projection (encoder.projection=128), or 0"
            )
        layers = self._layers(backbone)
        shares = [self.backbone_lr * self.layer_decay**depth for depth in range(len(layers))]
        return [(1.0, rest)] * bool(rest) + list(zip(shares, layers, strict=True))

    def _layers(self, backbone: Backbone) -> list[list[nn.Parameter]]:
        """Give the layers from the output, where each has a learning rate of its own; else all as one."""
        if self.layer_decay == 1:
            return [list(backbone.parameters())]
        layers = [list(layer) for layer in reversed(backbone.layers())]
        if len(layers) < 2:
            raise ValueError(
                f"module.layer_decay={self.layer_decay}, but {type(backbone).__name__} does not say what its "
                "layers are; take module.backbone_lr alone"
            )
        return layers

    def hold(self, backbone: Backbone | None, epoch: int) -> None:
        """Freeze the backbone for the first epochs, free it afterwards; costs nothing where that is so."""
        if backbone is None or not self.freeze_epochs:
            return
        frozen = epoch < self.freeze_epochs
        if backbone.training == frozen:
            backbone.train(not frozen)
            backbone.requires_grad_(not frozen)


def make_optimizer(
    factory: Any, groups: Sequence[tuple[float, list[nn.Parameter]]], *, decay_norms: bool = True
) -> Optimizer:
    """Make an optimizer whose groups learn at a share of its rate each; `decay_norms`: see `FineTuning`."""
    if len(groups) == 1 and groups[0][0] == 1 and decay_norms:
        optimizer: Optimizer = factory(groups[0][1])
        return optimizer
    parts = [
        (share, some, decays)
        for share, parameters in groups
        for some, decays in ([(parameters, True)] if decay_norms else _by_axes(parameters))
    ]
    optimizer = factory([{"params": some} for _, some, _ in parts])
    for group, (share, _, decays) in zip(optimizer.param_groups, parts, strict=True):
        group["lr"] = group["lr"] * share
        if not decays:
            group["weight_decay"] = 0.0
    return optimizer


def _by_axes(parameters: Sequence[nn.Parameter]) -> list[tuple[list[nn.Parameter], bool]]:
    """Split into what has more than one axis, and decays, and the rest; leaves out what is empty."""
    parts = [([p for p in parameters if (p.ndim > 1) is decays], decays) for decays in (True, False)]
    return [part for part in parts if part[0]]


def find_backbone(network: nn.Module) -> Backbone | None:
    """Find the backbone in a network of either stage; None where there is none."""
    return next((part for part in network.modules() if isinstance(part, Backbone)), None)
