"""AdamW that pulls at convolutions and matrices only, not at norms and biases.

He et al. 2019, "Bag of Tricks for Image Classification with Convolutional Neural Networks", section 3.1.
"""

from collections.abc import Iterable
from typing import Any

from torch import Tensor
from torch.optim import AdamW


def adamw(parameters: Iterable[Tensor], **options: Any) -> AdamW:
    every = list(parameters)
    groups = [
        {"params": [one for one in every if one.ndim > 1]},
        {"params": [one for one in every if one.ndim <= 1], "weight_decay": 0.0},
    ]
    return AdamW(groups, **options)
