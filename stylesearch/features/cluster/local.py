"""Worker processes of this machine: ``local:4``."""

from __future__ import annotations

import contextlib
import gc
import itertools
import multiprocessing
import os
import signal
from collections.abc import Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Final

from stylesearch.errors import ClusterError
from stylesearch.features.cluster.worker import run_pickled
from stylesearch.features.cluster.workers import WorkerLost
from stylesearch.parallel import usable_cores

__all__ = ["LocalWorkers"]


SECONDS_TO_START: Final = 10.0
"""How long the end of a process waits until it has begun."""


class LocalWorkers:
    """Processes that are started here, each anew if it dies.

    Each is a pool of one process, since a pool of several breaks as a whole when one of them dies. Entries
    may vanish at any time: the pools' own threads remove those of processes that have died.

    Args:
        n_processes: how many.
    """

    def __init__(self, n_processes: int) -> None:
        self._n_processes = n_processes
        self._n_cores = max(1, usable_cores() // n_processes)
        self._numbers = itertools.count(1)
        self._pools: dict[str, ProcessPoolExecutor] = {}
        self._pids: dict[str, Future[int]] = {}

    def present(self) -> Mapping[str, int]:
        while len(self._pools) < self._n_processes:
            name = f"local worker {next(self._numbers)}"
            # Spawned: a fork of a process with threads may wait for ever for a lock that one of them held.
            spawn = multiprocessing.get_context("spawn")
            pool = ProcessPoolExecutor(1, mp_context=spawn, initializer=_ignore_interruptions)
            try:
                pid = pool.submit(os.getpid)
            except OSError as error:
                pool.shutdown(wait=False)
                raise ClusterError(f"a process cannot be started: {error}") from error
            self._pools[name], self._pids[name] = pool, pid
        return dict.fromkeys(list(self._pools), self._n_cores)

    def call(self, worker: str, call: bytes, version: str) -> Future[bytes]:
        answer: Future[bytes] = Future()
        pool = self._pools.get(worker)
        if pool is None:
            raise WorkerLost(f"{worker} has died")
        try:
            running = pool.submit(run_pickled, call, version, self._n_cores)
        except BrokenProcessPool as error:
            self._forget(worker)
            raise WorkerLost(f"{worker} has died") from error

        def pass_on(done: Future[bytes]) -> None:
            if done.cancelled() or isinstance(done.exception(), BrokenProcessPool):
                self._forget(worker)  # the next look finds one too few
                answer.set_exception(WorkerLost(f"{worker} has died"))
            elif (error := done.exception()) is not None:
                answer.set_exception(error)
            else:
                answer.set_result(done.result())

        running.add_done_callback(pass_on)
        return answer

    def close(self) -> None:
        pools = [self._stop(name, pool) for name, pool in list(self._pools.items())]
        while pools:
            # Waits for the thread that has the pool's semaphores.
            pools.pop().shutdown(cancel_futures=True)
        gc.collect()  # else a command that ends at once leaves them to multiprocessing, which warns

    def _stop(self, worker: str, pool: ProcessPoolExecutor) -> ProcessPoolExecutor:
        """Ends the process of a pool, which is returned."""
        pid = self._pids.get(worker)
        if pid is not None:  # else it has died just now
            with contextlib.suppress(ProcessLookupError, BrokenProcessPool, TimeoutError):
                os.kill(pid.result(SECONDS_TO_START), signal.SIGTERM)
            self._forget(worker)
        return pool

    def _forget(self, worker: str) -> None:
        self._pools.pop(worker, None)
        self._pids.pop(worker, None)


def _ignore_interruptions() -> None:
    """Leaves Ctrl-C, which a terminal sends to all of its processes, to the one that started this one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
