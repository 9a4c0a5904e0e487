"""Threads that look products up: some for the searches everybody makes, one for those no index serves."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, TypeVar

from stylesearch.errors import StyleSearchError
from stylesearch.model_cards import is_trained
from stylesearch.serving.overload import QueueFull

if TYPE_CHECKING:
    from stylesearch.search import Searcher
    from stylesearch.workspace import Workspace

__all__ = ["Finders", "Lane", "in_threads"]

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
        home = searcher.gallery.home
        if not is_trained(home.space):
            return True
        from stylesearch.gallery import upkeep

        return searcher.gallery.metric in upkeep.metrics_in_use(home)


async def in_threads(executor: Executor, work: Callable[[], Result]) -> Result:
    """Calls something that blocks, in a thread."""
    return await asyncio.get_running_loop().run_in_executor(executor, work)
