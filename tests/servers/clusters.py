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

import pytest

from stylesearch.errors import ClusterError
from stylesearch.features.cluster import ClusterExecutor, open_cluster

ROOT = Path(__file__).parents[2]

LOOPBACK = "127.0.0.2"
"""Ray's server of clients takes 127.0.0.1 for this machine's other address, where nothing listens then."""


RAY_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_enable_metrics_collection": "0",
    "RAY_event_stats": "0",
    "RAY_agent_register_timeout_ms": "120000",  # a node whose agents take longer ends itself
    "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])),
}


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
    """A Ray head and one more node, each with one core, and as little else as Ray allows."""

    can_join = True

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster

        self._environment = mock.patch.dict(os.environ, RAY_ENVIRONMENT)
        self._environment.start()
        port = free_port()
        self.address = f"ray://{LOOPBACK}:{port}"
        self._nodes: list[Any] = []
        with contextlib.ExitStack() as held, _starting_nodes():
            held.callback(self._environment.stop)
            self._cluster = Cluster(
                initialize_head=True,
                head_node_args={
                    **self._node(),
                    "ray_client_server_port": port,
                    "include_dashboard": False,
                    "no_monitor": True,
                },
            )
            held.pop_all()

    def open(self) -> ClusterExecutor:
        executor = open_cluster(self.address)
        with unless_ray_cannot_start():
            executor.connect()
        return executor

    def add_worker(self) -> None:
        with _starting_nodes():
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
        self._environment.stop()

    @staticmethod
    def _node() -> dict[str, Any]:
        return {
            "metrics_export_port": free_port(),
            "metrics_agent_port": free_port(),
            "dashboard_agent_listen_port": free_port(),
            "runtime_env_agent_port": free_port(),
            "num_cpus": 1,
            "node_ip_address": LOOPBACK,
            "object_store_memory": 80_000_000,
            "include_log_monitor": False,
        }


class RayHead:
    """A Ray head that takes jobs, as ``ray start --head`` starts it; ``jobs`` is where."""

    def __init__(self, folder: Path) -> None:
        port = free_port()
        self.jobs = f"http://127.0.0.1:{port}"
        options = {
            "node-ip-address": LOOPBACK,
            "port": free_port(),
            "ray-client-server-port": free_port(),
            "dashboard-host": "127.0.0.1",
            "dashboard-port": port,
            "num-cpus": 1,
            "object-store-memory": 80_000_000,
            "metrics-export-port": free_port(),
            "dashboard-agent-grpc-port": free_port(),
            "dashboard-agent-listen-port": free_port(),
            "runtime-env-agent-port": free_port(),
        }
        ray = Path(sys.executable).with_name("ray")
        command = [ray, "start", "--head", "--block", *(f"--{name}={one}" for name, one in options.items())]
        log = folder / "head.log"
        with log.open("wb") as file:
            self._process = subprocess.Popen(
                command,
                env={**os.environ, **RAY_ENVIRONMENT, "PATH": f"{ray.parent}:{os.environ['PATH']}"},
                cwd=folder,
                stdout=file,
                stderr=file,
            )
        try:
            _wait_for_listener(port, self._process)
        except OSError as error:
            self.stop()
            raise RayCannotStart(log.read_text()[-2000:]) from error

    def stop(self) -> None:
        self._process.terminate()  # ends what it has started
        self._process.wait(60)


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


class RayCannotStart(Exception):
    """Ray says that it could not start a node."""


@contextlib.contextmanager
def unless_ray_cannot_start() -> Iterator[None]:
    """Skips a test where Ray itself says that it could not start a node, or the server of a client.

    All else fails it. Also with ``CI`` set, unlike for other servers: both end themselves where Python
    processes that import much are not up in time, which a crowded machine is enough for. It says nothing
    about our code.
    """
    try:
        yield
    except RayCannotStart as error:
        pytest.skip(f"Ray cannot start a node here: {error}")
    except ClusterError as error:
        if "Starting Ray client server failed" not in str(error):
            raise
        pytest.skip(f"Ray cannot start the server of a client here: {error}")


@contextlib.contextmanager
def _starting_nodes() -> Iterator[None]:
    """Has Ray wait two minutes for a node that it starts, and not 30 seconds, which is no setting of it.

    Raises:
        RayCannotStart: Ray says so.
    """
    from ray._private import services

    get_node = services.get_node

    def get_node_in_the_end(*arguments: Any) -> Any:
        ends = time.monotonic() + 120
        while True:
            try:
                return get_node(*arguments)
            except RuntimeError:
                if time.monotonic() > ends:
                    raise
                time.sleep(0.5)

    try:
        with mock.patch.object(services, "get_node", get_node_in_the_end):
            yield
    except (TypeError, ValueError, AttributeError, ImportError):  # it was asked wrongly
        raise
    except Exception as error:  # Ray raises nothing more exact where a node has not come up
        raise RayCannotStart(str(error)) from error


@contextlib.contextmanager
def opened(cluster: LocalCluster | DaskCluster | RayCluster) -> Iterator[ClusterExecutor]:
    """An executor over a cluster."""
    executor = cluster.open()
    executor.connect()
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
