"""Searching for many clients at once: a bounded queue, photos computed together, time-outs that cancel."""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from stylesearch.extractors.engines.choose import choose_engine
from stylesearch.parallel import usable_cores
from stylesearch.serving.search.background import IndexCare, warm_up
from stylesearch.serving.search.batcher import Batcher
from stylesearch.serving.search.default_space import OWN_SPACE, searcher_of
from stylesearch.serving.search.queue import Admission, Finders, Lane, Place, in_threads

if TYPE_CHECKING:
    from stylesearch.search.searcher import QueryResult, Searcher, View
    from stylesearch.types import SearchRequest, SpaceChoice
    from stylesearch.workspace.workspace import Workspace

__all__ = ["Observe", "PhotoSearch", "SearchAnswer"]

log = logging.getLogger(__name__)

CALLS_AT_ONCE = 2
ENOUGH_IMAGES = {"CPU": 16, "GPU": 64}
"""Regions that keep the device busy. On two cores, calls with two photos of 16 regions gave no more answers
than calls with one, and a slower last twentieth; photos of few regions, or of a box, gain by company."""
MOST_FINDERS = 4
"""Searches of the gallery at the same time: each uses several cores, and a connection to the catalog."""
PACE_OF_CHANGE = 0.2
CARE_EVERY = 15.0
"""Seconds between two looks at whether the indexes want building."""
NO_IMAGES = np.empty((0, 0, 0, 3), np.uint8)
BATCHES_AHEAD = 2
"""How many batches of decoded photos may lie ready for the network; each photo of 16 regions takes 5 MB."""

Observe = Callable[[str, float], None]
"""Is told ``("decode" | "wait" | "extract" | "search", seconds)``, ``("batch", photos)`` and
``("queue", searches that wait)``, the last whenever it changes; from any thread."""


@dataclass(frozen=True, slots=True)
class SearchAnswer:
    """What was found, and what a client wants to know beside it.

    Attributes:
        result: hits, regions, and the seconds of ``decode``, ``extract`` and ``search``.
        width, height: of the upright photo in pixels; None when the search was for a product.
        wait: seconds that the search waited for its turn, at any step.
        extractor: the extractor's name.
        space: in which it was searched.
        metric: with which.
    """

    result: QueryResult
    width: int | None
    height: int | None
    wait: float
    extractor: str
    space: str
    metric: str


class PhotoSearch:
    """Searches one workspace for many clients; one of these a process, used from one event loop.

    A photo goes through three steps, each in threads of its own: it is decoded and cut into regions, the
    network makes features of these (of several photos in one call, oldest first), and the products nearest
    to them are looked up (:mod:`stylesearch.serving.search.queue`). While the network has one photo the
    next ones are decoded, a few and no more, so that memory stays bounded. Nothing here blocks the event
    loop.

    A search that is cancelled, since its time is over or its client has gone, leaves every queue at once;
    only a step that has begun is finished.

    Args:
        workspace: what is searched.
        queue_size: searches that may wait at the same time; more are refused with :class:`QueueFull`.
        batch_size: photos that one call of the extractor takes at most.
        batch_wait: seconds that a photo waits for others which are being decoded, when it would be alone.
        timeout: seconds after which a search ends with :class:`SearchTimeout`.
        max_pixels: photos with more pixels are refused before they are decoded.
        observe: is told how long each step took.
    """

    def __init__(
        self,
        workspace: Workspace,
        *,
        queue_size: int,
        batch_size: int,
        batch_wait: float,
        timeout: float,
        max_pixels: int,
        observe: Observe | None = None,
    ) -> None:
        self.workspace = workspace
        self.max_pixels = max_pixels
        self.ready = False
        self._observe = observe or (lambda what, value: None)
        n_cores = usable_cores()
        self._decoders = ThreadPoolExecutor(n_cores, "stylesearch-decode")
        self._extractors = ThreadPoolExecutor(CALLS_AT_ONCE, "stylesearch-extract")
        self._finders = Finders(workspace, min(n_cores, MOST_FINDERS), queue_size)
        self._admission = Admission(queue_size, timeout, lambda n_waiting: self._observe("queue", n_waiting))
        self._batcher = Batcher(
            self._extractors,
            batch_size=batch_size,
            batch_wait=batch_wait,
            n_at_once=CALLS_AT_ONCE,
            enough_images=ENOUGH_IMAGES[_device(workspace)],
            more_coming=lambda: self._n_decoding > 0,
            observe=lambda n_photos: self._observe("batch", n_photos),
        )
        self._index_care = IndexCare(workspace)
        self._carer = ThreadPoolExecutor(1, "stylesearch-care")
        self._caring: asyncio.Task[None] | None = None
        self._starting = asyncio.Lock()
        self._room_for_decoded = asyncio.Semaphore(BATCHES_AHEAD * batch_size)
        self._n_decoding = 0

    @property
    def queue_length(self) -> int:
        """Searches that wait for their turn."""
        return self._admission.n_waiting

    async def start(self) -> None:
        """Loads the network, opens the gallery and searches once, so that the first client does not wait.

        A workspace with nothing in it yet is no error: it is searched as soon as there is something.

        Raises:
            ExtractorError: the network cannot be loaded.
        """
        if self.ready:
            return
        async with self._starting:
            if not self.ready:
                loop = asyncio.get_running_loop()
                await loop.run_in_executor(self._extractors, warm_up, self.workspace)
                self._caring = loop.create_task(self._care())
                self.ready = True

    async def stop(self) -> None:
        """Takes nothing new, and returns when all that was begun has been answered."""
        self.ready = False
        self._index_care.stop()
        await self._admission.close()
        if self._caring is not None:
            self._caring.cancel()
            await asyncio.gather(self._caring, return_exceptions=True)
        self._finders.shutdown()
        for executor in (self._decoders, self._extractors, self._carer):
            # Nobody waits for what may still run there: it was given up.
            executor.shutdown(wait=False, cancel_futures=True)

    async def search(
        self,
        photo: bytes,
        request: SearchRequest,
        choice: SpaceChoice = OWN_SPACE,
    ) -> SearchAnswer:
        """Products that a photo shows; see :meth:`stylesearch.search.searcher.Searcher.query`.

        Args:
            photo: the bytes of a picture.
            request: how many products, of which category, in which part of the photo.
            choice: the space and the metric; the workspace's own if not given.

        Raises:
            ImageError: the photo cannot be used.
            UnknownName: no such space or model.
            ConfigError: the model takes another metric.
            OwnSpaceUnusable: the space or the extractor of the settings is wanted, and cannot be used.
            NotInCatalog: no such category, or there is nothing to search in.
            QueueFull, SearchTimeout, ServiceStopping: it cannot be done now.
        """
        began = time.perf_counter()
        async with self._admission.place() as place:
            await self.start()
            searcher, lane, view = await self._view_of(place, photo, request, choice)
            with lane.entered():
                computed = await self._batcher.compute(searcher.extractor, view.images, place.leave_queue)
                place.wait()
                view = dataclasses.replace(view, images=NO_IMAGES)  # they are not held while it waits
                self._observe("extract", computed.seconds)
                pace = computed.seconds / computed.n_photos / CALLS_AT_ONCE
                self._admission.pace += PACE_OF_CHANGE * (pace - self._admission.pace)
                find = functools.partial(
                    searcher.find,
                    view,
                    computed.features,
                    request,
                    seconds={"extract": computed.seconds},
                )
                result = await lane.run(find, place.leave_queue)
            return self._answer(searcher, result, view, time.perf_counter() - began)

    async def similar(
        self, product_id: str, request: SearchRequest, choice: SpaceChoice = OWN_SPACE
    ) -> SearchAnswer:
        """Products that look like one in the catalog, which is itself left out.

        Args:
            product_id: of the product.
            request: how many products, and of which category.
            choice: the space and the metric; the workspace's own if not given.

        Raises:
            NotInCatalog: no such product or category, or it has no features.
            UnknownName, ConfigError, OwnSpaceUnusable: see :meth:`search`.
            QueueFull, SearchTimeout, ServiceStopping: see :meth:`search`.
        """
        began = time.perf_counter()
        async with self._admission.place() as place:
            await self.start()
            choose = functools.partial(self._chosen, choice)
            searcher, lane = await in_threads(self._finders.own.threads, choose)
            with lane.entered():
                find = functools.partial(searcher.similar, product_id, request)
                result = await lane.run(find, place.leave_queue)
            return self._answer(searcher, result, None, time.perf_counter() - began)

    async def _view_of(
        self, place: Place, photo: bytes, request: SearchRequest, choice: SpaceChoice
    ) -> tuple[Searcher, Lane, View]:
        """A photo's regions, made as soon as fewer than a few photos lie ready for the network."""
        await self._room_for_decoded.acquire()
        place.when_left(self._room_for_decoded.release)
        self._n_decoding += 1
        try:
            look = functools.partial(self._look, photo, request, choice)
            searcher, lane, view = await in_threads(self._decoders, look)
        finally:
            self._n_decoding -= 1
            self._batcher.look_again()  # what waited for this one may wait in vain
        self._observe("decode", view.seconds)
        return searcher, lane, view

    def _look(self, photo: bytes, request: SearchRequest, choice: SpaceChoice) -> tuple[Searcher, Lane, View]:
        searcher, lane = self._chosen(choice)
        return searcher, lane, searcher.look(photo, request, max_pixels=self.max_pixels)

    def _chosen(self, choice: SpaceChoice) -> tuple[Searcher, Lane]:
        """Asked for each photo: a model may have been trained anew, or the first products been ingested."""
        searcher = searcher_of(self.workspace, choice)
        return searcher, self._finders.lane_of(searcher)

    def _answer(
        self, searcher: Searcher, result: QueryResult, view: View | None, seconds: float
    ) -> SearchAnswer:
        wait = max(0.0, seconds - sum(result.seconds.values()))
        self._observe("search", result.seconds["search"])
        self._observe("wait", wait)
        return SearchAnswer(
            result,
            view.width if view else None,
            view.height if view else None,
            wait,
            searcher.extractor.name,
            searcher.gallery.location.space,
            searcher.gallery.metric,
        )

    async def _care(self) -> None:
        while True:
            await asyncio.sleep(CARE_EVERY)
            try:
                await in_threads(self._carer, self._index_care.look)
            except Exception:  # searches go on; the next look may do better
                log.exception("the indexes could not be looked after")


def _device(workspace: Workspace) -> str:
    settings = workspace.settings
    return choose_engine(settings.engine, settings.precision, throughput=True).device
