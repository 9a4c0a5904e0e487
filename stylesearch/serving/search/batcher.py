"""Batches photos of concurrent searches into calls of an extractor, oldest first."""

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
        features: float32, shape (n, dim).
        seconds: how long they took, together with what was computed along with them.
        n_photos: how many were computed together.
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
    """Extracts features of photos in threads, oldest first and several photos in one call.

    A photo whose search was cancelled is not computed. Belongs to one event loop.

    Args:
        executor: runs the extractor.
        batch_size: how many photos one call takes at most.
        batch_wait: seconds that a photo waits for others that are on their way, when a batch is not full.
        n_at_once: how many calls run at the same time.
        enough_images: regions with which a call is full, whatever the number of photos: larger calls make
            each photo wait for the others and gain nothing.
        more_coming: returns whether photos are on their way.
        observe: is called with the number of photos of each call.
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
        """Photos that wait to be computed."""
        return sum(not job.done.done() for job in self._waiting)

    async def compute(
        self,
        extractor: Extractor,
        images: npt.NDArray[np.uint8],
        on_start: Callable[[], None] = lambda: None,
    ) -> PhotoFeatures:
        """Queues a photo's regions, and returns their features when a call has made them.

        Args:
            extractor: makes them.
            images: the regions, uint8, shape (n, size, size, 3).
            on_start: is called when the photo's turn has come.
        """
        job = _Job(extractor, images, asyncio.get_running_loop().create_future(), on_start)
        self._waiting.append(job)
        self.start_batches()
        return await job.done  # cancelled with the task that waits here

    def start_batches(self) -> None:
        """Starts the calls that can start now; to be called when ``more_coming`` has changed."""
        while len(self._running) < self.n_at_once and (batch := self._next_batch()):
            task = asyncio.get_running_loop().create_task(self._run(batch))
            self._running.add(task)

    def _next_batch(self) -> list[_Job]:
        """The oldest photo and those right behind it with the same extractor; none while it is to wait."""
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
    """Features of several photos in one call, photo by photo, and the seconds it took."""
    began = time.perf_counter()
    together = np.concatenate(images) if len(images) > 1 else images[0]
    features = extractor.extract(together)
    edges = np.cumsum([len(one) for one in images])[:-1]
    return np.split(features, edges), time.perf_counter() - began
