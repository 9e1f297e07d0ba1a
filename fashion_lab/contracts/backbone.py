"""What every backbone promises."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

from torch import Tensor, nn


class Backbone(nn.Module, ABC):
    """Turns pictures into a feature map. Making one reads no file and no network: weights come by `start`.

    Attributes:
        out_channels: channels of the feature map.
        own_size: side in pixels of the pictures that it was made for; None: it has none.
        free_options: options of its constructor that change no weight's name and meaning; a run that starts
            from another's weights may give others.
    """

    out_channels: int
    own_size: int | None = None
    free_options: tuple[str, ...] = ()

    @abstractmethod
    def forward(self, images_BCHW: Tensor) -> Tensor:
        """Map images [B, 3, H, W] (normalised, -1 .. 1) to features [B, out_channels, h, w]."""

    def start(self) -> Mapping[str, str] | None:
        """Take pretrained weights, where the options name some: called once, by a new run without `ckpt=`.

        Returns:
            What they are, for the run's record: `source` and `sha256`. None: there are none.

        Raises:
            ValueError: they cannot be had, or do not fit.
        """
        return None

    def layers(self) -> Sequence[Sequence[nn.Parameter]]:
        """Give every parameter once, in layers from input to output; here one layer."""
        return [list(self.parameters())]
