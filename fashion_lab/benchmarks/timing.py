"""Times two ways side by side: in turns in one process, so that a slow minute of the machine hits both."""

import statistics
import time
from collections.abc import Callable, Mapping
from functools import partial

import torch


def seconds(work: Callable[[], object], *, clock: Callable[[], float] = time.perf_counter) -> float:
    """Time one call: on the wall, or with `time.process_time` the work of all cores, waiting left out."""
    started = clock()
    work()
    return clock() - started


def wait(device: torch.device) -> None:
    """Let a GPU end what it was told to do; a CPU always has."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def in_turns(
    ways: Mapping[str, Callable[[], object]],
    *,
    rounds: int,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, float]:
    """Give the median seconds of each way, after one round that does not count."""
    return medians({name: partial(seconds, work, clock=clock) for name, work in ways.items()}, rounds=rounds)


def medians(ways: Mapping[str, Callable[[], float]], *, rounds: int) -> dict[str, float]:
    """Give the median of what each way measures by itself, after one round that does not count."""
    for measure in ways.values():
        measure()
    values: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, measure in ways.items():
            values[name].append(measure())
    return {name: statistics.median(measured) for name, measured in values.items()}
