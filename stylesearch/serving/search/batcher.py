"""Computing what waits, several at once, in the order in which it came."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from stylesearch.extractors.base import Extractor

__all__ = ["Batcher", "Computed"]


@dataclass(frozen=True, eq=False, slots=True)
class Computed:
    """Features of one photo.

    Attributes:
        features: float32, shape (n, dim).
        seconds: how long they took, together with what was computed along with them.
        n_photos: how many were computed together.
    """

    features: npt.NDArray[np.float32]
    seconds: float
    n_photos: int


@dataclass(eq=False, slots=True)
class _Waiting:
    extractor: Extractor
    images: npt.NDArray[np.uint8]
    done: asyncio.Future[Computed]
    begun: Callable[[], None]
    since: float = field(default_factory=time.perf_counter)


class Batcher:
    """Makes features of photos in threads: first come, first served, and several photos in one call.

    What nobody waits for any more (the waiting task was cancelled) is not computed. Belongs to one event
    loop.

    Args:
        executor: runs the extractor.
        batch_size: how many photos one call takes at most.
        enough_images: regions with which a call is full, whatever the number of photos: larger calls make
            each photo wait for the others and gain nothing.
        batch_wait: seconds that a photo waits for others that are on their way, when a batch is not full.
        n_at_once: how many calls run at the same time.
        more_coming: whether photos are on their way.
        observe: is told how many photos each call took.
    """

    def __init__(
        self,
        executor: Executor,
        *,
        batch_size: int,
        batch_wait: float,
        n_at_once: int,
        enough_images: int = 16,
        more_coming: Callable[[], bool] = lambda: False,
        observe: Callable[[int], None] = lambda n_photos: None,
    ) -> None:
        self.batch_size = batch_size
        self.batch_wait = batch_wait
        self.n_at_once = n_at_once
        self.enough_images = enough_images
        self._executor = executor
        self._more_coming = more_coming
        self._observe = observe
        self._waiting: deque[_Waiting] = deque()
        self._running: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def n_waiting(self) -> int:
        """Photos that wait to be computed."""
        return sum(not one.done.done() for one in self._waiting)

    async def compute(
        self,
        extractor: Extractor,
        images: npt.NDArray[np.uint8],
        begun: Callable[[], None] = lambda: None,
    ) -> Computed:
        """Features of a photo's regions; see :meth:`stylesearch.extractors.base.Extractor.extract`.

        Args:
            extractor: makes them.
            images: the regions.
            begun: is called when the photo's turn has come.
        """
        one = _Waiting(extractor, images, asyncio.get_running_loop().create_future(), begun)
        self._waiting.append(one)
        self.look_again()
        return await one.done  # cancelled with whoever waits here

    def look_again(self) -> None:
        """Begins what can be begun; to be called when ``more_coming`` has changed."""
        while len(self._running) < self.n_at_once and (batch := self._next_batch()):
            task = asyncio.get_running_loop().create_task(self._run(batch))
            self._running.add(task)

    def _next_batch(self) -> list[_Waiting]:
        """The oldest photo and those right behind it that take the same extractor; none if it shall wait."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._waiting = deque(one for one in self._waiting if not one.done.done())
        if not self._waiting:
            return []
        oldest = self._waiting[0]
        spare = oldest.since + self.batch_wait - time.perf_counter()
        is_full = (
            len(self._waiting) >= self.batch_size
            or sum(len(one.images) for one in self._waiting) >= self.enough_images
        )
        if not is_full and spare > 0 and self._more_coming():
            self._timer = asyncio.get_running_loop().call_later(spare, self.look_again)
            return []
        batch = [self._waiting.popleft()]
        n_images = len(oldest.images)
        while self._waiting and len(batch) < self.batch_size:
            following = self._waiting[0]
            n_images += len(following.images)
            if following.extractor is not oldest.extractor or n_images > self.enough_images:
                break
            batch.append(self._waiting.popleft())
        return batch

    async def _run(self, batch: list[_Waiting]) -> None:
        try:
            self._observe(len(batch))
            for one in batch:
                one.begun()
            loop = asyncio.get_running_loop()
            images = [one.images for one in batch]
            found, seconds = await loop.run_in_executor(self._executor, _extract, batch[0].extractor, images)
            for one, features in zip(batch, found, strict=True):
                if not one.done.done():
                    one.done.set_result(Computed(features, seconds, len(batch)))
        except BaseException as error:
            for one in batch:
                if not one.done.done():
                    one.done.set_exception(error) if isinstance(error, Exception) else one.done.cancel()
            if not isinstance(error, Exception):
                raise
        finally:
            task = asyncio.current_task()
            assert task is not None
            self._running.discard(task)
            self.look_again()


def _extract(
    extractor: Extractor, images: list[npt.NDArray[np.uint8]]
) -> tuple[list[npt.NDArray[np.float32]], float]:
    """Features of several photos in one call, photo by photo, and the seconds it took."""
    began = time.perf_counter()
    together = np.concatenate(images) if len(images) > 1 else images[0]
    features = extractor.extract(together)
    edges = np.cumsum([len(one) for one in images])[:-1]
    return np.split(features, edges), time.perf_counter() - began
