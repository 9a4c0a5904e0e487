"""Who may come in: a bounded number that waits, each for a bounded time, and nobody while the doors close."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from stylesearch.serving.overload import QueueFull, SearchTimeout, ServiceStopping

__all__ = ["Admission", "Place"]

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
