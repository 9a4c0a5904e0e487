"""The interface of a cluster: workers that come and go, each of which is given calls by its name."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from typing import Protocol

from stylesearch.errors import ClusterError

__all__ = ["WorkerLost", "Workers"]


class WorkerLost(ClusterError):
    """A worker died, or cannot be reached any more, before it had answered."""


class Workers(Protocol):
    """The workers of one cluster. They never repeat a call by themselves: their caller gives it to another.

    All methods are called from one thread.
    """

    def present(self) -> Mapping[str, int]:
        """The workers that are there now: how many calls each runs at once, by name.

        A worker that died and was started again has another name.

        Raises:
            ClusterError: the cluster cannot be asked just now.
        """
        ...

    def call(self, worker: str, call: bytes, version: str) -> Future[bytes]:
        """Runs ``stylesearch.features.cluster.worker.run_pickled`` in one worker, and in no other.

        Returns:
            the future of what it returns. It fails with ``WorkerLost`` where the worker died; any other
            exception means that the worker cannot run it, whatever the call is. It may stay unfinished where
            ``present`` has the worker no more.
        """
        ...

    def close(self) -> None:
        """Drops what still runs, and lets go of the cluster, which itself stays as it is."""
        ...
