"""Gives batches to the workers of a cluster: whichever is free takes the next, and a lost one goes back.

One queue, in this process, for all kinds of clusters:

```text
submit -> queue -> a worker that is free -> its outcome -> the future
            ^ its worker died: up to 5 tries       | it would compute other vectors: refused, by name
            +--------------------------------------+
```
"""

from __future__ import annotations

import collections
import contextlib
import logging
import pickle
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future, InvalidStateError
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, ParamSpec, TypeVar

from stylesearch.errors import BatchLost, ClusterError, WorkerRefused
from stylesearch.features.cluster.worker import Outcome, WorkerInfo, library_version, processor_kind
from stylesearch.features.cluster.workers import WorkerLost, Workers
from stylesearch.wording import count

__all__ = ["MAX_TRIES", "ClusterExecutor"]

log = logging.getLogger(__name__)

MAX_TRIES: Final = 5
"""How often a batch is given to a worker, if it dies each time."""

SECONDS_BETWEEN_LOOKS: Final = 1.0
"""Between two looks at which workers are there."""

SECONDS_WITHOUT_WORKERS: Final = 120.0
"""How long it is waited for a worker while there is none."""

SECONDS_OF_DISTRUST: Final = 30.0
"""A worker that was lost and is still listed gets nothing for so long: most often it is dead."""

Parameters = ParamSpec("Parameters")
Made = TypeVar("Made")


@dataclass(eq=False, slots=True)
class _Call:
    """A call that is to be answered; ``n_lost`` is how many workers died over it."""

    future: Future[Any]
    pickled: bytes
    n_lost: int = 0
    last: str = ""


@dataclass(eq=False, slots=True)
class _Worker:
    """A worker that is there: how many calls it runs at once, and those that it has."""

    n_slots: int
    info: WorkerInfo | None = None
    calls: dict[_Call, Future[bytes]] = field(default_factory=dict)


class ClusterExecutor(Executor):
    """An executor whose calls run in the workers of a cluster. Functions and arguments are pickled.

    Args:
        address: what the cluster is called in messages.
        workers: the cluster.
        seconds_without_workers: how long it is waited for a worker while there is none.
    """

    def __init__(
        self,
        address: str,
        workers: Workers,
        *,
        seconds_without_workers: float = SECONDS_WITHOUT_WORKERS,
    ) -> None:
        self.address = address
        self._cluster = workers
        self._patience = seconds_without_workers
        self._version = library_version()
        self._queue: collections.deque[_Call] = collections.deque()
        self._workers: dict[str, _Worker] = {}
        self._refused: dict[str, WorkerRefused] = {}
        self._lost: dict[str, float] = {}  # since when
        self._heard = time.monotonic()
        self._processors: set[str] = set()
        self._answers: collections.deque[tuple[str, _Call, Future[bytes]]] = collections.deque()
        self._changed = threading.Condition()
        self._is_closed = False
        self._thread = threading.Thread(target=self._run, name="cluster", daemon=True)
        self._thread.start()

    @property
    def n_workers(self) -> int:
        """How many workers are there that may be used."""
        with self._changed:
            return len(self._workers)

    def n_slots(self) -> int:
        """How many calls they run at once; 1 where there is none yet."""
        with self._changed:
            return max(1, sum(one.n_slots for one in self._workers.values()))

    def describe(self) -> str:
        """How many workers there are, for people: ``3 workers``."""
        return count(self.n_workers, "worker")

    def notes(self) -> list[str]:
        """What is to be said of the workers: other processors, and those that were refused."""
        own = processor_kind()
        with self._changed:
            others, refused = sorted(self._processors - {own}), list(self._refused.values())
        found = [f"a worker of {self.address} was not used: {one}" for one in refused]
        if others:
            found.append(
                f"workers of {self.address} have another kind of processor ({', '.join(others)}; "
                f"here: {own}): their vectors are those of this machine within rounding, not bit for bit"
            )
        return found

    def submit(
        self, fn: Callable[Parameters, Made], /, *args: Parameters.args, **kwargs: Parameters.kwargs
    ) -> Future[Made]:
        """Queues a call; see ``Executor.submit``.

        Its future fails with ``BatchLost`` where workers died over it ``MAX_TRIES`` times, and with
        ``ClusterError`` where there is no worker that can be used.
        """
        if kwargs:
            raise TypeError("arguments are given by position")
        call = _Call(Future(), pickle.dumps((fn, args)))
        with self._changed:
            if self._is_closed:
                raise RuntimeError("the cluster was let go of")
            self._queue.append(call)
            self._changed.notify()
        return call.future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Drops what is queued or runs, and lets go of the cluster."""
        with self._changed:
            self._is_closed = True
            dropped = [*self._queue, *(call for one in self._workers.values() for call in one.calls)]
            self._queue.clear()
            self._changed.notify()
        for call in dropped:
            if not call.future.cancel():
                _fail(call, ClusterError(f"{self.address} was let go of"))
        if wait:
            self._thread.join()

    # All below runs in the thread of this executor, but for `_answered`.

    def _run(self) -> None:
        next_look, since = 0.0, time.monotonic()
        try:
            while True:
                now = time.monotonic()
                if now >= next_look:
                    self._look()
                    next_look = now + SECONDS_BETWEEN_LOOKS
                    if self._workers:
                        since = now
                    elif now - since > self._patience or self._refused:
                        self._fail_all()
                        since = now
                self._take_answers()
                self._give_out()
                with self._changed:
                    if self._is_closed:
                        break
                    if not self._answers and not self._can_give():
                        self._changed.wait(max(0.0, next_look - time.monotonic()))
        except BaseException as error:  # a bug: nobody shall wait for ever
            log.exception("the queue of %s has failed", self.address)
            with self._changed:
                self._is_closed = True
                calls = [*self._queue, *(call for one in self._workers.values() for call in one.calls)]
            for call in calls:
                _fail(call, ClusterError(f"the queue of {self.address} has failed: {error!r}"))
        finally:
            self._cluster.close()

    def _look(self) -> None:
        """Looks at which workers are there: takes back the work of those that are gone."""
        try:
            present = dict(self._cluster.present())
            self._heard = time.monotonic()
        except ClusterError as error:
            log.info("%s", error)
            if time.monotonic() - self._heard < self._patience:
                return  # it may be busy: its workers go on meanwhile
            present = {}
        with self._changed:
            for name in self._refused.keys() - present.keys():
                del self._refused[name]
            trusted = time.monotonic() - SECONDS_OF_DISTRUST
            self._lost = {
                name: since for name, since in self._lost.items() if name in present and since > trusted
            }
            for name, n_slots in present.items():
                if name not in self._workers and name not in self._refused and name not in self._lost:
                    self._workers[name] = _Worker(n_slots)
            gone = self._workers.keys() - present.keys()
        for name in gone:
            self._bury(name)
            del self._lost[name]  # should it come back, it is welcome

    def _take_answers(self) -> None:
        while self._answers:
            name, call, answer = self._answers.popleft()
            worker = self._workers.get(name)
            if worker is None or worker.calls.get(call) is not answer:
                continue  # it was given to another meanwhile
            try:
                outcome: Outcome = pickle.loads(answer.result(timeout=0))
            except WorkerLost as error:
                log.info("%s", error)
                self._bury(name)
                continue
            except BaseException as error:
                self._refuse(name, WorkerRefused(f"{name} cannot run stylesearch: {error!r}"))
                continue
            worker.info = outcome.worker
            with self._changed:
                self._processors.add(outcome.worker.processor)
            if isinstance(outcome.error, WorkerRefused):
                self._refuse(name, outcome.error)
                continue
            with self._changed:
                del worker.calls[call]
            _settle(call, outcome)

    def _give_out(self) -> None:
        while True:
            with self._changed:
                found = self._can_give()
                if found is None:
                    return
                name, worker = found
                call = self._queue.popleft()
            if call.n_lost == 0 and call.last == "" and not call.future.set_running_or_notify_cancel():
                continue
            if call.future.done():
                continue
            call.last = name
            try:
                answer = self._cluster.call(name, call.pickled, self._version)
            except WorkerLost as error:
                log.info("%s", error)
                with self._changed:
                    self._queue.appendleft(call)
                self._bury(name)
                continue
            with self._changed:
                worker.calls[call] = answer
            answer.add_done_callback(partial(self._answered, name, call))

    def _answered(self, name: str, call: _Call, answer: Future[bytes]) -> None:
        with self._changed:
            self._answers.append((name, call, answer))
            self._changed.notify()

    def _can_give(self) -> tuple[str, _Worker] | None:
        """The worker that has least to do, if there is one with room and something to do.

        A worker gets one call more than it runs, so that it need not wait for the next. A call over which a
        worker has died is tried alone, so that it takes no other call with it again.
        """
        if not self._queue:
            return None
        is_suspect = self._queue[0].n_lost > 0
        free = [
            (name, one)
            for name, one in self._workers.items()
            if (not one.calls if is_suspect else len(one.calls) <= one.n_slots)
            and not any(call.n_lost for call in one.calls)
        ]
        return min(free, key=lambda one: len(one[1].calls) / one[1].n_slots, default=None)

    def _bury(self, name: str) -> None:
        """Takes back the calls of a worker that has died or left, to be given out before all others."""
        with self._changed:
            self._lost[name] = time.monotonic()
            worker = self._workers.pop(name)
            kept = []
            for call in worker.calls:
                call.n_lost += 1
                if call.n_lost < MAX_TRIES:
                    kept.append(call)
            self._queue.extendleft(reversed(kept))
        who = worker.info or name
        log.info("%s has left; others get %s of its work", who, count(len(kept), "batch", "batches"))
        for call in worker.calls:
            if call.n_lost >= MAX_TRIES:
                _fail(call, BatchLost(f"{MAX_TRIES} workers of {self.address} died over it, the last: {who}"))

    def _refuse(self, name: str, error: WorkerRefused) -> None:
        log.warning("a worker of %s is not used: %s", self.address, error)
        with self._changed:
            self._refused[name] = error
            worker = self._workers.pop(name)
            self._queue.extendleft(reversed(worker.calls))
            is_last = not self._workers
        if is_last:
            self._fail_all()

    def _fail_all(self) -> None:
        """Fails all that is queued, as no worker can be used."""
        with self._changed:
            calls, refused = list(self._queue), list(self._refused.values())
            self._queue.clear()
        error = (
            WorkerRefused(
                f"no worker of {self.address} can be used: {'; '.join(map(str, refused[:3]))}",
                hint=refused[0].hint or "give all machines the same weights and the same versions",
            )
            if refused
            else ClusterError(
                f"{self.address} has had no worker for {self._patience:.0f} seconds",
                hint="start workers, and run the same command again: finished work is kept",
            )
        )
        for call in calls:
            _fail(call, error)


def _settle(call: _Call, outcome: Outcome) -> None:
    with contextlib.suppress(InvalidStateError):  # it was given up meanwhile
        if outcome.error is not None:
            call.future.set_exception(outcome.error)
        else:
            call.future.set_result(outcome.value)


def _fail(call: _Call, error: ClusterError) -> None:
    with contextlib.suppress(InvalidStateError):
        call.future.set_exception(error)
