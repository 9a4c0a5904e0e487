"""What Dask and Ray are asked for, and what becomes of their errors. The libraries are pretended."""

from __future__ import annotations

import contextlib
import sys
import types
from concurrent.futures import Future
from typing import Any

import pytest

from stylesearch.errors import ClusterError
from stylesearch.features.cluster.dask_workers import DaskWorkers
from stylesearch.features.cluster.ray_workers import RayWorkers
from stylesearch.features.cluster.workers import WorkerLost


class PretendedTask:
    """A task of Dask that waits."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.status = "pending"
        self.done: Any = None

    def add_done_callback(self, function: Any) -> None:
        self.done = function


class PretendedClient:
    """A client of Dask; a test says which workers there are, by address."""

    id = "client-1"

    def __init__(self, *_: Any, **__: Any) -> None:
        self.ids = {"tcp://a": "1", "tcp://b": "2"}
        self.cancelled: list[str] = []

    def scheduler_info(self, *, n_workers: int) -> dict[str, Any]:
        return {"workers": {one: {"id": name, "nthreads": 1} for one, name in self.ids.items()}}

    def submit(self, *_: Any, key: str, **__: Any) -> PretendedTask:
        return PretendedTask(key)

    def cancel(self, tasks: list[PretendedTask], *, force: bool) -> None:
        assert force
        for one in tasks:
            self.cancelled.append(one.key)
            one.status = "cancelled"
            one.done(one)


@pytest.fixture
def dask(monkeypatch: pytest.MonkeyPatch) -> DaskWorkers:
    module = types.ModuleType("distributed")
    module.Client = PretendedClient  # type: ignore[attr-defined]
    module.KilledWorker = type("KilledWorker", (Exception,), {})  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "distributed", module)
    return DaskWorkers("head:8786")


def test_tasks_of_a_worker_that_is_gone_are_cancelled(dask: DaskWorkers) -> None:
    first, second = dask.present()
    lost, kept = dask.call(first, b"", "1"), dask.call(second, b"", "1")
    dask._client.ids["tcp://a"] = "3"  # it was started again at its address
    assert second in dask.present()
    assert dask._client.cancelled == ["stylesearch-client-1-1"]
    with pytest.raises(WorkerLost, match="has left: its task was cancelled"):
        lost.result(0)
    assert not kept.done()
    dask.present()
    assert len(dask._client.cancelled) == 1, "each once"


def test_a_scheduler_that_takes_no_cancelling_does_not_answer(
    dask: DaskWorkers, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError("closed")

    first, _ = dask.present()
    dask.call(first, b"", "1")
    del dask._client.ids["tcp://a"]
    monkeypatch.setattr(dask._client, "cancel", refuse)
    with pytest.raises(ClusterError, match="the scheduler does not answer: closed"):
        dask.present()


class PretendedRay(types.ModuleType):
    """Ray with one node of four cores; a test sets the error that all calls fail with."""

    def __init__(self) -> None:
        super().__init__("ray")
        self.error: Exception | None = None
        self.calls: list[Future[bytes]] = []

    def init(self, *_: Any, **__: Any) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()

    def nodes(self) -> list[dict[str, Any]]:
        return [{"NodeID": "0123456789", "Alive": True, "Resources": {"CPU": 4.0}}]

    def remote(self, *_: Any, **__: Any) -> Any:
        """Stands for the decorator, and for the class that it makes."""
        run = types.SimpleNamespace(remote=self._run)
        return lambda _: types.SimpleNamespace(remote=lambda: self._start(run))

    def _start(self, run: Any) -> Any:
        if self.error is not None:
            raise self.error
        return types.SimpleNamespace(run=run)

    def _run(self, *_: Any) -> Any:
        if self.error is not None:
            raise self.error
        self.calls.append(Future())
        return types.SimpleNamespace(future=lambda: self.calls[-1])


@pytest.fixture
def ray(monkeypatch: pytest.MonkeyPatch) -> PretendedRay:
    module = PretendedRay()
    strategies = types.ModuleType("ray.util.scheduling_strategies")
    strategies.NodeAffinitySchedulingStrategy = dict  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "ray", module)
    monkeypatch.setitem(sys.modules, "ray.util", types.ModuleType("ray.util"))
    monkeypatch.setitem(sys.modules, "ray.util.scheduling_strategies", strategies)
    return module


ERRORS = [ConnectionError("no connection"), OSError("no connection"), RuntimeError("no connection")]


@pytest.mark.parametrize("error", ERRORS)
def test_a_process_of_ray_that_takes_no_call_is_lost(ray: PretendedRay, error: Exception) -> None:
    workers = RayWorkers("head:10001")
    (name,) = workers.present()
    assert workers.call(name, b"", "1") is not None
    ray.error = error
    with pytest.raises(WorkerLost, match="ray worker 1 on node 01234567 cannot be reached: no connection"):
        workers.call(name, b"", "1")


@pytest.mark.parametrize("error", ERRORS)
def test_a_process_of_ray_that_cannot_be_started_is_an_error_of_the_cluster(
    ray: PretendedRay, error: Exception
) -> None:
    workers = RayWorkers("head:10001")
    ray.error = error
    with pytest.raises(ClusterError, match="no process can be started on node 01234567: no connection"):
        workers.present()


def test_a_mistake_in_what_is_asked_of_ray_surfaces(ray: PretendedRay) -> None:
    workers = RayWorkers("head:10001")
    (name,) = workers.present()
    ray.error = TypeError("a mistake")
    with pytest.raises(TypeError, match="a mistake"):
        workers.call(name, b"", "1")


def test_a_process_of_ray_that_was_forgotten_meanwhile_is_lost(ray: PretendedRay) -> None:
    workers = RayWorkers("head:10001")
    (name,) = workers.present()
    ray.exceptions = types.SimpleNamespace(RayTaskError=KeyError)
    answer = workers.call(name, b"", "1")
    ray.calls[0].set_exception(ConnectionError("it died"))
    with pytest.raises(WorkerLost, match="has died: ConnectionError"):
        answer.result(0)
    with pytest.raises(WorkerLost, match="has left"):
        workers.call(name, b"", "1")
