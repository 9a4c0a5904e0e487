"""The bounded request queue, and the thread pools that look products up.

``RequestQueue`` limits how many searches wait and how long each may take. ``SearchPools`` runs slow
searches, which no index serves, in their own pool, so that they do not delay others.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, TypeVar

from stylesearch.errors import StyleSearchError
from stylesearch.models.card import is_trained
from stylesearch.serving.problems import QueueFull, SearchTimeout, ServiceStopping

if TYPE_CHECKING:
    from stylesearch.search.searcher import Searcher
    from stylesearch.workspace.workspace import Workspace

__all__ = ["Pool", "QueueTicket", "RequestQueue", "SearchPools"]

Result = TypeVar("Result")

MIN_RETRY: Final = 1.0
MAX_RETRY: Final = 60.0
"""Bounds of ``Retry-After`` of a full queue, in seconds."""

OTHER_SHARE: Final = 4
"""Searches that no index serves may take one in so many places of the queue."""
OTHER_RETRY: Final = 5.0
"""``Retry-After``, in seconds, where these are too many."""


class QueueTicket:
    """The entry of a search in a ``RequestQueue``, which counts it while it waits.

    Args:
        count: called with 1 when the search begins to wait, and with -1 when it ends waiting.
    """

    def __init__(self, count: Callable[[int], None]) -> None:
        self._count = count
        self._callbacks: list[Callable[[], None]] | None = None

    def wait(self) -> None:
        """Counts the search as waiting, first or again for its next step."""
        if self._callbacks is None:
            self._callbacks = []
            self._count(1)

    def leave(self) -> None:
        """Counts the search as no longer waiting: it has started, or was cancelled."""
        if self._callbacks is None:
            return
        callbacks, self._callbacks = self._callbacks, None
        self._count(-1)
        for call in callbacks:
            call()

    def on_leave(self, call: Callable[[], None]) -> None:
        """Calls a function when the search leaves the queue; at once if it has left already."""
        if self._callbacks is None:
            call()
        else:
            self._callbacks.append(call)


class RequestQueue:
    """Bounded request queue; refuses new requests when full or during shutdown.

    Belongs to one event loop.

    Args:
        size: number of searches that may wait at the same time.
        timeout: seconds that each may take, waiting included.
        on_change: called with the number of waiting searches when it changes.

    Attributes:
        n_waiting: number of waiting searches.
        pace: seconds between two searches that leave a queue that is not empty; 0 if not known.
    """

    def __init__(
        self, size: int, timeout: float, on_change: Callable[[int], None] = lambda n_waiting: None
    ) -> None:
        self.size = size
        self.timeout = timeout
        self.n_waiting = 0
        self.pace = 0.0
        self._on_change = on_change
        self._tickets: set[QueueTicket] = set()
        self._empty = asyncio.Event()
        self._empty.set()
        self._closed = False

    @contextlib.asynccontextmanager
    async def enter(self) -> AsyncIterator[QueueTicket]:
        """Queues a search, and cancels it when its time is over.

        Raises:
            QueueFull: too many searches wait.
            ServiceStopping: the queue is closed.
            SearchTimeout: the search took too long.
        """
        if self._closed:
            raise ServiceStopping("the service is shutting down", retry_after=MIN_RETRY)
        if self.n_waiting >= self.size:
            raise QueueFull(
                f"{self.n_waiting} searches are waiting already, and no more are taken",
                retry_after=self._retry_after(),
            )
        ticket = QueueTicket(self._count)
        ticket.wait()
        self._tickets.add(ticket)
        self._empty.clear()
        try:
            async with asyncio.timeout(self.timeout) as timer:
                yield ticket
        except TimeoutError as error:
            if not timer.expired():  # an error of the library that derives from TimeoutError
                raise
            raise SearchTimeout(
                f"the search was not done within {self.timeout:g} seconds", retry_after=self._retry_after()
            ) from error
        finally:
            ticket.leave()
            self._tickets.discard(ticket)
            if not self._tickets:
                self._empty.set()

    async def close(self) -> None:
        """Refuses new searches, and returns when all others have ended."""
        self._closed = True
        await self._empty.wait()

    def _count(self, difference: int) -> None:
        self.n_waiting += difference
        self._on_change(self.n_waiting)

    def _retry_after(self) -> float:
        """Estimates the seconds until the queue is empty."""
        return min(MAX_RETRY, max(MIN_RETRY, self.n_waiting * self.pace))


class Pool:
    """Threads that look products up, with a limit on their searches. Belongs to one event loop.

    Args:
        threads: the threads.
        max_searches: number of searches that may wait or run; None for any number.

    Attributes:
        n_searches: number of searches that wait or run.
    """

    def __init__(self, threads: Executor, max_searches: int | None = None) -> None:
        self.threads = threads
        self.max_searches = max_searches
        self.n_searches = 0

    @contextlib.contextmanager
    def reserve(self) -> Iterator[None]:
        """Counts a search of the pool, until it ends.

        Raises:
            QueueFull: the pool has as many searches as it may.
        """
        if self.max_searches is not None and self.n_searches >= self.max_searches:
            raise QueueFull(
                f"{self.n_searches} searches in a space or metric that is not this shop's own are being "
                "made, and no more are taken",
                retry_after=OTHER_RETRY,
                hint="leave space and metric out, or try again a little later",
            )
        self.n_searches += 1
        try:
            yield
        finally:
            self.n_searches -= 1

    async def run(self, find: Callable[[], Result], on_start: Callable[[], None]) -> Result:
        """Searches in a thread of the pool; ``on_start`` is called in the event loop when it starts."""
        loop = asyncio.get_running_loop()

        def work() -> Result:
            loop.call_soon_threadsafe(on_start)
            return find()

        return await loop.run_in_executor(self.threads, work)


class SearchPools:
    """The thread pools of a workspace: one for its default space and metric, one for all others.

    A client may name any space and metric, most of which have no index: such a search reads every vector, and
    first fits the space if it was never fitted. One thread runs all of these; the others stay free.

    Args:
        workspace: the workspace to search.
        n_threads: number of threads for its default space and metric.
        queue_size: number of searches that may wait in the service.
    """

    def __init__(self, workspace: Workspace, n_threads: int, queue_size: int) -> None:
        self.workspace = workspace
        self.default = Pool(ThreadPoolExecutor(n_threads, "stylesearch-find"))
        max_others = max(1, queue_size // OTHER_SHARE)
        self.other = Pool(ThreadPoolExecutor(1, "stylesearch-find-other"), max_others)

    def pool_for(self, searcher: Searcher) -> Pool:
        """Returns the pool of a searcher; blocks for a moment."""
        return self.default if self._is_default(searcher) else self.other

    def shutdown(self) -> None:
        """Ends the threads, without waiting for searches that still run."""
        for pool in (self.default, self.other):
            pool.threads.shutdown(wait=False, cancel_futures=True)

    def _is_default(self, searcher: Searcher) -> bool:
        try:
            default = self.workspace.searcher(throughput=True)
        except StyleSearchError:  # its model was removed, which searches in the default space report
            return False
        if searcher is not default:
            return False
        home = searcher.gallery.location
        if not is_trained(home.space):
            return True
        from stylesearch.search.maintenance import metrics_in_use

        return searcher.gallery.metric in metrics_in_use(home)
