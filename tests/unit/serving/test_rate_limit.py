import asyncio

import pytest

from stylesearch.serving.middleware.hosts import ClientAddresses
from stylesearch.serving.middleware.limits import RateLimit, TokenBuckets, count_photos
from stylesearch.serving.problems import Problem
from tests.unit.serving.asgi import call, scope_of


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_burst_then_so_many_a_minute() -> None:
    clock = Clock()
    buckets = TokenBuckets(120, clock=clock)  # two a second, twenty at once
    assert [buckets.take("a") for _ in range(20)] == [0.0] * 20
    assert buckets.take("a") == pytest.approx(0.5)
    assert buckets.take("b") == 0.0
    clock.now += 0.5
    assert buckets.take("a") == 0.0
    assert buckets.take("a") == pytest.approx(0.5)
    granted = 0
    for _ in range(600):
        clock.now += 0.1
        granted += buckets.take("a") == 0.0
    assert granted == pytest.approx(120, abs=2)


def test_a_bucket_does_not_overflow() -> None:
    clock = Clock()
    buckets = TokenBuckets(60, clock=clock)
    buckets.take("a")
    clock.now += 3600
    assert sum(buckets.take("a") == 0.0 for _ in range(100)) == 10


def test_memory_is_bounded_and_the_busy_are_remembered() -> None:
    buckets = TokenBuckets(60, max_clients=100, clock=Clock())
    for number in range(1000):
        buckets.take(f"client {number}")
        buckets.take("busy")
    assert len(buckets) == 100
    assert buckets.take("busy") > 0


async def answers(scope: object, receive: object, send: object) -> None:
    return None


def test_who_asks_too_often_is_told_when_to_come_back() -> None:
    async def run() -> None:
        app = RateLimit(answers, 60, ClientAddresses())
        for _ in range(10):
            await call(app, scope_of("/v1/search", method="POST"))
        with pytest.raises(Problem) as raised:
            await call(app, scope_of("/v1/products"))
        assert raised.value.status == 429
        assert int(raised.value.headers["Retry-After"]) >= 1
        await call(app, scope_of("/v1/search", client=("192.0.2.2", 1)))
        for path in ("/", "/assets/app.js", "/health", f"/v1/images/{'a' * 64}/thumbnail"):
            await call(app, scope_of(path))

    asyncio.run(run())


def test_more_than_a_bucket_holds_is_owed_and_not_refused_for_ever() -> None:
    clock = Clock()
    buckets = TokenBuckets(30, clock=clock)  # one in two seconds, five at once
    assert buckets.take("a") == buckets.take("a", 15) == 0.0
    assert buckets.take("a") == pytest.approx((1 + 11) * 2)
    clock.now += 24
    assert buckets.take("a") == 0.0
    assert buckets.take("a", 15) == pytest.approx(4 * 2)


def test_each_photo_of_a_batch_counts_as_a_request() -> None:
    async def batch(scope: dict[str, object], receive: object, send: object) -> None:
        count_photos(scope, 8)

    async def run() -> None:
        app = RateLimit(batch, 60, ClientAddresses())
        await call(app, scope_of("/v1/search/batch", method="POST"))
        with pytest.raises(Problem) as raised:
            await call(app, scope_of("/v1/search/batch", method="POST"))
        assert raised.value.status == 429
        assert int(raised.value.headers["Retry-After"]) in (
            6,
            7,
        )  # two are left, one is taken and comes again

    asyncio.run(run())
    count_photos(scope_of(), 16)  # no limit, no count
