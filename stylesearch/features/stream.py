"""Work in threads, results in order, memory bounded: the two pieces that the ingest pipeline is made of."""

from __future__ import annotations

import collections
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from typing import TypeVar

__all__ = ["map_in_order"]

Given = TypeVar("Given")
Made = TypeVar("Made")


def map_in_order(
    executor: Executor, function: Callable[[Given], Made], items: Iterable[Given], *, window: int
) -> Iterator[Made]:
    """Like ``executor.map``, but takes from ``items`` only what fits into the window.

    Args:
        executor: runs ``function``.
        function: called once an item, in threads.
        items: read lazily, in the caller's thread.
        window: how many items may be on the way at once; the bound on memory.

    Yields:
        The results in the order of the items. An exception of ``function`` is raised in its place; what
        has not begun is cancelled when the caller stops early.
    """
    running: collections.deque[Future[Made]] = collections.deque()
    try:
        for item in items:
            running.append(executor.submit(function, item))
            if len(running) >= window:
                yield running.popleft().result()
        while running:
            yield running.popleft().result()
    finally:
        for future in running:
            future.cancel()
