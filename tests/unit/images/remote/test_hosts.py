from __future__ import annotations

import random
from pathlib import Path

import pytest

from stylesearch.images.remote import Fetched, FetchOptions, NotFetched
from stylesearch.images.remote.cache import CachedPicture
from stylesearch.images.remote.hosts import HostQueues, Job, Retry, RetryKind

OPTIONS = FetchOptions(n_per_host=4, n_retries=2, n_postponements=3, n_host_failures=3, backoff_seconds=1.0)
SHOP, OTHER = "https://shop.test", "https://other.test"


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def queues(clock: Clock) -> HostQueues:
    return HostQueues(OPTIONS, clock)


def add(queues: HostQueues, *names: str, host: str = SHOP) -> list[Job]:
    jobs = [Job(f"{host}/{name}", host) for name in names]
    for job in jobs:
        queues.add(job)
    return jobs


def take(queues: HostQueues) -> Job:
    job = queues.take(wait=False)
    assert job is not None
    return job


def take_all(queues: HostQueues) -> list[Job]:
    taken = []
    while (job := queues.take(wait=False)) is not None:
        taken.append(job)
    return taken


def succeed(queues: HostQueues, job: Job) -> None:
    queues.finish(job, Fetched(job.url, Path("x.jpg"), "0" * 64, is_new=True))


def results(queues: HostQueues) -> list[Fetched | NotFetched | None]:
    found = []
    while (job := queues.pop_finished()) is not None:
        found.append(job.result)
    return found


def failure(seconds: float | None = None, kind: RetryKind = RetryKind.CONNECTION) -> Retry:
    return Retry("nobody answered", kind, seconds)


def test_a_host_begins_with_two_and_gets_more_with_each_answer(queues: HostQueues) -> None:
    add(queues, *map(str, range(20)))
    first = take_all(queues)
    assert len(first) == 2
    succeed(queues, first[0])
    assert len(take_all(queues)) == 2
    succeed(queues, first[1])
    assert len(take_all(queues)) == 2
    assert queues.n_waiting == 14


def test_a_host_never_gets_more_than_its_limit(queues: HostQueues) -> None:
    add(queues, *map(str, range(40)))
    running = take_all(queues)
    for _ in range(20):
        succeed(queues, running.pop(0))
        running += take_all(queues)
    assert len(running) == OPTIONS.n_per_host


def test_hosts_take_turns(queues: HostQueues) -> None:
    add(queues, "1", "2", "3")
    add(queues, "1", "2", host=OTHER)
    assert [job.host for job in take_all(queues)] == [SHOP, OTHER, SHOP, OTHER]


def test_a_failed_connection_pauses_its_host_and_no_other(queues: HostQueues, clock: Clock) -> None:
    add(queues, "1", "2", "3")
    add(queues, "1", host=OTHER)
    queues.finish(take(queues), failure())
    assert [job.host for job in take_all(queues)] == [OTHER]
    clock.now += OPTIONS.backoff_seconds
    assert len(take_all(queues)) == 1  # one at a time, until there is an answer


def test_pauses_double_with_some_jitter(queues: HostQueues, clock: Clock) -> None:
    add(queues, "1")
    error = failure(kind=RetryKind.ANSWER)
    queues.finish(take(queues), error)
    clock.now += 0.49
    assert queues.take(wait=False) is None
    clock.now += 0.51
    queues.finish(take(queues), error)
    clock.now += 0.99
    assert queues.take(wait=False) is None
    clock.now += 1.01
    queues.finish(take(queues), error)
    assert results(queues) == [NotFetched(f"{SHOP}/1", "nobody answered (asked 3 times)")]


def test_a_pause_lasts_as_long_as_the_host_asks_for_but_no_longer_than_the_limit(
    queues: HostQueues, clock: Clock
) -> None:
    add(queues, "1")
    queues.finish(take(queues), failure(7.0, RetryKind.LATER))
    clock.now += 6.9
    assert queues.take(wait=False) is None
    clock.now += 0.1
    queues.finish(take(queues), failure(9999.0, RetryKind.LATER))
    clock.now += OPTIONS.max_pause_seconds
    assert take(queues).url == f"{SHOP}/1"


def test_a_host_that_fails_again_and_again_is_given_up(queues: HostQueues, clock: Clock) -> None:
    add(queues, *"123456")
    for _ in range(OPTIONS.n_host_failures):
        queues.finish(take(queues), failure())
        clock.now += 60.0
    failed = results(queues)
    assert len(failed) == 6
    assert queues.take(wait=False) is None
    reasons = {one.reason for one in failed if isinstance(one, NotFetched)}
    assert reasons == {
        "nobody answered",
        f"{SHOP} was given up after 3 failures in a row (the last: nobody answered)",
    }
    add(queues, "7")
    assert len(results(queues)) == 1  # at once


def test_failures_at_the_same_time_count_once(queues: HostQueues, clock: Clock) -> None:
    add(queues, *map(str, range(20)))
    running = take_all(queues)
    for _ in range(4):
        succeed(queues, running.pop(0))
        running += take_all(queues)
    results(queues)
    clock.now += 1.0
    assert len(running) == 4
    for job in running:
        queues.finish(job, failure())
    assert results(queues) == []
    clock.now += 60.0
    assert len(take_all(queues)) == 1


def test_an_answer_in_between_ends_the_row_of_failures(queues: HostQueues, clock: Clock) -> None:
    add(queues, *map(str, range(12)))
    for _ in range(5):
        queues.finish(take(queues), failure())
        clock.now += 60.0
        succeed(queues, take(queues))
    assert all(isinstance(one, Fetched) for one in results(queues))


def test_a_host_that_always_asks_to_come_back_later_is_given_up(queues: HostQueues, clock: Clock) -> None:
    add(queues, *"123456")
    for _ in range(OPTIONS.n_postponements + 1):
        assert results(queues) == []
        queues.finish(take(queues), failure(1.0, RetryKind.LATER))
        clock.now += 60.0
    assert len(results(queues)) == 6


def test_what_cannot_be_asked_for_is_what_the_cache_has(queues: HostQueues, clock: Clock) -> None:
    cached = CachedPicture(f"{SHOP}/1", Path("old.jpg"), "1" * 64, 10, None, None, 5.0)
    queues.add(Job(cached.url, SHOP, cached))
    for _ in range(OPTIONS.n_host_failures):
        queues.finish(take(queues), failure())
        clock.now += 60.0
    assert results(queues) == [Fetched(cached.url, cached.path, cached.sha256, False, "nobody answered")]


def test_pictures_that_hang_next_to_each_other_do_not_give_their_host_up(
    queues: HostQueues, clock: Clock
) -> None:
    random.seed(0)
    hanging = {job.url for job in add(queues, "a", "b", "c", "d")}
    add(queues, *map(str, range(60)))
    for _ in range(100):
        for job in take_all(queues):
            if job.url in hanging:
                queues.finish(job, failure())
            else:
                succeed(queues, job)
        clock.now += 60.0
    assert sum(isinstance(one, Fetched) for one in results(queues)) == 60


def test_an_error_takes_one_of_the_pictures_at_once_away(queues: HostQueues) -> None:
    add(queues, *map(str, range(20)))
    for job in take_all(queues):
        queues.finish(job, failure(kind=RetryKind.ANSWER))
    assert len(take_all(queues)) == 1


def test_closed_queues_hand_out_nothing(queues: HostQueues) -> None:
    add(queues, "1")
    queues.close()
    assert queues.take() is None


def test_an_error_of_a_thread_is_raised_where_results_are_taken(queues: HostQueues) -> None:
    queues.stop(OSError("disk full"))
    queues.wait_for_finished()
    with pytest.raises(OSError, match="disk full"):
        queues.pop_finished()
