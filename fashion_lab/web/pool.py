"""Threads for work that would hold up the event loop, with room for so many waiting and no more."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from fashion_lab.web.refusals import Busy

P = ParamSpec("P")
T = TypeVar("T")


class Pool:
    """Runs functions in `threads` threads.

    Attributes:
        waiting: calls that wait for a thread or run.
    """

    def __init__(self, name: str, threads: int, waiting: int) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._room = threads + waiting
        self.waiting = 0

    async def run(self, work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run it when its turn comes. Raises Busy where too many wait already."""
        if self.waiting >= self._room:
            raise Busy
        self.waiting += 1
        # Counted until it is done, not until its client stops waiting: a cancelled call still has its thread.
        call = asyncio.get_running_loop().run_in_executor(self._threads, lambda: work(*args, **kwargs))
        call.add_done_callback(self._done)
        return await asyncio.shield(call)

    def _done(self, call: "asyncio.Future[T]") -> None:
        self.waiting -= 1
        if not call.cancelled():
            call.exception()  # taken note of, also where the client has gone

    def close(self) -> None:
        """Start nothing more."""
        self._threads.shutdown(wait=False, cancel_futures=True)
