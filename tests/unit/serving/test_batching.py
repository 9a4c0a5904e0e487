"""First come, first served, several in one call, and nothing for those who have gone."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from stylesearch.errors import ExtractorError
from stylesearch.serving.search.batcher import Batcher

Numbers = npt.NDArray[Any]


class Recorder:
    """Stands in for an extractor: notes what it is given, and can be held up."""

    def __init__(self) -> None:
        self.calls: list[list[int]] = []
        self.go_on = threading.Event()
        self.go_on.set()
        self.failure: Exception | None = None

    def extract(self, images: Numbers) -> Numbers:
        self.calls.append([int(image.flat[0]) for image in images])
        assert self.go_on.wait(10)
        if self.failure:
            raise self.failure
        return np.stack([np.full(2, image.flat[0], np.float32) for image in images])


def photo(number: int, n_regions: int = 1) -> npt.NDArray[np.uint8]:
    return np.full((n_regions, 2, 2, 3), number, np.uint8)


def run(scenario: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(scenario, 20))


def batcher(pool: ThreadPoolExecutor, **changes: Any) -> Batcher:
    return Batcher(pool, **{"batch_size": 4, "batch_wait": 0.0, "n_at_once": 1, **changes})


async def until(condition: Any) -> None:
    while not condition():
        await asyncio.sleep(0.001)


@pytest.fixture
def pool() -> Any:
    with ThreadPoolExecutor(2) as threads:
        yield threads


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


def test_what_came_while_one_is_computed_goes_together_in_order(
    pool: ThreadPoolExecutor, recorder: Recorder
) -> None:
    async def scenario() -> None:
        sizes: list[int] = []
        waits = batcher(pool, observe=sizes.append)
        recorder.go_on.clear()
        tasks = []
        for number in range(8):
            tasks.append(asyncio.create_task(waits.compute(recorder, photo(number))))  # type: ignore[arg-type]
            await asyncio.sleep(0)
        await until(lambda: recorder.calls)
        assert waits.n_waiting == 7
        recorder.go_on.set()
        found = await asyncio.gather(*tasks)
        assert recorder.calls == [[0], [1, 2, 3, 4], [5, 6, 7]]
        assert sizes == [1, 4, 3]
        assert [one.features[0, 0] for one in found] == list(range(8))
        assert all(one.seconds >= 0 for one in found)
        assert waits.n_waiting == 0

    run(scenario())


def test_each_gets_the_features_of_its_own_regions(pool: ThreadPoolExecutor, recorder: Recorder) -> None:
    async def scenario() -> None:
        waits = batcher(pool)
        recorder.go_on.clear()
        first = asyncio.create_task(waits.compute(recorder, photo(9)))  # type: ignore[arg-type]
        others = [
            asyncio.create_task(waits.compute(recorder, photo(n, n)))  # type: ignore[arg-type]
            for n in (3, 1, 2)
        ]
        await until(lambda: waits.n_waiting == 3)
        recorder.go_on.set()
        await first
        for n, task in zip((3, 1, 2), others, strict=True):
            assert np.array_equal((await task).features, np.full((n, 2), n))

    run(scenario())


def test_what_nobody_waits_for_is_not_computed(pool: ThreadPoolExecutor, recorder: Recorder) -> None:
    async def scenario() -> None:
        waits = batcher(pool)
        recorder.go_on.clear()
        tasks = [asyncio.create_task(waits.compute(recorder, photo(n))) for n in range(4)]  # type: ignore[arg-type]
        await until(lambda: recorder.calls)
        tasks[1].cancel()
        tasks[2].cancel()
        await asyncio.sleep(0)
        assert waits.n_waiting == 1
        recorder.go_on.set()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert recorder.calls == [[0], [3]]
        assert tasks[1].cancelled()

    run(scenario())


def test_one_that_goes_while_it_is_computed_does_not_take_the_others_along(
    pool: ThreadPoolExecutor, recorder: Recorder
) -> None:
    async def scenario() -> None:
        waits = batcher(pool)
        recorder.go_on.clear()
        begun: list[int] = []
        tasks = [
            asyncio.create_task(waits.compute(recorder, photo(n), lambda n=n: begun.append(n)))  # type: ignore
            for n in range(3)
        ]
        await until(lambda: recorder.calls == [[0]])
        assert begun == [0]
        recorder.go_on.set()
        await tasks[0]
        recorder.go_on.clear()
        await until(lambda: begun == [0, 1, 2])
        tasks[1].cancel()
        await asyncio.sleep(0)
        recorder.go_on.set()
        assert (await tasks[2]).features[0, 0] == 2

    run(scenario())


def test_an_error_reaches_all_of_its_call_and_no_other(pool: ThreadPoolExecutor, recorder: Recorder) -> None:
    async def scenario() -> None:
        waits = batcher(pool, batch_size=2)
        recorder.go_on.clear()
        tasks = [asyncio.create_task(waits.compute(recorder, photo(n))) for n in range(3)]  # type: ignore[arg-type]
        await until(lambda: recorder.calls)
        recorder.failure = ExtractorError("no")
        recorder.go_on.set()
        found = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(one, ExtractorError) for one in found)
        recorder.failure = None
        again = await waits.compute(recorder, photo(7))  # type: ignore[arg-type]
        assert again.features[0, 0] == 7

    run(scenario())


def test_photos_of_another_extractor_are_not_mixed_in(pool: ThreadPoolExecutor, recorder: Recorder) -> None:
    async def scenario() -> None:
        other = Recorder()
        waits = batcher(pool)
        recorder.go_on.clear()
        which = [recorder, recorder, other, recorder]
        tasks = [asyncio.create_task(waits.compute(one, photo(n))) for n, one in enumerate(which)]  # type: ignore[arg-type]
        await until(lambda: recorder.calls)
        recorder.go_on.set()
        await asyncio.gather(*tasks)
        assert recorder.calls == [[0], [1], [3]], "order goes before company"
        assert other.calls == [[2]]

    run(scenario())


def test_a_lone_photo_waits_for_others_only_when_some_are_coming(
    pool: ThreadPoolExecutor, recorder: Recorder
) -> None:
    async def scenario() -> None:
        coming = True
        waits = batcher(pool, batch_wait=5.0, more_coming=lambda: coming)
        first = asyncio.create_task(waits.compute(recorder, photo(1)))  # type: ignore[arg-type]
        await asyncio.sleep(0.02)
        assert recorder.calls == []
        second = asyncio.create_task(waits.compute(recorder, photo(2)))  # type: ignore[arg-type]
        await asyncio.sleep(0)
        coming = False
        waits.start_batches()
        await asyncio.gather(first, second)
        assert recorder.calls == [[1, 2]]
        await waits.compute(recorder, photo(3))  # type: ignore[arg-type]
        assert recorder.calls[-1] == [3]

    run(scenario())


def test_what_others_were_waited_for_in_vain_begins_all_the_same(
    pool: ThreadPoolExecutor, recorder: Recorder
) -> None:
    async def scenario() -> None:
        waits = batcher(pool, batch_wait=0.02, more_coming=lambda: True)
        await waits.compute(recorder, photo(1))  # type: ignore[arg-type]
        assert recorder.calls == [[1]]

    run(scenario())


def test_several_calls_run_at_once_when_the_extractor_likes_that(
    pool: ThreadPoolExecutor, recorder: Recorder
) -> None:
    async def scenario() -> None:
        waits = batcher(pool, n_at_once=2, batch_size=1)
        recorder.go_on.clear()
        tasks = [asyncio.create_task(waits.compute(recorder, photo(n))) for n in range(3)]  # type: ignore[arg-type]
        await until(lambda: len(recorder.calls) == 2)
        assert waits.n_waiting == 1
        recorder.go_on.set()
        await asyncio.gather(*tasks)
        assert sorted(recorder.calls) == [[0], [1], [2]]

    run(scenario())


def test_a_call_with_enough_regions_takes_no_further_photo(
    pool: ThreadPoolExecutor, recorder: Recorder
) -> None:
    async def scenario() -> None:
        waits = batcher(pool, enough_images=4, batch_wait=5.0, more_coming=lambda: True)
        recorder.go_on.clear()
        sizes = [6, 2, 2, 1, 4]
        tasks = [
            asyncio.create_task(waits.compute(recorder, photo(n, size)))  # type: ignore[arg-type]
            for n, size in enumerate(sizes)
        ]
        await until(lambda: recorder.calls)
        recorder.go_on.set()
        await asyncio.gather(*tasks)
        assert recorder.calls == [[0] * 6, [1, 1, 2, 2], [3], [4] * 4]

    run(scenario())
