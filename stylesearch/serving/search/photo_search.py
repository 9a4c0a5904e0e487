"""Searches a workspace for many clients at once, with a bounded queue, batches and time-outs."""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from stylesearch.extractors.engines.choose import choose_engine
from stylesearch.extractors.spec import ExtractorSpec
from stylesearch.images.limits import decoding_limits
from stylesearch.images.processes.allowance import Allowance, allow
from stylesearch.parallel import usable_cores
from stylesearch.serving.search.background import IndexMaintenance, warm_up
from stylesearch.serving.search.batcher import Batcher, PhotoFeatures
from stylesearch.serving.search.default_space import DEFAULT_SPACE, searcher_for
from stylesearch.serving.search.queue import Pool, QueueTicket, RequestQueue, SearchPools

if TYPE_CHECKING:
    from stylesearch.search.searcher import DetectResult, QueryResult, Searcher, View
    from stylesearch.types import SearchRequest, SpaceChoice
    from stylesearch.workspace.workspace import Workspace

__all__ = ["DetectAnswer", "Observe", "PhotoSearch", "SearchAnswer"]

log = logging.getLogger(__name__)

EXTRACT_CALLS_AT_ONCE = 2
ENOUGH_IMAGES = {"CPU": 16, "GPU": 64}
"""Regions that keep the device busy. On two cores, calls with two photos of 16 regions gave no more answers
than calls with one, and a slower last twentieth; photos of few regions, or of a box, gain by company."""
BATCHES_AHEAD = 2
"""How many batches of decoded photos may lie ready for the network; each photo of 16 regions takes 5 MB."""
MAX_SEARCH_THREADS = 4
"""Searches of the gallery at the same time: each uses several cores, and a connection to the catalog."""
PACE_SMOOTHING = 0.2
"""Weight of the newest photo in the moving average of ``RequestQueue.pace``."""
MAINTENANCE_SECONDS = 15.0
"""Between two runs of the index maintenance."""
NO_IMAGES = np.empty((0, 0, 0, 3), np.uint8)

Observe = Callable[[str, float], None]
"""Is called with ``("decode" | "wait" | "extract" | "search", seconds)``, ``("batch", photos)`` and
``("queue", searches that wait)``, the last whenever it changes; from any thread."""


@dataclass(frozen=True, slots=True)
class SearchAnswer:
    """The result of a search, with its space, metric and times.

    Attributes:
        result: hits, regions, and the seconds of ``decode``, ``extract`` and ``search``.
        width, height: size of the upright photo in pixels; None when the search was for a product.
        wait: seconds that the search waited, in all steps.
        extractor: spec of the extractor, with its input size.
        space: space of the distances.
        metric: metric of the distances.
    """

    result: QueryResult
    width: int | None
    height: int | None
    wait: float
    extractor: str
    space: str
    metric: str


@dataclass(frozen=True, slots=True)
class DetectAnswer:
    """The spots of a photo, with the times of finding them.

    Attributes:
        result: spots, size of the photo, and the seconds of ``decode`` and ``extract``.
        wait: seconds that the photo waited, in all steps.
        extractor: spec of the extractor, with its input size.
    """

    result: DetectResult
    wait: float
    extractor: str


class PhotoSearch:
    """Searches one workspace for many clients; one in each process, used from one event loop.

    A search has three steps, each with its own threads: the photo is decoded and cut into regions, the
    network extracts their features (of several photos in one call, oldest first), and the products nearest to
    them are looked up (``stylesearch.serving.search.queue``). While the network works, the next photos are
    decoded, but only a few, so that memory is bounded. Nothing here blocks the event loop.

    A search that is cancelled, because its time is over or its client has disconnected, leaves every queue at
    once; only a step that has begun is finished, and a decoder that works for long is ended.

    Args:
        workspace: the workspace to search.
        queue_size: number of searches that may wait at the same time; more are refused with ``QueueFull``.
        batch_size: largest number of photos in one call of the extractor.
        batch_wait: seconds that a photo waits for others that are being decoded, when it would be alone.
        timeout: seconds after which a search ends with ``SearchTimeout``.
        max_pixels: photos with more pixels are refused before they are decoded.
        observe: called with the duration of each step.
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
        n_slots = BATCHES_AHEAD * batch_size
        # Most of these threads wait for a decoder; only those that have a turn work.
        self._decoders = ThreadPoolExecutor(n_slots, "stylesearch-decode")
        self._turns = threading.Semaphore(n_cores)
        self._extractors = ThreadPoolExecutor(EXTRACT_CALLS_AT_ONCE, "stylesearch-extract")
        self._pools = SearchPools(workspace, min(n_cores, MAX_SEARCH_THREADS), queue_size)
        self._queue = RequestQueue(queue_size, timeout, lambda n_waiting: self._observe("queue", n_waiting))
        self._batcher = Batcher(
            self._extractors,
            batch_size=batch_size,
            batch_wait=batch_wait,
            n_at_once=EXTRACT_CALLS_AT_ONCE,
            enough_images=ENOUGH_IMAGES[_device(workspace)],
            more_coming=lambda: self._n_decoding > 0,
            observe=lambda n_photos: self._observe("batch", n_photos),
        )
        self._maintenance = IndexMaintenance(workspace)
        self._maintenance_thread = ThreadPoolExecutor(1, "stylesearch-maintenance")
        self._maintenance_task: asyncio.Task[None] | None = None
        self._starting = asyncio.Lock()
        self._decoded_slots = asyncio.Semaphore(n_slots)
        self._n_decoding = 0

    @property
    def queue_length(self) -> int:
        """Number of searches that wait."""
        return self._queue.n_waiting

    async def start(self) -> None:
        """Loads the network, opens the gallery and searches once, so that the first client does not wait.

        An empty workspace is no error: it is searched as soon as it has products.

        Raises:
            ExtractorError: the network cannot be loaded.
        """
        if self.ready:
            return
        async with self._starting:
            if not self.ready:
                loop = asyncio.get_running_loop()
                await loop.run_in_executor(self._extractors, warm_up, self.workspace)
                self._maintenance_task = loop.create_task(self._maintain_indexes())
                self.ready = True

    async def stop(self) -> None:
        """Refuses new searches, and returns when all others have been answered."""
        self.ready = False
        self._maintenance.stop()
        await self._queue.close()
        if self._maintenance_task is not None:
            self._maintenance_task.cancel()
            await asyncio.gather(self._maintenance_task, return_exceptions=True)
        self._pools.shutdown()
        for executor in (self._decoders, self._extractors, self._maintenance_thread):
            # Only steps of cancelled searches may still run there.
            executor.shutdown(wait=False, cancel_futures=True)

    async def search(
        self,
        photo: bytes,
        request: SearchRequest,
        choice: SpaceChoice = DEFAULT_SPACE,
    ) -> SearchAnswer:
        """Finds the products that a photo shows; see ``stylesearch.search.searcher.Searcher.query``.

        Args:
            photo: the bytes of an image file.
            request: how many products, of which category, and where the garment is in the photo.
            choice: the space and metric; by default those of the settings.

        Raises:
            ImageError: the photo cannot be used.
            UnknownName: no such space or model.
            ConfigError: the model takes another metric.
            OwnSpaceUnusable: the space or the extractor of the settings is wanted, and cannot be used.
            NotInCatalog: no such category, or there is nothing to search in.
            QueueFull, SearchTimeout, ServiceStopping: the service cannot answer now.
        """
        began = time.perf_counter()

        def look(searcher: Searcher) -> View:
            return searcher.look(photo, request, max_pixels=self.max_pixels)

        async with self._queue.enter() as ticket:
            await self.start()
            searcher, pool, view = await self._decode(ticket, choice, look)
            with pool.reserve():
                view, made = await self._extract(ticket, searcher, view)
                find = functools.partial(
                    searcher.find,
                    view,
                    made.features,
                    request,
                    seconds={"extract": made.seconds},
                )
                result = await pool.run(find, ticket.leave)
            return self._answer(searcher, result, view, time.perf_counter() - began)

    async def detect(self, photo: bytes) -> DetectAnswer:
        """Finds the spots of a photo; see ``stylesearch.search.searcher.Searcher.detect``.

        Args:
            photo: the bytes of an image file.

        Raises:
            ImageError, OwnSpaceUnusable, NotInCatalog: see ``search``.
            QueueFull, SearchTimeout, ServiceStopping: see ``search``.
        """
        began = time.perf_counter()

        def look(searcher: Searcher) -> View:
            return searcher.look_for_spots(photo, max_pixels=self.max_pixels)

        async with self._queue.enter() as ticket:
            await self.start()
            searcher, pool, view = await self._decode(ticket, DEFAULT_SPACE, look)
            with pool.reserve():
                view, made = await self._extract(ticket, searcher, view)
                name = functools.partial(
                    searcher.name_spots, view, made.features, seconds={"extract": made.seconds}
                )
                result = await pool.run(name, ticket.leave)
            wait = max(0.0, time.perf_counter() - began - sum(result.seconds.values()))
            self._observe("wait", wait)
            return DetectAnswer(result, wait, _spec_of(searcher))

    async def similar(
        self, product_id: str, request: SearchRequest, choice: SpaceChoice = DEFAULT_SPACE
    ) -> SearchAnswer:
        """Finds products that look like one of the catalog, which is itself left out.

        Args:
            product_id: id of the product.
            request, choice: see ``search``; a box is ignored.

        Raises:
            NotInCatalog: no such product or category, or it has no features.
            UnknownName, ConfigError, OwnSpaceUnusable: see ``search``.
            QueueFull, SearchTimeout, ServiceStopping: see ``search``.
        """
        began = time.perf_counter()
        async with self._queue.enter() as ticket:
            await self.start()
            select = functools.partial(self._select, choice)
            loop = asyncio.get_running_loop()
            searcher, pool = await loop.run_in_executor(self._pools.default.threads, select)
            with pool.reserve():
                find = functools.partial(searcher.similar, product_id, request)
                result = await pool.run(find, ticket.leave)
            return self._answer(searcher, result, None, time.perf_counter() - began)

    async def _decode(
        self, ticket: QueueTicket, choice: SpaceChoice, look: Callable[[Searcher], View]
    ) -> tuple[Searcher, Pool, View]:
        """Decodes a photo and cuts its regions, as soon as only a few other photos wait for the network."""
        await self._decoded_slots.acquire()
        ticket.on_leave(self._decoded_slots.release)
        self._n_decoding += 1

        cancelled = threading.Event()
        allowance = Allowance(decoding_limits().cpu_seconds, self._turns, cancelled)

        def decode() -> tuple[Searcher, Pool, View]:
            with allow(allowance):
                searcher, pool = self._select(choice)
                return searcher, pool, look(searcher)

        try:
            searcher, pool, view = await asyncio.get_running_loop().run_in_executor(self._decoders, decode)
        finally:
            cancelled.set()  # if it has not ended yet, nobody waits for it any more
            self._n_decoding -= 1
            self._batcher.start_batches()  # a batch that waits for this photo need not wait any longer
        self._observe("decode", view.seconds)
        return searcher, pool, view

    async def _extract(
        self, ticket: QueueTicket, searcher: Searcher, view: View
    ) -> tuple[View, PhotoFeatures]:
        """Extracts the features of a photo's regions; the view that is returned has no pixels any more."""
        made = await self._batcher.compute(searcher.extractor, view.images, ticket.leave)
        ticket.wait()
        self._observe("extract", made.seconds)
        pace = made.seconds / made.n_photos / EXTRACT_CALLS_AT_ONCE
        self._queue.pace += PACE_SMOOTHING * (pace - self._queue.pace)
        return dataclasses.replace(view, images=NO_IMAGES), made  # freed while it waits

    def _select(self, choice: SpaceChoice) -> tuple[Searcher, Pool]:
        """Returns the searcher and its pool, for each photo anew, as a model may have been trained."""
        searcher = searcher_for(self.workspace, choice)
        return searcher, self._pools.pool_for(searcher)

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
            _spec_of(searcher),
            searcher.gallery.location.space,
            searcher.gallery.metric,
        )

    async def _maintain_indexes(self) -> None:
        while True:
            await asyncio.sleep(MAINTENANCE_SECONDS)
            try:
                await asyncio.get_running_loop().run_in_executor(
                    self._maintenance_thread, self._maintenance.run
                )
            except Exception:  # searches continue; the next run may succeed
                log.exception("the indexes could not be looked after")


def _spec_of(searcher: Searcher) -> str:
    extractor = searcher.extractor
    return str(ExtractorSpec.from_name(extractor.name, extractor.input_size))


def _device(workspace: Workspace) -> str:
    settings = workspace.settings
    return choose_engine(settings.engine, settings.precision, throughput=True).device
