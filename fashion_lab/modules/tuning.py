"""Fine-tuning: a backbone that learns slower than what is new on it, and only after it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
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
    """

    backbone_lr: float = 1.0
    layer_decay: float = 1.0
    freeze_epochs: int = 0

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
        if self == FineTuning():
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


def make_optimizer(factory: Any, groups: Sequence[tuple[float, list[nn.Parameter]]]) -> Optimizer:
    """Make an optimizer whose groups learn at a share of its rate each."""
    if len(groups) == 1 and groups[0][0] == 1:
        optimizer: Optimizer = factory(groups[0][1])
        return optimizer
    optimizer = factory([{"params": parameters} for _, parameters in groups])
    for group, (share, _) in zip(optimizer.param_groups, groups, strict=True):
        group["lr"] = group["lr"] * share
    return optimizer


def find_backbone(network: nn.Module) -> Backbone | None:
    """Find the backbone in a network of either stage; None where there is none."""
    return next((part for part in network.modules() if isinstance(part, Backbone)), None)
