"""Clusters of two worker processes on loopback, for tests."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

from stylesearch.features.cluster import ClusterExecutor, open_cluster

ROOT = Path(__file__).parents[2]


class LocalCluster:
    """``local:2``: there is nothing to be started."""

    address = "local:2"
    can_join = False

    def open(self) -> ClusterExecutor:
        return open_cluster(self.address)


class DaskCluster:
    """A Dask scheduler and its workers, each a process with one thread."""

    can_join = True

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        port = free_port()
        self.address = f"dask://127.0.0.1:{port}"
        self._scheduler = f"tcp://127.0.0.1:{port}"
        self._processes: list[subprocess.Popen[bytes]] = []
        self._start("dask_scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard")
        _wait_for_listener(port, self._processes[0])

    def open(self) -> ClusterExecutor:
        return open_cluster(self.address)

    def add_worker(self) -> None:
        self._start("dask_worker", self._scheduler, "--nthreads", "1", "--no-nanny", "--no-dashboard")

    def ensure(self, n_workers: int) -> None:
        """Starts workers until there are so many, and stops those that are too many."""
        workers = [one for one in self._processes[1:] if one.poll() is None]
        for one in workers[n_workers:]:
            one.kill()
            one.wait()
        for _ in range(n_workers - len(workers)):
            self.add_worker()

    def _start(self, module: str, *arguments: str) -> None:
        log = self._folder / f"{module}-{len(self._processes)}.log"
        with log.open("wb") as file:
            self._processes.append(
                subprocess.Popen(
                    [sys.executable, "-m", f"distributed.cli.{module}", *arguments],
                    env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"},
                    cwd=self._folder,
                    stdout=file,
                    stderr=file,
                )
            )

    def stop(self) -> None:
        for one in reversed(self._processes):
            one.kill()
            one.wait()


class RayCluster:
    """A Ray head and one more node, each with one core."""

    can_join = True

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster

        os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        port = free_port()
        self.address = f"ray://127.0.0.1:{port}"
        self._nodes: list[Any] = []
        with _patience_with_nodes():
            self._cluster = Cluster(
                initialize_head=True,
                head_node_args={**self._node(), "ray_client_server_port": port, "include_dashboard": False},
            )

    def open(self) -> ClusterExecutor:
        return open_cluster(self.address)

    def add_worker(self) -> None:
        with _patience_with_nodes():
            self._nodes.append(self._cluster.add_node(**self._node()))

    def remove_node(self) -> None:
        self._cluster.remove_node(self._nodes.pop(), allow_graceful=False)

    def ensure(self, n_workers: int) -> None:
        """Starts nodes until there are so many with the head, and removes those that are too many."""
        while len(self._nodes) + 1 < n_workers:
            self.add_worker()
        while len(self._nodes) + 1 > n_workers:
            self.remove_node()

    def stop(self) -> None:
        self._cluster.shutdown()

    @staticmethod
    def _node() -> dict[str, Any]:
        # Ports that a node's agents would choose themselves it waits only 15 seconds for.
        agents = ("metrics_agent", "metrics_export", "dashboard_agent_listen", "runtime_env_agent")
        return {
            **{f"{agent}_port": free_port() for agent in agents},
            "num_cpus": 1,
            "node_ip_address": "127.0.0.1",
            "object_store_memory": 80_000_000,
        }


def _wait_for_listener(port: int, process: subprocess.Popen[bytes]) -> None:
    """Waits until a process listens on a port of loopback.

    Raises:
        OSError: it has ended, or does not listen after two minutes.
    """
    ends = time.monotonic() + 120
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
            return
        except OSError:
            if process.poll() is not None or time.monotonic() > ends:
                raise
            time.sleep(0.1)


@contextlib.contextmanager
def _patience_with_nodes() -> Iterator[None]:
    """Has Ray wait three minutes for a node that it starts, and not 30 seconds, which is no setting of it."""
    from ray._private import services

    get_node = services.get_node

    def get_node_in_the_end(*arguments: Any) -> Any:
        ends = time.monotonic() + 180
        while True:
            try:
                return get_node(*arguments)
            except RuntimeError:
                if time.monotonic() > ends:
                    raise
                time.sleep(0.5)

    with mock.patch.object(services, "get_node", get_node_in_the_end):
        yield


@contextlib.contextmanager
def opened(cluster: LocalCluster | DaskCluster | RayCluster) -> Iterator[ClusterExecutor]:
    """An executor over a cluster."""
    executor = cluster.open()
    try:
        yield executor
    finally:
        executor.shutdown()


def free_port() -> int:
    """A port of loopback that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
