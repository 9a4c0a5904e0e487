"""Gives batches to the workers of a cluster: whichever is free takes the next, and a lost one goes back.

One queue, in this process, for all kinds of clusters:

```text
submit -> queue -> a worker that is free -> its outcome -> the future
            ^ its worker died: up to 5 tries       | it would compute other vectors, or does not see a file
            +--------------------------------------+ that is here: refused, by name
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
from typing import Any, Final, NamedTuple, ParamSpec, TypeVar

from stylesearch.errors import BatchLost, ClusterError, WorkerRefused
from stylesearch.features.cluster.worker import Outcome, WorkerInfo, library_version, processor_kind
from stylesearch.features.cluster.workers import WorkerLost, Workers
from stylesearch.wording import count

__all__ = ["MAX_TRIES", "ClusterExecutor", "FilesSeen"]

log = logging.getLogger(__name__)

MAX_TRIES: Final = 5
"""How often a batch is given to a worker, if it dies each time."""

SECONDS_BETWEEN_LOOKS: Final = 1.0
"""Between two looks at which workers are there."""

SECONDS_WITHOUT_WORKERS: Final = 120.0
"""How long it is waited for a worker while there is none, unless none could ever be used."""

SECONDS_OF_DISTRUST: Final = 30.0
"""A worker that was lost and is still listed gets nothing for so long: most often it is dead."""

Parameters = ParamSpec("Parameters")
Made = TypeVar("Made")


class FilesSeen(NamedTuple):
    """What a call says of the files that it read.

    Attributes:
        any: whether it saw any of them.
        missing: one that it did not see, although it is here; None if there is none.
    """

    any: bool
    missing: str | None


@dataclass(eq=False, slots=True)
class _Call:
    """A call that is to be answered.

    Attributes:
        check_files: tells from its value which files the worker saw.
        since: when it was queued.
        n_lost: how many workers died over it.
        last: the worker that it was given to last.
        asked_again: the worker that was asked once more, since it had not seen a file.
    """

    future: Future[Any]
    pickled: bytes
    purpose: str
    check_files: Callable[[Any], FilesSeen] | None = None
    since: float = field(default_factory=time.monotonic)
    n_lost: int = 0
    last: str = ""
    asked_again: str = ""


@dataclass(eq=False, slots=True)
class _Worker:
    """A worker that is there.

    Attributes:
        n_slots: how many calls it runs at once.
        info: what it said of itself.
        sees_files: whether it has seen a file that was to be read.
        calls: calls that it has, with their answers.
        refused: purposes that it is refused for, and why.
    """

    n_slots: int
    info: WorkerInfo | None = None
    sees_files: bool = False
    calls: dict[_Call, Future[bytes]] = field(default_factory=dict)
    refused: dict[str, WorkerRefused] = field(default_factory=dict)


class ClusterExecutor(Executor):
    """An executor whose calls run in the workers of a cluster. Functions and arguments are pickled.

    It connects when it is first given something: what turns out to have nothing to do needs no cluster.

    Args:
        address: what the cluster is called in messages.
        connect: connects to the cluster.
        seconds_without_workers: how long it is waited for a worker while there is none.
    """

    def __init__(
        self,
        address: str,
        connect: Callable[[], Workers],
        *,
        seconds_without_workers: float = SECONDS_WITHOUT_WORKERS,
    ) -> None:
        self.address = address
        self._connect = connect
        self._connecting = threading.Lock()
        self._patience = seconds_without_workers
        self._version = library_version()
        self._queue: collections.deque[_Call] = collections.deque()
        self._workers: dict[str, _Worker] = {}
        self._refused: dict[str, WorkerRefused] = {}  # that can run nothing
        self._purpose = ""
        self._lost: dict[str, float] = {}  # since when
        self._seen: dict[str, float] = {}  # when a worker was there last that could be used, by purpose
        self._heard = time.monotonic()
        self._processors: set[str] = set()
        self._answers: collections.deque[tuple[str, _Call, Future[bytes]]] = collections.deque()
        self._changed = threading.Condition()
        self._is_closed = False
        self._thread: threading.Thread | None = None

    def connect(self) -> None:
        """Connects to the cluster, unless that is done.

        Raises:
            MissingDependency: its library is not installed.
            ClusterError: nothing answers there.
        """
        with self._connecting:
            if self._thread is None and not self._is_closed:
                workers = self._connect()
                self._heard = time.monotonic()
                self._thread = threading.Thread(
                    target=self._run, args=(workers,), name="cluster", daemon=True
                )
                self._thread.start()

    @property
    def n_workers(self) -> int:
        """How many workers are there that may be used for what was asked last."""
        with self._changed:
            return len(self._usable())

    def n_slots(self) -> int:
        """How many calls they run at once; 1 where there is none yet."""
        with self._changed:
            return max(1, sum(one.n_slots for one in self._usable()))

    def _usable(self) -> list[_Worker]:
        return [one for one in self._workers.values() if self._purpose not in one.refused]

    def describe(self) -> str:
        """How many workers there are, for people: ``3 workers``."""
        return count(self.n_workers, "worker")

    def notes(self) -> list[str]:
        """What is to be said of the workers: other processors, and those that were refused."""
        own = processor_kind()
        with self._changed:
            others, refused = sorted(self._processors - {own}), self._reasons(self._purpose)
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

        Raises:
            MissingDependency, ClusterError: it cannot be connected to.
        """
        return self.submit_for("", None, fn, *args, **kwargs)

    def submit_for(
        self,
        purpose: str,
        check_files: Callable[[Made], FilesSeen] | None,
        fn: Callable[Parameters, Made],
        /,
        *args: Parameters.args,
        **kwargs: Parameters.kwargs,
    ) -> Future[Made]:
        """Queues a call for a purpose, such as the fingerprints of the extractors that it runs.

        A worker for which the function raises ``WorkerRefused`` gets no other call for this purpose, but
        those for others.

        A worker that has seen no file yet, and of one call twice not one that is here, gets no more calls: it
        would report existing files as gone. ``check_files`` is called in this process.

        Its future fails with ``BatchLost`` where workers died over it ``MAX_TRIES`` times, and with
        ``ClusterError`` where there is no worker that can be used.
        """
        if kwargs:
            raise TypeError("arguments are given by position")
        call = _Call(Future(), pickle.dumps((fn, args)), purpose, check_files)
        self.connect()
        with self._changed:
            if self._is_closed:
                raise RuntimeError("the cluster was let go of")
            self._queue.append(call)
            self._purpose = purpose or self._purpose
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
        if wait and self._thread is not None:
            self._thread.join()

    # All below runs in the thread of this executor, but for `_take_answer`.

    def _run(self, cluster: Workers) -> None:
        next_look = 0.0
        try:
            while True:
                now = time.monotonic()
                if now >= next_look:
                    self._look(cluster)
                    next_look = now + SECONDS_BETWEEN_LOOKS
                self._take_answers(cluster)
                self._fail_hopeless()
                self._give_out(cluster)
                with self._changed:
                    if self._is_closed:
                        break
                    if not self._answers and not self._next():
                        self._changed.wait(max(0.0, next_look - time.monotonic()))
        except BaseException as error:  # a bug: nobody shall wait for ever
            log.exception("the queue of %s has failed", self.address)
            with self._changed:
                self._is_closed = True
                calls = [*self._queue, *(call for one in self._workers.values() for call in one.calls)]
            for call in calls:
                _fail(call, ClusterError(f"the queue of {self.address} has failed: {error!r}"))
        finally:
            cluster.close()

    def _look(self, cluster: Workers) -> None:
        """Looks at which workers are there: takes back the work of those that are gone."""
        try:
            present = dict(cluster.present())
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

    def _take_answers(self, cluster: Workers) -> None:
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
                self._refuse(name, outcome.error, call.purpose if outcome.is_able else None)
                continue
            files = self._check_files(call, outcome)
            worker.sees_files |= files.any
            if files.missing and not worker.sees_files:
                if call.asked_again == name:
                    self._refuse(name, _does_not_see(outcome.worker, files.missing))
                else:  # the file may have come, or have been replaced, just now
                    call.asked_again = name
                    with self._changed:
                        del worker.calls[call]
                    self._give(cluster, call, name, worker)
                continue
            with self._changed:
                del worker.calls[call]
                self._seen[call.purpose] = time.monotonic()
            _settle(call, outcome)

    def _give_out(self, cluster: Workers) -> None:
        while True:
            with self._changed:
                found = self._next()
                if found is None:
                    return
                call, name, worker = found
                self._queue.remove(call)
            if call.n_lost == 0 and call.last == "" and not call.future.set_running_or_notify_cancel():
                continue
            if call.future.done():
                continue
            self._give(cluster, call, name, worker)

    def _give(self, cluster: Workers, call: _Call, name: str, worker: _Worker) -> None:
        """Gives a call to a worker; puts it back where that cannot be reached any more."""
        call.last = name
        try:
            answer = cluster.call(name, call.pickled, self._version)
        except (ClusterError, OSError, RuntimeError) as error:
            log.info("%s cannot be reached: %s", name, error)
            with self._changed:
                self._queue.appendleft(call)
            # It was not seen: else one that never takes anything would be waited for for ever.
            self._bury(name, was_seen=False)
            return
        except BaseException:  # a mistake in the program: `_run` fails all that is queued
            with self._changed:
                self._queue.appendleft(call)
            raise
        with self._changed:
            worker.calls[call] = answer
        answer.add_done_callback(partial(self._take_answer, name, call))

    @staticmethod
    def _check_files(call: _Call, outcome: Outcome) -> FilesSeen:
        if call.check_files is None or outcome.error is not None:
            return FilesSeen(False, None)
        return call.check_files(outcome.value)

    def _take_answer(self, name: str, call: _Call, answer: Future[bytes]) -> None:
        with self._changed:
            self._answers.append((name, call, answer))
            self._changed.notify()

    def _next(self) -> tuple[_Call, str, _Worker] | None:
        """What is to be given out now and to whom: of each purpose the call that waits longest."""
        seen: set[str] = set()
        for call in self._queue:
            if call.purpose not in seen:
                seen.add(call.purpose)
                if found := self._free_for(call):
                    return call, *found
        return None

    def _free_for(self, call: _Call) -> tuple[str, _Worker] | None:
        """The worker that has least to do, if there is one with room.

        A worker gets one call more than it runs, so that it need not wait for the next. A call over which a
        worker has died is tried alone, so that it takes no other call with it again.
        """
        free = [
            (name, one)
            for name, one in self._workers.items()
            if (not one.calls if call.n_lost else len(one.calls) <= one.n_slots)
            and call.purpose not in one.refused
            and not any(other.n_lost for other in one.calls)
        ]
        return min(free, key=lambda one: len(one[1].calls) / one[1].n_slots, default=None)

    def _bury(self, name: str, *, was_seen: bool = True) -> None:
        """Takes back the calls of a worker that has died or left, to be given out before all others.

        Args:
            name: its name.
            was_seen: whether it was there until now, so that it is waited for.
        """
        with self._changed:
            now = self._lost[name] = time.monotonic()
            worker = self._workers.pop(name)
            if was_seen:
                purposes = {call.purpose for call in (*self._queue, *worker.calls)}
                self._seen.update(dict.fromkeys(purposes - worker.refused.keys(), now))
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

    def _refuse(self, name: str, error: WorkerRefused, purpose: str | None = None) -> None:
        """Takes a worker out: for one purpose, or for all."""
        log.warning("a worker of %s is not used: %s", self.address, error)
        with self._changed:
            worker = self._workers[name]
            back = [call for call in worker.calls if purpose in (None, call.purpose)]
            for call in back:
                del worker.calls[call]
            self._queue.extendleft(reversed(back))
            if purpose is not None:
                worker.refused[purpose] = error
                return
            self._refused[name] = error
            del self._workers[name]

    def _fail_hopeless(self) -> None:
        """Fails what is queued for a purpose that no worker can be used for, and none is waited for."""
        with self._changed:
            unserved = {
                purpose
                for purpose in {call.purpose for call in self._queue}
                if all(purpose in one.refused for one in self._workers.values())
            }
            failed = [call for call in self._queue if call.purpose in unserved and not self._waits(call)]
            for call in failed:
                self._queue.remove(call)
        for call in failed:
            _fail(call, self._why_not(call.purpose))

    def _waits(self, call: _Call) -> bool:
        """Whether a call that there is no worker for is kept for one that may come."""
        seen = self._seen.get(call.purpose)
        if seen is None and not self._lost and self._reasons(call.purpose):
            return False  # there never was one that could be used
        return time.monotonic() - max(call.since, seen or call.since) <= self._patience

    def _reasons(self, purpose: str) -> list[WorkerRefused]:
        """Why workers are not used for a purpose."""
        of_workers = (one.refused.get(purpose) for one in self._workers.values())
        return [*self._refused.values(), *filter(None, of_workers)]

    def _why_not(self, purpose: str) -> ClusterError:
        with self._changed:
            refused = self._reasons(purpose)
        if refused:
            return WorkerRefused(
                f"no worker of {self.address} can be used: {'; '.join(map(str, refused[:3]))}",
                hint=refused[0].hint or "give all machines the same weights and the same versions",
            )
        return ClusterError(
            f"{self.address} has had no worker for {self._patience:.0f} seconds",
            hint="start workers, and run the same command again: finished work is kept",
        )


def _settle(call: _Call, outcome: Outcome) -> None:
    with contextlib.suppress(InvalidStateError):  # it was given up meanwhile
        if outcome.error is not None:
            call.future.set_exception(outcome.error)
        else:
            call.future.set_result(outcome.value)


def _does_not_see(worker: WorkerInfo, path: str) -> WorkerRefused:
    return WorkerRefused(
        f"{worker} does not see {path}",
        hint="mount the folder of the pictures at the same path on all machines",
    )


def _fail(call: _Call, error: ClusterError) -> None:
    with contextlib.suppress(InvalidStateError):
        call.future.set_exception(error)
