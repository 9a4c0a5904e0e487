"""The workers of a Ray cluster: ``ray://HOST:10001``."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Final

from stylesearch.errors import ClusterError, MissingDependency
from stylesearch.features.cluster.worker import run_pickled
from stylesearch.features.cluster.workers import WorkerLost

__all__ = ["RayWorkers"]

CORES_OF_A_WORKER: Final = 4
"""The most cores that one process takes: beyond that, its threads wait for each other's Python."""


@dataclass(eq=False, slots=True)
class _Actor:
    """A process on a node, and the place among those of the node that it takes."""

    handle: Any
    node: str
    place: int
    n_cores: int


class RayWorkers:
    """Processes on all nodes of a Ray cluster, as many as a node's free cores allow.

    An actor is never started again or asked again by Ray itself: one whose node was removed would wait for
    ever for a node that never comes. Entries may vanish at any time: Ray's threads remove those that have
    died.

    Args:
        address: ``HOST:PORT`` of Ray's client server, on the head node.

    Raises:
        MissingDependency: ``ray`` is not installed.
        ClusterError: nothing answers there, or this process has a connection to another cluster.
    """

    def __init__(self, address: str) -> None:
        try:
            import ray
        except ImportError as error:
            raise MissingDependency(
                "a Ray cluster needs the library 'ray', which is not installed",
                hint="pip install 'stylesearch[ray]'",
            ) from error
        self._ray: Any = ray
        try:
            self._connection: Any = ray.init(
                f"ray://{address}", log_to_driver=False, logging_level=logging.WARNING, allow_multiple=True
            )
        except (OSError, ValueError, RuntimeError) as error:
            raise ClusterError(
                f"no Ray cluster answers at {address}: {error}",
                hint="ray start --head --ray-client-server-port=10001 starts its first node",
            ) from error
        self._actors: dict[str, _Actor] = {}
        self._numbers = itertools.count(1)

    def present(self) -> Mapping[str, int]:
        with self._connection:
            nodes = {one["NodeID"]: one for one in self._nodes() if one["Alive"]}
            for name, actor in list(self._actors.items()):
                if actor.node not in nodes:
                    self._actors.pop(name, None)
            for node, facts in nodes.items():
                n_cores = int(facts["Resources"].get("CPU", 0))
                taken = {one.place for one in list(self._actors.values()) if one.node == node}
                for place, start in enumerate(range(0, n_cores, CORES_OF_A_WORKER)):
                    if place not in taken:
                        self._start(node, place, min(CORES_OF_A_WORKER, n_cores - start))
        return {name: one.n_cores for name, one in list(self._actors.items())}

    def call(self, worker: str, call: bytes, version: str) -> Future[bytes]:
        actor = self._actors.get(worker)
        if actor is None:
            raise WorkerLost(f"{worker} has left")
        answer: Future[bytes] = Future()
        try:
            with self._connection:
                running = actor.handle.run.remote(call, version, actor.n_cores).future()
        except (OSError, RuntimeError) as error:  # the connection is gone
            raise WorkerLost(f"{worker} cannot be reached: {error}") from error

        def pass_on(done: Future[bytes]) -> None:
            try:
                answer.set_result(done.result())
            except self._ray.exceptions.RayTaskError as error:
                answer.set_exception(error)
            except Exception as error:  # the actor, its node or the connection is gone
                self._actors.pop(worker, None)
                answer.set_exception(WorkerLost(f"{worker} has died: {type(error).__name__}"))

        running.add_done_callback(pass_on)
        return answer

    def close(self) -> None:
        with self._connection:
            for actor in list(self._actors.values()):
                self._ray.kill(actor.handle)
        self._connection.disconnect()

    def _nodes(self) -> list[dict[str, Any]]:
        try:
            found: list[dict[str, Any]] = self._ray.nodes()
        except (OSError, RuntimeError) as error:
            raise ClusterError(f"the head of the Ray cluster does not answer: {error}") from error
        return found

    def _start(self, node: str, place: int, n_cores: int) -> None:
        """Starts a process on a node; it waits there while others have its cores."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        remote = self._ray.remote(
            num_cpus=n_cores,
            max_restarts=0,
            max_task_retries=0,
            max_concurrency=n_cores,
            scheduling_strategy=NodeAffinitySchedulingStrategy(node_id=node, soft=False),
        )(_Runner)
        try:
            handle = remote.remote()
        except (OSError, RuntimeError) as error:
            raise ClusterError(f"no process can be started on node {node[:8]}: {error}") from error
        name = f"ray worker {next(self._numbers)} on node {node[:8]}"
        self._actors[name] = _Actor(handle, node, place, n_cores)


class _Runner:
    """What runs in a process of a node."""

    def run(self, call: bytes, version: str, n_cores: int) -> bytes:
        """Runs one call; see ``run_pickled``."""
        return run_pickled(call, version, n_cores)
