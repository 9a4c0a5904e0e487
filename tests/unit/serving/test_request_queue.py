"""A bounded queue, bounded times, and doors that close."""

from __future__ import annotations

import asyncio

import pytest

from stylesearch.errors import CatalogLocked
from stylesearch.serving.problems import QueueFull, SearchTimeout, ServiceStopping
from stylesearch.serving.search.queue import RequestQueue


async def hold(queue: RequestQueue, release: asyncio.Event) -> None:
    async with queue.enter():
        await release.wait()


def test_beyond_the_queue_nobody_waits() -> None:
    async def run() -> None:
        queue, release = RequestQueue(2, 10), asyncio.Event()
        inside = [asyncio.create_task(hold(queue, release)) for _ in range(2)]
        await asyncio.sleep(0)
        assert queue.n_waiting == 2
        with pytest.raises(QueueFull, match="2 searches are waiting") as caught:
            async with queue.enter():
                raise AssertionError("let in")
        assert caught.value.retry_after >= 1
        assert caught.value.hint
        release.set()
        await asyncio.gather(*inside)
        assert queue.n_waiting == 0
        async with queue.enter():
            pass

    asyncio.run(run())


def test_whoever_is_served_makes_room_in_the_queue_once() -> None:
    async def run() -> None:
        queue = RequestQueue(1, 10)
        done = []
        async with queue.enter() as first:
            first.on_leave(lambda: done.append("left"))
            first.leave()
            first.leave()
            assert (queue.n_waiting, done) == (0, ["left"])
            first.on_leave(lambda: done.append("late"))
            assert done == ["left", "late"], "what is asked for too late is done at once"
            async with queue.enter():
                assert queue.n_waiting == 1
        assert queue.n_waiting == 0

    asyncio.run(run())


def test_whoever_waits_again_is_counted_again_and_each_change_is_told() -> None:
    async def run() -> None:
        told: list[int] = []
        queue = RequestQueue(1, 10, told.append)
        async with queue.enter() as ticket:
            ticket.wait()  # it does already
            assert told == [1]
            ticket.leave()
            ticket.wait()
            assert (queue.n_waiting, told) == (1, [1, 0, 1])
            with pytest.raises(QueueFull):
                async with queue.enter():
                    raise AssertionError("let in")
        assert (queue.n_waiting, told) == (0, [1, 0, 1, 0])

    asyncio.run(run())


def test_a_search_that_takes_too_long_is_cancelled() -> None:
    async def run() -> None:
        queue = RequestQueue(1, 0.01)
        with pytest.raises(SearchTimeout, match=r"within 0\.01 seconds"):
            async with queue.enter():
                await asyncio.sleep(10)
        assert queue.n_waiting == 0

    asyncio.run(run())


def test_an_error_that_happens_to_be_a_time_out_stays_what_it_is() -> None:
    async def run() -> None:
        with pytest.raises(CatalogLocked):
            async with RequestQueue(1, 10).enter():
                raise CatalogLocked("another process is writing")

    asyncio.run(run())


def test_closing_waits_for_those_inside_and_lets_nobody_in() -> None:
    async def run() -> None:
        queue, release = RequestQueue(2, 10), asyncio.Event()
        inside = asyncio.create_task(hold(queue, release))
        await asyncio.sleep(0)
        closing = asyncio.create_task(queue.close())
        await asyncio.sleep(0.01)
        assert not closing.done()
        with pytest.raises(ServiceStopping):
            async with queue.enter():
                raise AssertionError("let in")
        release.set()
        await asyncio.gather(inside, closing)

    asyncio.run(run())


@pytest.mark.parametrize(("pace", "expected"), [(0.0, 1.0), (0.5, 1.5), (100.0, 60.0)])
def test_how_long_to_wait_is_what_the_queue_will_take(pace: float, expected: float) -> None:
    async def run() -> None:
        queue, release = RequestQueue(3, 10), asyncio.Event()
        queue.pace = pace
        inside = [asyncio.create_task(hold(queue, release)) for _ in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(QueueFull) as caught:
            async with queue.enter():
                raise AssertionError("let in")
        assert caught.value.retry_after == pytest.approx(expected)
        release.set()
        await asyncio.gather(*inside)

    asyncio.run(run())
