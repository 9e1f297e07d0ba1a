"""What another library's trainer gets: pictures that torchvision augments one by one, as far as ours does."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset
from torchvision.transforms import v2

WHITE = 255
AUGMENT = v2.Compose(
    [
        v2.RandomHorizontalFlip(),
        v2.RandomAffine(
            15,
            translate=(0.1, 0.1),
            scale=(0.8, 1.2),
            interpolation=v2.InterpolationMode.BILINEAR,
            fill=WHITE,
        ),
        v2.ColorJitter(brightness=0.2, contrast=0.3, saturation=0.3),
        v2.ToDtype(torch.float32, scale=True),
        v2.Normalize([0.5] * 3, [0.5] * 3),
    ]
)


class Pictures(Dataset[tuple[Tensor, int]]):
    """Training pictures, uint8 [N, 3, S, S], with their labels [N], each made ready by `augment`."""

    def __init__(
        self,
        pixels: NDArray[np.uint8],
        labels: NDArray[np.int64],
        augment: Callable[[Tensor], Tensor] = AUGMENT,
    ) -> None:
        self.pixels, self.labels, self.augment = pixels, labels, augment

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, number: int) -> tuple[Tensor, int]:
        return self.augment(torch.from_numpy(self.pixels[number])), int(self.labels[number])
