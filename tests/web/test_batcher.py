"""Queries that come together share a forward pass."""

import asyncio
import threading

import numpy as np
import pytest
import store

from fashion_lab.web.batcher import Batcher
from fashion_lab.web.refusals import Busy
from fashion_lab.web.settings import Batch


def pixels(shade):
    return np.full((3, store.SIZE, store.SIZE), shade, dtype=np.uint8)


def play(story, **settings):
    """Run an async story(batcher, sizes) beside a batcher."""
    sizes = []

    async def scene():
        batcher = Batcher(Batch(**settings), sizes.append)
        running = asyncio.create_task(batcher.run())
        try:
            return await asyncio.wait_for(story(batcher), 20)
        finally:
            running.cancel()

    return asyncio.run(scene()), sizes


def test_everybody_gets_their_own_answer(search):
    async def story(batcher):
        return await asyncio.gather(
            *(batcher.embed(search, pixels(n), classify=n % 2 == 0) for n in range(100))
        )

    answers, sizes = play(story, size=16)
    assert [answer.vector_D.tolist() for answer in answers] == [[n] * 3 for n in range(100)]
    assert [answer.classes is None for answer in answers] == [n % 2 == 1 for n in range(100)]
    assert dict(answers[50].classes)["light"] == pytest.approx(50 / 255)
    assert sum(sizes) == 100
    assert max(sizes) == 16
    assert len(sizes) == 7


def test_a_size_of_one_is_no_batching(search):
    async def story(batcher):
        await asyncio.gather(*(batcher.embed(search, pixels(n)) for n in range(5)))

    assert play(story, size=1)[1] == [1] * 5


def test_one_that_is_announced_is_waited_for_and_only_for_so_long(search):
    async def story(batcher):
        async def late(pause):
            with batcher.announced():
                await asyncio.sleep(pause)
            await batcher.embed(search, pixels(2))

        await asyncio.gather(batcher.embed(search, pixels(1)), late(0.05))
        await asyncio.gather(batcher.embed(search, pixels(1)), late(1.5))

    assert play(story, wait_ms=700)[1] == [2, 1, 1]


def test_alone_nobody_waits(search):
    async def story(batcher):
        start = asyncio.get_running_loop().time()
        await batcher.embed(search, pixels(1))
        return asyncio.get_running_loop().time() - start

    assert play(story, wait_ms=1000)[0] < 0.9


def test_two_snapshots_are_never_one_batch(items, search):
    other = store.finder(items, Louder())

    async def story(batcher):
        both = [batcher.embed(finder, pixels(5)) for finder in (search, other, search, other)]
        return [answer.vector_D[0] for answer in await asyncio.gather(*both)]

    answers, sizes = play(story)
    assert answers == [5, 105, 5, 105]
    assert sizes == [2, 2]


class Louder(store.MeanColour):
    def embed(self, pixels_NCHW):
        return super().embed(pixels_NCHW) + 100


class Gated(store.MeanColour):
    """Waits for a sign."""

    def __init__(self):
        self.gate = threading.Event()

    def embed(self, pixels_NCHW):
        self.gate.wait(10)
        return super().embed(pixels_NCHW)


def test_the_queue_has_an_end_and_empties_again(items):
    encoder = Gated()
    search = store.finder(items, store.MeanColour())
    search.encoder = encoder

    async def story(batcher):
        calls = [asyncio.create_task(batcher.embed(search, pixels(n))) for n in range(8)]
        await asyncio.sleep(0.1)
        refused = [call for call in calls if call.done() and isinstance(call.exception(), Busy)]
        calls[0].cancel()  # a client that goes away spoils nothing for the others
        encoder.gate.set()
        answers = await asyncio.gather(*calls, return_exceptions=True)
        return len(refused), sum(isinstance(answer, tuple) for answer in answers), batcher.waiting

    (refused, answered, waiting), _ = play(story, size=1, waiting=3)
    assert (refused, waiting) == (5, 0)
    assert answered >= 2


def test_an_encoder_that_fails_fails_its_batch_and_no_other(search):
    async def story(batcher):
        with pytest.raises(ValueError, match="all input arrays must have the same shape"):
            await asyncio.gather(
                batcher.embed(search, pixels(1)), batcher.embed(search, np.zeros((3, 9, 9), dtype=np.uint8))
            )
        return await batcher.embed(search, pixels(7))

    assert play(story)[0].vector_D.tolist() == [7] * 3
