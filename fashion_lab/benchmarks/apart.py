"""Another way in a process of its own: what ours sets for its whole process, it does not get."""

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context, get_start_method, set_start_method
from typing import Self


class Apart:
    """Calls something in another process, again and again.

    Args:
        make: gives it, there; has to be picklable.
    """

    def __init__(self, make: Callable[[], Callable[[], object]]) -> None:
        self._pool = ProcessPoolExecutor(
            max_workers=1,
            mp_context=get_context("spawn"),
            initializer=_begin,
            initargs=(make, get_start_method()),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __call__(self) -> None:
        """Call it, and wait for its end. What it raises is raised here."""
        self._pool.submit(_call).result()

    def close(self) -> None:
        """End the process."""
        self._pool.shutdown()


_made: list[Callable[[], object]] = []


def _begin(make: Callable[[], Callable[[], object]], start_method: str) -> None:
    set_start_method(start_method, force=True)  # of its own processes: as anywhere, not as this one
    _made.append(make())


def _call() -> None:
    _made[-1]()
