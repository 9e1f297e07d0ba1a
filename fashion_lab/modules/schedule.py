"""Fits a learning rate schedule of torch into a run of known length."""

from collections.abc import Callable
from typing import Any, Literal

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

PEAK = "max_lr"  # what OneCycleLR and CyclicLR call the highest learning rate, one for each group


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
        """Build the torch scheduler for a run of so many steps and epochs.

        Groups of the optimizer keep the ratio of their learning rates, also where the schedule sets a peak.
        """
        options: dict[str, Any] = {}
        if self.length is not None:
            options[self.length] = steps if self.interval == "step" else epochs
        peak = getattr(self.scheduler, "keywords", {}).get(PEAK)
        rates = [group["lr"] for group in optimizer.param_groups]
        if peak is not None and len(set(rates)) > 1:
            options[PEAK] = [peak * rate / optimizer.defaults["lr"] for rate in rates]
        return self.scheduler(optimizer, **options)
