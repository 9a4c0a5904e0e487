"""Who may come in: a bounded number that waits, each for a bounded time, and nobody while the doors close."""

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


__all__ = [
    "Admission",
    "Finders",
    "Lane",
    "Place",
    "in_threads",
]

LONGEST_RETRY = 60.0


class Place:
    """A place in the queue: left when the search's turn has come, at the latest when the search ends.

    Args:
        count: is told 1 or -1 when the search begins or ceases to wait.
    """

    def __init__(self, count: Callable[[int], None]) -> None:
        self._count = count
        self._leaving: list[Callable[[], None]] | None = None

    def wait(self) -> None:
        """The search waits: for the first time, or once more, for its next step."""
        if self._leaving is None:
            self._leaving = []
            self._count(1)

    def when_left(self, call: Callable[[], None]) -> None:
        """Has something done when the place is left; at once, where it has been left already."""
        if self._leaving is None:
            call()
        else:
            self._leaving.append(call)

    def leave_queue(self) -> None:
        """The search waits no longer: its turn has come, or it was given up."""
        if self._leaving is None:
            return
        leaving, self._leaving = self._leaving, None
        self._count(-1)
        for call in leaving:
            call()


class Admission:
    """Lets searches in. Belongs to one event loop.

    Args:
        queue_size: how many may wait at the same time.
        timeout: seconds that each may take.
        changed: is told how many wait, whenever that changes.

    Attributes:
        n_waiting: how many wait.
        pace: seconds between two that leave the queue when there is always one; 0 where it is not known.
    """

    def __init__(
        self, queue_size: int, timeout: float, changed: Callable[[int], None] = lambda n_waiting: None
    ) -> None:
        self.queue_size = queue_size
        self.timeout = timeout
        self.n_waiting = 0
        self.pace = 0.0
        self._inside: set[Place] = set()
        self._empty = asyncio.Event()
        self._empty.set()
        self._closed = False
        self._changed = changed

    @contextlib.asynccontextmanager
    async def place(self) -> AsyncIterator[Place]:
        """A place for one search, which is cancelled when its time is over.

        Raises:
            QueueFull: there is none.
            ServiceStopping: nobody is let in any more.
            SearchTimeout: the time was over.
        """
        if self._closed:
            raise ServiceStopping("the service is shutting down", retry_after=1.0)
        if self.n_waiting >= self.queue_size:
            raise QueueFull(
                f"{self.n_waiting} searches are waiting already, and no more are taken",
                retry_after=self._patience(),
            )
        place = Place(self._count)
        place.wait()
        self._inside.add(place)
        self._empty.clear()
        try:
            async with asyncio.timeout(self.timeout) as timer:
                yield place
        except TimeoutError as error:
            if not timer.expired():  # an error of the library that is a TimeoutError as well
                raise
            raise SearchTimeout(
                f"the search was not done within {self.timeout:g} seconds", retry_after=self._patience()
            ) from error
        finally:
            place.leave_queue()
            self._inside.discard(place)
            if not self._inside:
                self._empty.set()

    async def close(self) -> None:
        """Lets nobody in any more, and returns when all are out."""
        self._closed = True
        await self._empty.wait()

    def _count(self, difference: int) -> None:
        self.n_waiting += difference
        self._changed(self.n_waiting)

    def _patience(self) -> float:
        """After how many seconds there will be room, roughly."""
        return min(LONGEST_RETRY, max(1.0, self.n_waiting * self.pace))


# Threads that look products up: some for the searches everybody makes, one for those no index serves.

Result = TypeVar("Result")

SHARE_OF_OTHERS: Final = 4
"""One in so many places of the queue may be taken by searches that no index serves."""
OTHERS_RETRY: Final = 5.0


class Lane:
    """Searches that are made by the same threads. Belongs to one event loop.

    Args:
        threads: make them.
        most: how many may be inside, waiting or searching; any number if None.
    """

    def __init__(self, threads: Executor, most: int | None = None) -> None:
        self.threads = threads
        self.most = most
        self.n_inside = 0

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """A place in the lane.

        Raises:
            QueueFull: there is none.
        """
        if self.most is not None and self.n_inside >= self.most:
            raise QueueFull(
                f"{self.n_inside} searches in a space or metric that is not this shop's own are being made, "
                "and no more are taken",
                retry_after=OTHERS_RETRY,
                hint="leave space and metric out, or try again a little later",
            )
        self.n_inside += 1
        try:
            yield
        finally:
            self.n_inside -= 1

    async def run(self, find: Callable[[], Result], begun: Callable[[], None]) -> Result:
        """Searches in a thread of the lane; ``begun`` is called in the event loop when one takes it up."""
        loop = asyncio.get_running_loop()

        def work() -> Result:
            loop.call_soon_threadsafe(begun)
            return find()

        return await in_threads(self.threads, work)


class Finders:
    """The threads of one workspace.

    A client may name any space and metric, and most have no index: such a search reads every vector, in a
    space that is not fitted after a fit. One thread makes all of these, and the others stay free.

    Args:
        workspace: what is searched.
        n_threads: for its own space and metric.
        queue_size: of the service.
    """

    def __init__(self, workspace: Workspace, n_threads: int, queue_size: int) -> None:
        self.workspace = workspace
        self.own = Lane(ThreadPoolExecutor(n_threads, "stylesearch-find"))
        most = max(1, queue_size // SHARE_OF_OTHERS)
        self.others = Lane(ThreadPoolExecutor(1, "stylesearch-find-other"), most)

    def lane_of(self, searcher: Searcher) -> Lane:
        """Where to search with it; blocks for a moment."""
        return self.own if self._is_own(searcher) else self.others

    def shutdown(self) -> None:
        """Ends the threads; nobody waits for what may still run there."""
        for lane in (self.own, self.others):
            lane.threads.shutdown(wait=False, cancel_futures=True)

    def _is_own(self, searcher: Searcher) -> bool:
        try:
            own = self.workspace.searcher(throughput=True)
        except StyleSearchError:  # the workspace's model was removed: whoever names no other is told so
            return False
        if searcher is not own:
            return False
        home = searcher.gallery.location
        if not is_trained(home.space):
            return True
        from stylesearch.search.maintenance import metrics_in_use

        return searcher.gallery.metric in metrics_in_use(home)


async def in_threads(executor: Executor, work: Callable[[], Result]) -> Result:
    """Calls something that blocks, in a thread."""
    return await asyncio.get_running_loop().run_in_executor(executor, work)
