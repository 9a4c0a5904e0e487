"""Groups photos of concurrent searches into calls of an extractor, oldest first."""

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

__all__ = ["Batcher", "PhotoFeatures"]


@dataclass(frozen=True, eq=False, slots=True)
class PhotoFeatures:
    """Features of one photo.

    Attributes:
        features: features of its regions, float32, shape (n, dim).
        seconds: time of the call that computed them.
        n_photos: number of photos in that call.
    """

    features: npt.NDArray[np.float32]
    seconds: float
    n_photos: int


@dataclass(eq=False, slots=True)
class _Job:
    extractor: Extractor
    images: npt.NDArray[np.uint8]
    done: asyncio.Future[PhotoFeatures]
    on_start: Callable[[], None]
    since: float = field(default_factory=time.perf_counter)


class Batcher:
    """Extracts features of photos in threads, oldest first, several photos in one call.

    Photos of cancelled searches are skipped. Belongs to one event loop.

    Args:
        executor: runs the extractor.
        batch_size: largest number of photos in a call.
        batch_wait: seconds that a photo waits for others that are being decoded, when a batch is not full.
        n_at_once: number of calls that run at the same time.
        enough_images: number of regions with which a call is full, whatever the number of photos: larger
            calls make each photo wait for the others and gain nothing.
        more_coming: returns whether photos are being decoded.
        observe: called with the number of photos of each call.
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
        self._waiting: deque[_Job] = deque()
        self._running: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def n_waiting(self) -> int:
        """Number of photos that wait to be computed."""
        return sum(not job.done.done() for job in self._waiting)

    async def compute(
        self,
        extractor: Extractor,
        images: npt.NDArray[np.uint8],
        on_start: Callable[[], None] = lambda: None,
    ) -> PhotoFeatures:
        """Queues a photo's regions, and returns their features when a call has computed them.

        Args:
            extractor: the extractor.
            images: the regions, uint8, shape (n, size, size, 3).
            on_start: called when the photo's call starts.
        """
        job = _Job(extractor, images, asyncio.get_running_loop().create_future(), on_start)
        self._waiting.append(job)
        self.start_batches()
        return await job.done  # cancelled together with the task that waits here

    def start_batches(self) -> None:
        """Starts all calls that can start; to be called when ``more_coming`` has changed."""
        while len(self._running) < self.n_at_once and (batch := self._next_batch()):
            task = asyncio.get_running_loop().create_task(self._run(batch))
            self._running.add(task)

    def _next_batch(self) -> list[_Job]:
        """Takes the oldest photo and those behind it with the same extractor; none while it should wait."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._waiting = deque(job for job in self._waiting if not job.done.done())
        if not self._waiting:
            return []
        oldest = self._waiting[0]
        spare = oldest.since + self.batch_wait - time.perf_counter()
        is_full = (
            len(self._waiting) >= self.batch_size
            or sum(len(job.images) for job in self._waiting) >= self.enough_images
        )
        if not is_full and spare > 0 and self._more_coming():
            self._timer = asyncio.get_running_loop().call_later(spare, self.start_batches)
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

    async def _run(self, batch: list[_Job]) -> None:
        try:
            self._observe(len(batch))
            for job in batch:
                job.on_start()
            loop = asyncio.get_running_loop()
            images = [job.images for job in batch]
            found, seconds = await loop.run_in_executor(self._executor, _extract, batch[0].extractor, images)
            for job, features in zip(batch, found, strict=True):
                if not job.done.done():
                    job.done.set_result(PhotoFeatures(features, seconds, len(batch)))
        except BaseException as error:
            for job in batch:
                if not job.done.done():
                    job.done.set_exception(error) if isinstance(error, Exception) else job.done.cancel()
            if not isinstance(error, Exception):
                raise
        finally:
            task = asyncio.current_task()
            assert task is not None
            self._running.discard(task)
            self.start_batches()


def _extract(
    extractor: Extractor, images: list[npt.NDArray[np.uint8]]
) -> tuple[list[npt.NDArray[np.float32]], float]:
    """Extracts features of several photos in one call; returns them photo by photo, and the seconds."""
    began = time.perf_counter()
    together = np.concatenate(images) if len(images) > 1 else images[0]
    features = extractor.extract(together)
    edges = np.cumsum([len(one) for one in images])[:-1]
    return np.split(features, edges), time.perf_counter() - began
