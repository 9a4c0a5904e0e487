"""The workers of a Dask cluster: ``dask://HOST:8786``."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any, Final

from stylesearch.errors import ClusterError, MissingDependency
from stylesearch.features.cluster.worker import run_pickled
from stylesearch.features.cluster.workers import WorkerLost

__all__ = ["DaskWorkers"]

SECONDS_TO_CONNECT: Final = 30.0
SECONDS_TO_FETCH: Final = 60.0


class DaskWorkers:
    """The workers of a scheduler of ``dask.distributed``.

    A call is tied to one worker. The scheduler would repeat it elsewhere if that dies, but neither say where
    nor leave out a worker that was refused.

    Args:
        address: ``HOST:PORT`` of the scheduler; the port is 8786 where there is none.
        encrypted: whether it is asked over TLS, with the keys of Dask's own configuration.

    Raises:
        MissingDependency: ``distributed`` is not installed.
        ClusterError: no scheduler answers there.
    """

    def __init__(self, address: str, *, encrypted: bool = False) -> None:
        try:
            import distributed
        except ImportError as error:
            raise MissingDependency(
                "a Dask cluster needs the library 'distributed', which is not installed",
                hint="pip install 'stylesearch[cluster]'",
            ) from error
        host, separator, port = address.rpartition(":")
        place = f"{host}:{port}" if separator else f"{address}:8786"
        self._numbers = itertools.count(1)
        self._waiting: dict[str, tuple[str, Any]] = {}  # worker and task, by key
        try:
            connect: Any = distributed.Client  # it has no types
            self._client: Any = connect(
                f"{'tls' if encrypted else 'tcp'}://{place}",
                timeout=SECONDS_TO_CONNECT,
                set_as_default=False,
                name="stylesearch",
            )
        except (OSError, ValueError, RuntimeError) as error:
            raise ClusterError(
                f"no Dask scheduler answers at {place}: {error}",
                hint="start one: dask scheduler --host ADDRESS, and dask worker ADDRESS:8786 on each machine",
            ) from error
        self._addresses: dict[str, tuple[str, int]] = {}

    def present(self) -> Mapping[str, int]:
        try:
            found = self._client.scheduler_info(n_workers=-1).get("workers")
            if found is None:  # what a client knows that has closed itself
                raise ClusterError("the scheduler has ended, or could not be reached for too long")
            # A worker that was started again at the same address has another id.
            self._addresses = {
                f"{address} ({worker['id']})": (address, int(worker["nthreads"]))
                for address, worker in found.items()
            }
            # Else the scheduler keeps them, and runs them where a worker is started at that address again.
            waiting = list(self._waiting.values())
            self._cancel([task for worker, task in waiting if worker not in self._addresses])
        except (OSError, TimeoutError, RuntimeError) as error:
            raise ClusterError(f"the scheduler does not answer: {error}") from error
        return {name: n_threads for name, (_, n_threads) in self._addresses.items()}

    def call(self, worker: str, call: bytes, version: str) -> Future[bytes]:
        if worker not in self._addresses:
            raise WorkerLost(f"{worker} has left")
        address, n_threads = self._addresses[worker]
        key = f"stylesearch-{self._client.id}-{next(self._numbers)}"
        try:
            task = self._client.submit(
                run_pickled,
                call,
                version,
                n_threads,
                key=key,
                workers=[address],
                allow_other_workers=False,
                pure=False,
                retries=0,
            )
        except (OSError, RuntimeError) as error:  # the client has closed itself meanwhile
            raise WorkerLost(f"{worker} cannot be reached: {error}") from error
        answer: Future[bytes] = Future()
        self._waiting[key] = worker, task
        task.add_done_callback(lambda done: self._pass_on(key, done, worker, answer))
        return answer

    def _pass_on(self, key: str, task: Any, worker: str, answer: Future[bytes]) -> None:
        """Hands the result of a task on; in a thread of the client."""
        from distributed import KilledWorker

        self._waiting.pop(key, None)
        try:
            if task.status in ("cancelled", "lost"):
                raise WorkerLost(f"{worker} has left: its task was {task.status}")
            answer.set_result(task.result(timeout=SECONDS_TO_FETCH))
        except (KilledWorker, TimeoutError, OSError) as error:  # it died before its result was fetched
            answer.set_exception(WorkerLost(f"{worker} has died: {error}"))
        except BaseException as error:
            answer.set_exception(error)

    def close(self) -> None:
        self._cancel([task for _, task in list(self._waiting.values())])
        self._client.close(timeout=5)

    def _cancel(self, tasks: list[Any]) -> None:
        if tasks:
            self._client.cancel(tasks, force=True)
