"""Work on many things in threads, in order, some ahead of whoever takes the results."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

TASK = 16  # things that a thread does before it hands them over; assumption
AHEAD = 32  # tasks begun before their results are taken: 512 pictures in memory

T = TypeVar("T")
U = TypeVar("U")


def in_threads(
    pool: ThreadPoolExecutor, work: Callable[[Sequence[T]], list[U]], many: Sequence[T]
) -> Iterator[U]:
    """Do work on some at a time, and give the results one by one, in order."""
    tasks = (many[start : start + TASK] for start in range(0, len(many), TASK))
    pending: deque[Future[list[U]]] = deque()
    try:
        while True:
            for task in islice(tasks, AHEAD - len(pending)):
                pending.append(pool.submit(work, task))
            if not pending:
                return
            yield from pending.popleft().result()
    finally:
        for future in pending:
            future.cancel()
