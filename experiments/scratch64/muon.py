"""Muon: matrices take orthogonalised steps of momentum, everything else those of AdamW.

Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks". A convolution is a matrix
here, [out, in * height * width]; a depthwise one, whose rows share nothing, is not. PyTorch's own takes
weights of two axes only. Steps have the length of AdamW's, so that one rate and one weight decay serve both
(Liu et al. 2025, "Muon is Scalable for LLM Training", section 2.2).
"""

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # Jordan et al.: of the quintic iteration
ITERATIONS = 5
LIKE_ADAMW = 0.2  # Liu et al., equation 4
BETAS, EPSILON = (0.9, 0.999), 1e-8


class Muon(Optimizer):
    """AdamW whose matrices have Muon's steps."""

    def __init__(
        self, params: Iterable[Any], lr: float, *, momentum: float = 0.95, weight_decay: float = 0.05
    ) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Take a step; `closure` computes loss and gradients."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    state = self.state[weight]
                    is_matrix = weight.ndim > 1 and weight.shape[1] > 1
                    change = (
                        muon(weight.grad, state, group["momentum"]) if is_matrix else adam(weight.grad, state)
                    )
                    weight.mul_(1 - group["lr"] * group["weight_decay"]).sub_(change, alpha=group["lr"])
        return loss


def muon(gradient: Tensor, state: dict[str, Any], momentum: float) -> Tensor:
    """Give Muon's step for a matrix, and remember its momentum."""
    buffer: Tensor = state.setdefault("momentum", torch.zeros_like(gradient))
    buffer.mul_(momentum).add_(gradient)
    rows = gradient.add(buffer, alpha=momentum).flatten(1)
    return (orthogonal(rows) * LIKE_ADAMW * math.sqrt(max(rows.shape))).view_as(gradient)


def orthogonal(rows: Tensor) -> Tensor:
    """Bring all singular values of a matrix near 1, by Newton and Schulz's iteration."""
    a, b, c = COEFFICIENTS
    is_tall = rows.shape[0] > rows.shape[1]
    found: Tensor = rows.T if is_tall else rows
    found = found / (found.norm() + 1e-7)
    for _ in range(ITERATIONS):
        gram = found @ found.T
        found = a * found + (b * gram + c * gram @ gram) @ found
    return found.T if is_tall else found


def adam(gradient: Tensor, state: dict[str, Any]) -> Tensor:
    """Give Adam's step (Kingma and Ba 2014, algorithm 1), and remember its moments."""
    if not state:
        state.update(count=0, mean=torch.zeros_like(gradient), square=torch.zeros_like(gradient))
    state["count"] += 1
    state["mean"].lerp_(gradient, 1 - BETAS[0])
    state["square"].lerp_(gradient * gradient, 1 - BETAS[1])
    mean: Tensor = state["mean"] / (1 - BETAS[0] ** state["count"])
    square: Tensor = state["square"] / (1 - BETAS[1] ** state["count"])
    return mean / (square.sqrt() + EPSILON)
