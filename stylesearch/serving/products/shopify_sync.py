"""Does what Shopify's webhooks say, in a thread of its own: fetches pictures, extracts features, stores.

What cannot be done now, because another process writes or a host does not answer, is tried again later.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from stylesearch.catalog import ImageEntry
from stylesearch.catalog.pruning import Pruner
from stylesearch.errors import CatalogLocked, ImageError, StyleSearchError
from stylesearch.features.compute import feature_set_of
from stylesearch.features.prepare import known_entry
from stylesearch.images.source import read_image, without_secrets
from stylesearch.importers.base import ImportOptions
from stylesearch.listing import Record
from stylesearch.serving.problems import Problem
from stylesearch.serving.products.changes import ImageRefused, UploadedImage, extract_images
from stylesearch.serving.products.shopify_product import (
    ShopifyProduct,
    place_of,
    read_product,
)
from stylesearch.serving.products.webhook_queue import Event, Key, QueueIsFull, WebhookQueue

if TYPE_CHECKING:
    from stylesearch.extractors.base import Extractor
    from stylesearch.images.remote import Fetched, FetchOptions, NotFetched
    from stylesearch.serving.metrics import ServiceMetrics
    from stylesearch.serving.products.writer import ProductWriter
    from stylesearch.serving.search.workspace_reader import WorkspaceAccess

__all__ = ["DELETE", "TOPICS", "ShopifySync"]

log = logging.getLogger(__name__)

DELETE: Final = "products/delete"
TOPICS: Final = ("products/create", "products/update", DELETE)

LOCK_SECONDS: Final = 3.0
POLL_SECONDS: Final = 2.0
"""Between two looks at the queue, into which other processes put too."""
RETRY_SECONDS: Final = (5.0, 30.0, 120.0, 600.0, 1800.0)
"""Pauses before an event is tried again; after the last one it is given up."""
STOP_SECONDS: Final = 5.0
REMEMBERED: Final = 10_000
"""Events that are known to have come."""


@dataclass(slots=True)
class _Tries:
    """How often an event was tried in vain, and when it is its turn again."""

    number: int = 0
    again_at: float = 0.0


@dataclass(slots=True)
class _Picture:
    """A picture on its way into the catalog; vectors by fingerprint of the extractor."""

    entry: ImageEntry
    vectors: dict[str, npt.NDArray[np.float32]] = field(default_factory=dict)


class ShopifySync:
    """Does the events of a queue, one at a time.

    Args:
        access: the workspace.
        writing: loads the extractors of new products.
        queue: the events.
        metrics: counts what was done and what failed.
        source: name of the source that lists the products.
        options: how pictures are fetched.
    """

    def __init__(
        self,
        access: WorkspaceAccess,
        writing: ProductWriter,
        queue: WebhookQueue,
        metrics: ServiceMetrics,
        *,
        source: str,
        options: FetchOptions,
    ) -> None:
        self.queue = queue
        self._access = access
        self._writing = writing
        self._metrics = metrics
        self._source = source
        self._options = options
        self._tries: dict[Key, _Tries] = {}
        self._seen: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._stopping = threading.Event()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begins to do what waits."""
        self._thread = threading.Thread(target=self._run, name="stylesearch-webhooks", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ends soon; what is not done waits for the next start. Blocks for some seconds at most."""
        self._stopping.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(STOP_SECONDS)

    def wake(self) -> None:
        """Tells that something was put into the queue; from any thread."""
        self._wake.set()

    def has_come(self, topic: str, event_id: str) -> bool:
        """Whether ``note_came`` was called for an event of this process."""
        return (topic, event_id) in self._seen

    def note_came(self, topic: str, event_id: str) -> None:
        """Notes that an event came and was kept; the last ones are remembered."""
        self._seen[topic, event_id] = None
        while len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)

    def _run(self) -> None:
        self._warn_of_other_source()
        is_first = True
        while not self._stopping.is_set():
            try:
                if self.queue.waiting():
                    with self.queue.only_reader():
                        if is_first:
                            self.queue.tidy()
                            is_first = False
                        self._do_all()
            except QueueIsFull:
                pass  # another worker does them
            except Exception:
                log.exception("webhooks could not be done")
            self._wake.wait(POLL_SECONDS)
            self._wake.clear()

    def _warn_of_other_source(self) -> None:
        """Warns where an export of the shop is another source, whose products webhooks then do not remove."""
        try:
            others = [
                one.name
                for one in self._access.catalog.sources.all()
                if one.format == "shopify" and one.name != self._source
            ]
        except StyleSearchError as error:
            log.warning("the sources could not be read: %s", error)
            return
        for name in others:
            log.warning(
                "the source %s is an export of Shopify, but webhooks change the source %s; if both are one "
                "shop, set shopify_source, or rename it: stylesearch sources rename",
                name,
                self._source,
            )

    def _do_all(self) -> None:
        """Does all events that wait, but those whose pause is not over."""
        while not self._stopping.is_set():
            waiting = self.queue.waiting()
            self._metrics.webhooks_waiting.set(len(waiting))
            still = set(waiting)
            self._tries = {key: tries for key, tries in self._tries.items() if key in still}
            now = time.monotonic()
            due = [key for key in waiting if key not in self._tries or self._tries[key].again_at <= now]
            if not due:
                return
            for key in due:
                if self._stopping.is_set():
                    return
                try:
                    event = self.queue.read(key)
                except OSError as error:  # one file must not stop the others
                    log.warning("a webhook cannot be read: %s", error)
                    self._tries[key] = _Tries(again_at=time.monotonic() + RETRY_SECONDS[-1])
                    continue
                if event is not None:
                    self._do(event, self._tries.setdefault(key, _Tries()))

    def _do(self, event: Event, tries: _Tries) -> None:
        """Does an event; one that fails is tried again later."""
        fields = {"topic": event.topic, "product": event.id}
        try:
            with self._access.catalog.writing(timeout=LOCK_SECONDS):
                pass  # while another process writes, the work below would be wasted
            why_again = self._delete(event) if event.topic == DELETE else self._store(event)
        except CatalogLocked:
            tries.again_at = time.monotonic() + LOCK_SECONDS
            return
        except Problem as problem:
            self._finish(event, "failed")
            log.error("a webhook says nothing that can be used: %s", problem.detail, extra={"fields": fields})
            return
        except Exception as error:  # one product must not stop the others
            log.exception("a webhook could not be done", extra={"fields": fields})
            why_again = str(error) or type(error).__name__
        if self._stopping.is_set() and why_again:
            return
        if not why_again:
            self._finish(event, "done")
            log.info("webhook done", extra={"fields": fields})
        elif tries.number >= len(RETRY_SECONDS):
            self._finish(event, "failed")
            log.error("a webhook is given up: %s", why_again, extra={"fields": fields})
        else:
            tries.again_at = time.monotonic() + RETRY_SECONDS[tries.number]
            tries.number += 1
            self._metrics.webhooks.labels(event.topic, "tried_again").inc()
            log.warning("a webhook is tried again later: %s", why_again, extra={"fields": fields})

    def _finish(self, event: Event, outcome: str) -> None:
        self.queue.done(event)
        self._metrics.webhooks.labels(event.topic, outcome).inc()

    def _delete(self, event: Event) -> str:
        catalog = self._access.catalog
        ids = catalog.sources.ids_at(self._source, place_of(event.id))
        if not ids:
            log.warning("the catalog has no product of the number that a webhook deletes: %s", event.id)
            return ""
        with catalog.writing(timeout=LOCK_SECONDS) as writer, writer.transaction():
            Pruner(writer, self._source).unlist(ids)
        return ""

    def _store(self, event: Event) -> str:
        """Stores a product; returns why it is to be tried again, or ""."""
        catalog = self._access.catalog
        # As the export of the same source is read, so that both say the same.
        options = ImportOptions.of(catalog.sources.options_of(self._source))
        product = read_product(event.payload, options)
        extractors = self._writing.extractors() if product.images else []
        pictures, failures = self._pictures(product, extractors)
        if self._stopping.is_set():
            return "the service stops"
        # A table names no number, so what only a table has listed is found by its id.
        older = {*catalog.sources.ids_at(self._source, product.place), *product.hidden_ids}
        with catalog.writing(timeout=LOCK_SECONDS) as writer:
            sets = [feature_set_of(writer, extractor) for extractor in extractors]
            with writer.transaction():
                pruner = Pruner(writer, self._source)
                pruner.unlist(older - {one.id for one in product.listings})
                if not product.listings:
                    return ""
                writer.sources.count_run(self._source)
                products = writer.upsert_products(product.listings, source=self._source)
                rows = writer.upsert_images([one.entry for one in pictures], source=self._source)
                keys = [rows[one.entry.product_id, one.entry.path][0] for one in pictures]
                for extractor, feature_set in zip(extractors, sets, strict=True):
                    new = [
                        (key, one.vectors[extractor.fingerprint])
                        for key, one in zip(keys, pictures, strict=True)
                        if extractor.fingerprint in one.vectors
                    ]
                    if new:
                        vectors = np.concatenate([vector for _, vector in new])
                        writer.add_features(feature_set, [key for key, _ in new], vectors)
                if not failures:
                    for product_id, (pk, _) in products.items():
                        own = [rows[key][0] for key in rows if key[0] == product_id]
                        pruner.keep_images(pk, own)
        return failures[0] if failures else ""

    def _pictures(
        self, product: ShopifyProduct, extractors: Sequence[Extractor]
    ) -> tuple[list[_Picture], list[str]]:
        """Fetches the new pictures of a product and extracts their features.

        Returns:
            the pictures, and why some are missing that may come later.
        """
        from stylesearch.images.remote import Fetched, PictureCache, fetch_stream

        catalog = self._access.catalog
        found = [catalog.find_feature_set(one.fingerprint) for one in extractors]
        sets = [one for one in found if one is not None]
        known = catalog.known_images([(image.product.id, image.path) for image in product.images], sets)
        pictures: list[_Picture] = []
        missing: list[Record] = []
        for image in product.images:
            one = known.get((image.product.id, image.path))
            is_complete = one is not None and len(one.feature_sets) == len(extractors) and one.error is None
            if one is not None and is_complete:  # another picture has another address
                pictures.append(_Picture(known_entry(image, one)))
            else:
                missing.append(image)
        failures: list[str] = []
        usable: dict[str, UploadedImage] = {}
        with (
            PictureCache(self._access.workspace.settings.pictures) as cache,
            closing(fetch_stream(missing, lambda image: image.path, cache, self._options)) as stream,
        ):
            for image, fetched in stream:
                if self._stopping.is_set():
                    break
                if isinstance(fetched, Fetched):
                    pictures.append(self._extract(image, fetched, extractors, usable))
                elif fetched is not None:
                    self._note_missing(fetched)
                    if not fetched.is_gone:
                        failures.append(f"{without_secrets(fetched.url)}: {fetched.reason}")
        return pictures, failures

    def _extract(
        self,
        image: Record,
        fetched: Fetched,
        extractors: Sequence[Extractor],
        usable: dict[str, UploadedImage],
    ) -> _Picture:
        """Extracts the features of a picture, unless ``usable`` has them for a variant with the same one."""
        width = height = 0
        error = None
        vectors: dict[str, npt.NDArray[np.float32]] = {}
        max_pixels = self._access.workspace.settings.max_pixels
        try:
            if fetched.sha256 not in usable:
                data = read_image(fetched.path)
                (usable[fetched.sha256],) = extract_images(
                    self._access.catalog, [data], extractors, max_pixels
                )
            one = usable[fetched.sha256]
            width, height, vectors = one.width, one.height, dict(one.vectors)
        except (ImageError, ImageRefused) as refused:
            error = str(refused.__cause__ or refused)
            self._metrics.webhook_images_failed.inc()
            log.warning("a picture of a webhook cannot be used: %s: %s", without_secrets(image.path), error)
        entry = ImageEntry(
            image.product.id,
            image.path,
            image.domain,
            sha256=fetched.sha256,
            width=width,
            height=height,
            error=error,
            file=str(fetched.path),
            options=image.options,
        )
        return _Picture(entry, vectors)

    def _note_missing(self, missing: NotFetched) -> None:
        self._metrics.webhook_images_failed.inc()
        url = without_secrets(missing.url)
        log.warning("a picture of a webhook could not be fetched: %s: %s", url, missing.reason)
