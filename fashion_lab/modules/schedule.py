"""Fits a learning rate schedule of torch into a run of known length."""

from collections.abc import Callable
from typing import Literal

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler


class Schedule:
    """A schedule, its pace and the name of the argument that takes the length of the run.

    Args:
        scheduler: takes the optimizer (and the length) and gives a torch scheduler.
        interval: whether it advances every step or every epoch.
        length: argument that takes the number of intervals of the run, e.g. `total_steps`; None for none.
    """

    def __init__(
        self,
        *,
        scheduler: Callable[..., LRScheduler],
        interval: Literal["step", "epoch"],
        length: str | None = None,
    ) -> None:
        if interval not in ("step", "epoch"):
            raise ValueError(f"scheduler.interval is {interval!r}; allowed are 'step' and 'epoch'")
        self.scheduler, self.interval, self.length = scheduler, interval, length

    def start(self, optimizer: Optimizer, *, steps: int, epochs: int) -> LRScheduler:
        """Build the torch scheduler for a run of so many steps and epochs."""
        if self.length is None:
            return self.scheduler(optimizer)
        return self.scheduler(optimizer, **{self.length: steps if self.interval == "step" else epochs})
