"""Which picture is to be fetched next: limits, pauses and failures by host.

A host begins with two pictures at once and gets one more with each that is fetched, and one less with each
error; a failed connection takes it back to one, so a host that is dead holds few of the threads that fetch.
Pauses hold none.
"""

from __future__ import annotations

import collections
import enum
import heapq
import itertools
import math
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from stylesearch.images.remote.cache import CachedPicture
from stylesearch.images.remote.values import Fetched, FetchOptions, NotFetched

__all__ = ["HostQueues", "Job", "Retry", "RetryKind"]

AT_ONCE_AT_FIRST: Final = 2


class RetryKind(enum.Enum):
    """What went wrong in an attempt that may succeed later.

    Attributes:
        CONNECTION: no answer: nobody listens, or in time.
        LATER: the host asks to come back later.
        ANSWER: an answer that is an error, or cut off.
    """

    CONNECTION = enum.auto()
    LATER = enum.auto()
    ANSWER = enum.auto()


@dataclass(frozen=True, slots=True)
class Retry:
    """An attempt that failed in a way that may pass.

    Attributes:
        reason: what happened, for a person.
        kind: what sort of failure it is.
        seconds: how long the host wants to be left alone, if it says so.
    """

    reason: str
    kind: RetryKind
    seconds: float | None = None


@dataclass(slots=True, eq=False)
class Job:
    """A picture that is to be fetched.

    Attributes:
        url: its URL.
        host: what limits hold for: scheme, host and port, or scheme and bucket.
        cached: the picture that the cache has of the URL.
        items: what it was asked for by; for whoever added the job.
        result: what became of it, once it is finished.
        n_failures, n_postponements: how often it failed so far, and how often the host asked to come back
            later.
        began: when its last attempt began, by the clock of the queues.
        holds_host: whether it counts for the limit of its host.
    """

    url: str
    host: str
    cached: CachedPicture | None = None
    items: list[Any] = field(default_factory=list)
    result: Fetched | NotFetched | None = None
    n_failures: int = 0
    n_postponements: int = 0
    began: float = 0.0
    holds_host: bool = False


@dataclass(slots=True)
class _Host:
    """The state of a host.

    Attributes:
        waiting: jobs that can begin.
        paused: moment, number and job of those that wait for their retry; a heap.
        n_running: jobs that have begun.
        limit: how many may.
        pause_ends: until when none may begin.
        n_failures, n_postponements: how often in a row it could not be connected to, or asked to come back
            later; of jobs that were under way together only one counts.
        failed_at: when the last failure of a row was noticed.
        given_up: why nothing more is asked of it.
    """

    limit: int
    waiting: collections.deque[Job] = field(default_factory=collections.deque)
    paused: list[tuple[float, int, Job]] = field(default_factory=list)
    n_running: int = 0
    pause_ends: float = 0.0
    n_failures: int = 0
    n_postponements: int = 0
    failed_at: float = -math.inf
    given_up: str | None = None


class HostQueues:
    """Jobs by host, handed to threads that fetch; all methods can be called from any thread.

    Args:
        options: limits and pauses.
        clock: seconds, rising.
    """

    def __init__(self, options: FetchOptions, clock: Callable[[], float] = time.monotonic) -> None:
        self._options = options
        self._clock = clock
        self._hosts: dict[str, _Host] = {}
        self._with_jobs: collections.OrderedDict[str, _Host] = collections.OrderedDict()
        self._finished: collections.deque[Job] = collections.deque()
        self._counter = itertools.count()
        self._is_closed = False
        self._error: BaseException | None = None
        lock = threading.RLock()
        self._can_take = threading.Condition(lock)
        self._has_finished = threading.Condition(lock)

    @property
    def n_waiting(self) -> int:
        """Number of jobs that have not begun and are not paused."""
        with self._can_take:
            return sum(len(host.waiting) for host in self._with_jobs.values())

    def add(self, job: Job) -> None:
        """Adds a job; one of a host that was given up is finished at once."""
        with self._can_take:
            host = self._hosts.get(job.host)
            if host is None:
                host = self._hosts[job.host] = _Host(min(AT_ONCE_AT_FIRST, self._options.n_per_host))
            if host.given_up is not None:
                self._fail(job, host.given_up)
            else:
                host.waiting.append(job)
                self._with_jobs[job.host] = host
                self._can_take.notify()

    def take(self, *, wait: bool = True) -> Job | None:
        """Waits for a job that may begin; None when the queues are closed, or without waiting if none may."""
        with self._can_take:
            while not self._is_closed:
                job, wakes_at = self._next()
                if job is not None:
                    job.began = self._clock()
                    self._can_take.notify()  # another thread looks when the next job may begin
                    return job
                if not wait:
                    return None
                self._can_take.wait(None if wakes_at is None else max(0.0, wakes_at - self._clock()))
        return None

    def release(self, job: Job) -> None:
        """Notes that a job needs its host no longer, and has only to be stored."""
        with self._can_take:
            if job.holds_host:
                job.holds_host = False
                self._hosts[job.host].n_running -= 1
                self._can_take.notify()

    def finish(self, job: Job, outcome: Fetched | NotFetched | Retry) -> None:
        """Notes what became of a job that was taken; one that may succeed later is tried again."""
        with self._can_take:
            host = self._hosts[job.host]
            host.n_running -= job.holds_host
            job.holds_host = False
            if isinstance(outcome, Retry):
                self._try_again(host, job, outcome)
            else:
                host.n_failures = host.n_postponements = 0
                host.limit = min(self._options.n_per_host, host.limit + 1)
                self._done(job, outcome)
            self._can_take.notify(2)  # this thread may take another job itself, but the limit may be higher

    def stop(self, error: BaseException) -> None:
        """Has ``wait_for_finished`` raise an error."""
        with self._can_take:
            self._error = error
            self._has_finished.notify_all()

    def pop_finished(self) -> Job | None:
        """Takes a finished job, if there is one.

        Raises:
            BaseException: what ``stop`` was given.
        """
        with self._can_take:
            if self._error is not None:
                raise self._error
            return self._finished.popleft() if self._finished else None

    def wait_for_finished(self) -> None:
        """Waits until a job is finished, or ``stop`` was called."""
        with self._has_finished:
            while not self._finished and self._error is None:
                self._has_finished.wait()

    def close(self) -> None:
        """Has every ``take`` return None."""
        with self._can_take:
            self._is_closed = True
            self._can_take.notify_all()

    def _next(self) -> tuple[Job | None, float | None]:
        """Takes a job from the next host that may begin one; else when one may be able to."""
        now = self._clock()
        wakes_at: float | None = None
        for name, host in self._with_jobs.items():
            while host.paused and host.paused[0][0] <= now:
                host.waiting.append(heapq.heappop(host.paused)[2])
            if host.n_running >= host.limit:
                continue
            if host.waiting and host.pause_ends <= now:
                self._with_jobs.move_to_end(name)
                if host.n_failures:  # of pictures that are listed together, all may be broken: try another
                    host.waiting.rotate(random.randrange(len(host.waiting)))
                host.n_running += 1
                job = host.waiting.popleft()
                job.holds_host = True
                if not host.waiting and not host.paused:
                    del self._with_jobs[name]
                return job, None
            moments = [host.pause_ends] if host.waiting else []
            moments += [max(host.paused[0][0], host.pause_ends)] if host.paused else []
            wakes_at = min([*moments, *([] if wakes_at is None else [wakes_at])], default=None)
        return None, wakes_at

    def _try_again(self, host: _Host, job: Job, retry: Retry) -> None:
        options, now = self._options, self._clock()
        is_first = job.began > host.failed_at  # not under way yet when the last failure was noticed
        if retry.kind is RetryKind.LATER:
            job.n_postponements += 1
            host.n_postponements += is_first
            host.limit = max(1, host.limit // 2) if is_first else host.limit
            gives_up = host.n_postponements > options.n_postponements
            pause = self._pause(host.n_postponements, retry.seconds)
        else:
            job.n_failures += 1
            pause = self._pause(job.n_failures, retry.seconds)
            if retry.kind is RetryKind.CONNECTION:
                host.n_failures += is_first
                host.limit = 1
            else:
                host.n_failures = 0
                host.limit = max(1, host.limit - 1)
            gives_up = host.n_failures >= options.n_host_failures
        if retry.kind is not RetryKind.ANSWER:
            host.pause_ends = max(host.pause_ends, now + pause)
            host.failed_at = now if is_first else host.failed_at
        if gives_up and host.given_up is None:
            n = host.n_failures if retry.kind is RetryKind.CONNECTION else host.n_postponements
            host.given_up = f"{job.host} was given up after {n} failures in a row (the last: {retry.reason})"
            others = [*host.waiting, *(one for _, _, one in sorted(host.paused))]
            host.waiting.clear()
            host.paused.clear()
            self._with_jobs.pop(job.host, None)
            for one in others:
                self._fail(one, host.given_up)
        if host.given_up is not None:
            self._fail(job, retry.reason)
        elif job.n_failures > options.n_retries or job.n_postponements > options.n_postponements:
            n = job.n_failures + job.n_postponements
            self._fail(job, retry.reason if n == 1 else f"{retry.reason} (asked {n} times)")
        else:
            heapq.heappush(host.paused, (now + pause, next(self._counter), job))
            self._with_jobs[job.host] = host

    def _pause(self, n_before: int, asked: float | None) -> float:
        """Computes the seconds before a retry: what the host asks for, or else twice as long each time."""
        options = self._options
        if asked is not None:
            return min(asked, options.max_pause_seconds)
        doubled = options.backoff_seconds * 2.0 ** min(max(n_before, 1) - 1, 30)
        return min(options.max_pause_seconds, doubled) * random.uniform(0.5, 1.0)

    def _fail(self, job: Job, reason: str) -> None:
        """Finishes a job that could not be asked for: with what the cache has of it, if it has."""
        if job.cached is None:
            self._done(job, NotFetched(job.url, reason))
        else:
            cached = job.cached
            self._done(job, Fetched(job.url, cached.path, cached.sha256, is_new=False, unchecked=reason))

    def _done(self, job: Job, result: Fetched | NotFetched) -> None:
        job.result = result
        self._finished.append(job)
        self._has_finished.notify()
