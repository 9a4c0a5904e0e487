"""Cores and threads: rows that are shared among threads, and how long a thread waits for Python."""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

__all__ = ["limit_cores", "parallel_rows", "quick_switches", "run_bounded", "usable_cores"]

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


def run_bounded(work: Callable[[str], None], sizes: Mapping[str, int], at_once: int) -> Iterator[str]:
    """Runs ``work(name)`` for every name, the largest first, in as many threads as there are cores.

    In these threads ``parallel_rows`` stays on one core. A single name, or one core, needs no thread.

    Args:
        work: a function that spends its time outside of Python's lock for the most part.
        sizes: size of each piece of work by its name.
        at_once: the sum of the sizes that are worked on at the same time; a larger one runs alone.

    Yields:
        each name when it is done. An error of ``work``, or closing the generator, begins nothing more and
        waits for what was begun.
    """
    waiting = sorted(sizes, key=lambda name: -sizes[name])
    n_threads = min(usable_cores(), len(waiting))
    if n_threads < 2:
        for name in waiting:
            work(name)
            yield name
        return
    with ThreadPoolExecutor(n_threads, thread_name_prefix=f"{_HELPER}-work") as pool:
        running: dict[Future[None], str] = {}
        while waiting or running:
            room = at_once - sum(sizes[name] for name in running.values())
            while len(running) < n_threads:
                chosen = next((name for name in waiting if sizes[name] <= room), None)
                if chosen is None and waiting and not running:
                    chosen = waiting[0]
                if chosen is None:
                    break
                waiting.remove(chosen)
                room -= sizes[chosen]
                running[pool.submit(work, chosen)] = chosen
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                name = running.pop(future)
                future.result()
                yield name


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
