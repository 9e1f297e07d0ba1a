"""Times two ways side by side: in turns in one process, so that a slow minute of the machine hits both."""

import statistics
import time
from collections.abc import Callable, Mapping


def seconds(work: Callable[[], object], *, clock: Callable[[], float] = time.perf_counter) -> float:
    """Time one call: on the wall, or with `time.process_time` the work of all cores, waiting left out."""
    started = clock()
    work()
    return clock() - started


def in_turns(
    ways: Mapping[str, Callable[[], object]],
    *,
    rounds: int,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, float]:
    """Give the median seconds of each way, after one round that does not count."""
    for work in ways.values():
        work()
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, work in ways.items():
            times[name].append(seconds(work, clock=clock))
    return {name: statistics.median(values) for name, values in times.items()}
