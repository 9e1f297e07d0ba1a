"""What a network asks of a device, and what the device can give: the floor below a step's time."""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from fashion_lab.benchmarks.timing import wait

COPIED = 2**28  # float32 numbers that are copied: 1 GiB, far beyond any cache
SIDE = 8192  # of the matrices that are multiplied
TIMES = 10


class Demand(NamedTuple):
    """What a training step asks for each picture: bytes that must be moved, and operations."""

    moved: float
    operations: float


class Card(NamedTuple):
    """Measured limits of a device: bytes a second, and floating-point operations a second."""

    bandwidth: float
    rate: float

    def floor(self, demand: Demand) -> float:
        """Seconds a picture below which the device cannot be."""
        return max(demand.moved / self.bandwidth, demand.operations / self.rate)


def demand_of(network: nn.Module, images_BCHW: Tensor, bytes_each: int) -> Demand:
    """Count a training step of a network on a batch.

    Operations are those of PyTorch's counter, forward and backward. Bytes: each layer reads its input and
    writes its output once; its backward pass reads the output's gradient and the input and writes the input's
    gradient: so five passes over tensors of about that size, in numbers of `bytes_each`; kernels that fuse
    layers need less.
    """
    sizes: list[int] = []

    def count(module: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
        sizes.append(3 * inputs[0].numel() + 2 * output.numel())

    leaves = [module for module in network.modules() if not list(module.children())]
    hooks = [leaf.register_forward_hook(count) for leaf in leaves]
    with FlopCounterMode(display=False) as counter:
        network(images_BCHW).float().sum().backward()
    for hook in hooks:
        hook.remove()
    network.zero_grad()
    batch = len(images_BCHW)
    return Demand(sum(sizes) * bytes_each / batch, counter.get_total_flops() / batch)


def measure_card(device: torch.device, dtype: torch.dtype, *, copied: int = COPIED, side: int = SIDE) -> Card:
    """Time a large copy, which reads and writes each byte once, and a large matrix product."""
    source = torch.ones(copied, device=device)
    target = torch.empty_like(source)
    copy = _each(lambda: target.copy_(source), device)
    matrix = torch.ones(side, side, device=device, dtype=dtype)
    product = _each(lambda: matrix @ matrix, device)
    return Card(bandwidth=2 * source.nbytes / copy, rate=2 * side**3 / product)


def _each(work: Callable[[], object], device: torch.device) -> float:
    """Seconds of one of `TIMES` calls, after one that does not count."""
    work()
    wait(device)
    started = time.perf_counter()
    for _ in range(TIMES):
        work()
    wait(device)
    return (time.perf_counter() - started) / TIMES
