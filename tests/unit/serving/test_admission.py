"""A bounded queue, bounded times, and doors that close."""

from __future__ import annotations

import asyncio

import pytest

from stylesearch.errors import CatalogLocked
from stylesearch.serving.problems import QueueFull, SearchTimeout, ServiceStopping
from stylesearch.serving.search.queue import Admission


async def hold(admission: Admission, release: asyncio.Event) -> None:
    async with admission.place():
        await release.wait()


def test_beyond_the_queue_nobody_waits() -> None:
    async def run() -> None:
        admission, release = Admission(2, 10), asyncio.Event()
        inside = [asyncio.create_task(hold(admission, release)) for _ in range(2)]
        await asyncio.sleep(0)
        assert admission.n_waiting == 2
        with pytest.raises(QueueFull, match="2 searches are waiting") as caught:
            async with admission.place():
                raise AssertionError("let in")
        assert caught.value.retry_after >= 1
        assert caught.value.hint
        release.set()
        await asyncio.gather(*inside)
        assert admission.n_waiting == 0
        async with admission.place():
            pass

    asyncio.run(run())


def test_whoever_is_served_makes_room_in_the_queue_once() -> None:
    async def run() -> None:
        admission = Admission(1, 10)
        done = []
        async with admission.place() as first:
            first.when_left(lambda: done.append("left"))
            first.leave_queue()
            first.leave_queue()
            assert (admission.n_waiting, done) == (0, ["left"])
            first.when_left(lambda: done.append("late"))
            assert done == ["left", "late"], "what is asked for too late is done at once"
            async with admission.place():
                assert admission.n_waiting == 1
        assert admission.n_waiting == 0

    asyncio.run(run())


def test_whoever_waits_again_is_counted_again_and_each_change_is_told() -> None:
    async def run() -> None:
        told: list[int] = []
        admission = Admission(1, 10, told.append)
        async with admission.place() as place:
            place.wait()  # it does already
            assert told == [1]
            place.leave_queue()
            place.wait()
            assert (admission.n_waiting, told) == (1, [1, 0, 1])
            with pytest.raises(QueueFull):
                async with admission.place():
                    raise AssertionError("let in")
        assert (admission.n_waiting, told) == (0, [1, 0, 1, 0])

    asyncio.run(run())


def test_a_search_that_takes_too_long_is_cancelled() -> None:
    async def run() -> None:
        admission = Admission(1, 0.01)
        with pytest.raises(SearchTimeout, match=r"within 0\.01 seconds"):
            async with admission.place():
                await asyncio.sleep(10)
        assert admission.n_waiting == 0

    asyncio.run(run())


def test_an_error_that_happens_to_be_a_time_out_stays_what_it_is() -> None:
    async def run() -> None:
        with pytest.raises(CatalogLocked):
            async with Admission(1, 10).place():
                raise CatalogLocked("another process is writing")

    asyncio.run(run())


def test_closing_waits_for_those_inside_and_lets_nobody_in() -> None:
    async def run() -> None:
        admission, release = Admission(2, 10), asyncio.Event()
        inside = asyncio.create_task(hold(admission, release))
        await asyncio.sleep(0)
        closing = asyncio.create_task(admission.close())
        await asyncio.sleep(0.01)
        assert not closing.done()
        with pytest.raises(ServiceStopping):
            async with admission.place():
                raise AssertionError("let in")
        release.set()
        await asyncio.gather(inside, closing)

    asyncio.run(run())


@pytest.mark.parametrize(("pace", "expected"), [(0.0, 1.0), (0.5, 1.5), (100.0, 60.0)])
def test_how_long_to_wait_is_what_the_queue_will_take(pace: float, expected: float) -> None:
    async def run() -> None:
        admission, release = Admission(3, 10), asyncio.Event()
        admission.pace = pace
        inside = [asyncio.create_task(hold(admission, release)) for _ in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(QueueFull) as caught:
            async with admission.place():
                raise AssertionError("let in")
        assert caught.value.retry_after == pytest.approx(expected)
        release.set()
        await asyncio.gather(*inside)

    asyncio.run(run())
