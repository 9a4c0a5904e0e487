"""Cores and threads: rows that are shared among threads, and how long a thread waits for Python."""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait

__all__ = ["limit_cores", "parallel_rows", "quick_switches", "usable_cores"]

# Multiplications below which a second thread costs more than it saves.
_WORTH_A_THREAD = 8_000_000
_HELPER = "stylesearch-share"

_limit: int | None = None


def usable_cores() -> int:
    """Number of cores that this process may run on, or was limited to."""
    n_cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return n_cores if _limit is None else min(n_cores, _limit)


def limit_cores(n_cores: int | None) -> None:
    """Limits the number of cores that this process uses, as one of several that share a machine.

    It is not tied to particular cores. Call it before a network is loaded; None removes the limit.

    Raises:
        ValueError: fewer than one.
    """
    global _limit
    if n_cores is not None and n_cores < 1:
        raise ValueError(f"a process needs a core. Received: {n_cores}")
    _limit = n_cores
    _helpers.cache_clear()


def parallel_rows(work: Callable[[int, int], None], n_rows: int, cost_of_a_row: int) -> None:
    """Runs ``work(start, stop)`` over all rows, in as many threads as there are cores where that is faster.

    Args:
        work: a function that spends its time in NumPy, which releases the interpreter lock.
        n_rows: number of rows.
        cost_of_a_row: rough cost of a row, in multiplications.
    """
    n_threads = min(usable_cores(), n_rows, 1 + n_rows * cost_of_a_row // _WORTH_A_THREAD)
    nested = threading.current_thread().name.startswith(_HELPER)  # helpers do not wait for each other
    if n_threads < 2 or nested:
        work(0, n_rows)
        return
    edges = [n_rows * i // n_threads for i in range(n_threads + 1)]
    others = [_helpers().submit(work, *part) for part in itertools.pairwise(edges[1:])]
    try:
        work(edges[0], edges[1])
    finally:
        wait(others)  # also after an error: no thread may write after the return
    for other in others:
        other.result()


@functools.cache
def _helpers() -> ThreadPoolExecutor:
    """The shared pool: starting threads anew for each search would take as long as a small search."""
    return ThreadPoolExecutor(max(1, usable_cores() - 1), thread_name_prefix=_HELPER)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_helpers.cache_clear)  # threads are not copied by a fork


# Python hands its lock from one thread to another every 5 ms, which is as long as a picture takes to decode.
_SWITCH_SECONDS = 0.0005

_switching = threading.Lock()
_n_switching = 0
_usual_seconds = 0.0


@contextlib.contextmanager
def quick_switches() -> Iterator[None]:
    """Has threads wait a tenth as long for Python's lock in a block; for the whole process.

    For threads that work outside of Python for the most part, beside one that does not. Any number of blocks
    may be under way at once; the last one to end brings the interval of before back.
    """
    global _n_switching, _usual_seconds
    with _switching:
        if _n_switching == 0:
            _usual_seconds = sys.getswitchinterval()
            sys.setswitchinterval(min(_SWITCH_SECONDS, _usual_seconds))
        _n_switching += 1
    try:
        yield
    finally:
        with _switching:
            _n_switching -= 1
            if _n_switching == 0:
                sys.setswitchinterval(_usual_seconds)
