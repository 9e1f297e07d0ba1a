"""Queries that come together share one forward pass."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fashion_lab.visual_search import VisualSearch
from fashion_lab.web.pool import Pool
from fashion_lab.web.refusals import Busy
from fashion_lab.web.settings import Batch

Classes: TypeAlias = Sequence[tuple[str, float]]


class Embedded(NamedTuple):
    """What the encoder says about a picture: its vector [D], and class probabilities where it has a head."""

    vector_D: NDArray[np.float32]
    classes: Classes | None


@dataclass(eq=False)
class _Job:
    finder: VisualSearch
    pixels_CHW: NDArray[np.uint8]
    classify: bool
    answer: "asyncio.Future[Embedded]"


class Batcher:
    """Collects pictures while a forward pass runs, and for a few milliseconds where more are on their way.

    Args:
        settings: size, patience and room.
        observe: is told the size of each batch.
    """

    def __init__(self, settings: Batch, observe: Callable[[int], None] = lambda size: None) -> None:
        self._settings, self._observe = settings, observe
        self._jobs: asyncio.Queue[_Job] = asyncio.Queue(settings.waiting)
        self._thread = Pool("embed", threads=1, waiting=0)
        self._coming = 0

    @property
    def waiting(self) -> int:
        """Count the pictures that wait for a pass."""
        return self._jobs.qsize()

    @contextmanager
    def announced(self) -> Iterator[None]:
        """Say that a picture is on its way: others wait for it, but not for long."""
        self._coming += 1
        try:
            yield
        finally:
            self._coming -= 1

    async def embed(
        self, finder: VisualSearch, pixels_CHW: NDArray[np.uint8], *, classify: bool = False
    ) -> Embedded:
        """Embed a prepared picture, together with others. Raises Busy where too many wait already."""
        answer: asyncio.Future[Embedded] = asyncio.get_running_loop().create_future()
        try:
            self._jobs.put_nowait(_Job(finder, pixels_CHW, classify, answer))
        except asyncio.QueueFull:
            raise Busy from None
        return await answer

    async def run(self) -> None:
        """Serve for ever; cancel it to stop."""
        try:
            while True:
                await self._pass(await self._collect())
        finally:
            self._thread.close()

    async def _collect(self) -> list[_Job]:
        jobs = [await self._jobs.get()]
        loop = asyncio.get_running_loop()
        end = loop.time() + self._settings.wait_ms / 1000
        while len(jobs) < self._settings.size:
            if self._jobs.empty() and (not self._coming or loop.time() >= end):
                break
            try:
                async with asyncio.timeout_at(end if self._jobs.empty() else None):
                    jobs.append(await self._jobs.get())
            except TimeoutError:
                break
        return [job for job in jobs if not job.answer.done()]  # done: its client has gone

    async def _pass(self, jobs: Sequence[_Job]) -> None:
        """Embed each snapshot's pictures together; usually there is one snapshot."""
        for finder in {id(job.finder): job.finder for job in jobs}.values():
            own = [job for job in jobs if job.finder is finder]
            self._observe(len(own))
            try:
                answers: Sequence[Embedded | Exception] = await self._thread.run(_embed, finder, own)
            except Exception as error:
                answers = [error] * len(own)
            for job, answer in zip(own, answers, strict=True):
                if job.answer.done():
                    continue
                if isinstance(answer, Exception):
                    job.answer.set_exception(answer)
                else:
                    job.answer.set_result(answer)


def _embed(finder: VisualSearch, jobs: Sequence[_Job]) -> list[Embedded]:
    vectors_QD = finder.encode([job.pixels_CHW for job in jobs])
    asking = [job for job in jobs if job.classify]
    told = finder.classify([job.pixels_CHW for job in asking]) if asking else None
    classes = dict(zip(map(id, asking), told or [], strict=False))
    return [Embedded(vector_D, classes.get(id(job))) for job, vector_D in zip(jobs, vectors_QD, strict=True)]
