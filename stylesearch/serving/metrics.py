"""Metrics for Prometheus, of one worker or of all workers together.

With ``PROMETHEUS_MULTIPROC_DIR`` set (before this module is imported) every worker writes its metrics to
files in that folder, and the worker that is asked adds all of them up.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

__all__ = ["CONTENT_TYPE_LATEST", "FOLDER_VARIABLE", "ServiceMetrics", "forget_dead_workers"]

FOLDER_VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"
STEPS: Final = ("decode", "wait", "extract", "search")
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"})

_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_PHOTOS: Final = (1, 2, 3, 4, 6, 8, 12, 16, 32)


class ServiceMetrics:
    """The metrics of one worker."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # as many lines again that nobody reads
        registry = self._registry = CollectorRegistry()
        self._folder = os.environ.get(FOLDER_VARIABLE, "")
        if not self._folder:
            ProcessCollector(registry=registry)
        self.requests = Counter(
            "stylesearch_requests", "Requests answered.", ["method", "route", "status"], registry=registry
        )
        self.request_seconds = Histogram(
            "stylesearch_request_seconds",
            "From the first byte of a request to the last of its answer.",
            ["route"],
            buckets=_SECONDS,
            registry=registry,
        )
        self.step_seconds = Histogram(
            "stylesearch_step_seconds", "Steps of a search.", ["step"], buckets=_SECONDS, registry=registry
        )
        self.batch_photos = Histogram(
            "stylesearch_batch_photos",
            "Photos that went through the network together.",
            buckets=_PHOTOS,
            registry=registry,
        )
        self.queue_photos = Gauge(
            "stylesearch_queue_photos", "Photos waiting.", multiprocess_mode="livesum", registry=registry
        )
        self.rejected = Counter(
            "stylesearch_rejected", "Requests turned away, by the reason.", ["reason"], registry=registry
        )
        self.catalog_products = Gauge(
            "stylesearch_catalog_products",
            "Products in the catalog.",
            multiprocess_mode="mostrecent",
            registry=registry,
        )
        self.catalog_images = Gauge(
            "stylesearch_catalog_images",
            "Pictures in the catalog.",
            multiprocess_mode="mostrecent",
            registry=registry,
        )
        self.lost_images = Gauge(
            "stylesearch_lost_images",
            "Pictures of the shop whose file is gone; of many, estimated from a sample.",
            multiprocess_mode="mostrecent",
            registry=registry,
        )
        self.lost_image_requests = Counter(
            "stylesearch_lost_image_requests",
            "Pictures asked for whose file is gone or has changed.",
            registry=registry,
        )
        self.webhooks = Counter(
            "stylesearch_webhooks",
            "Webhooks of Shopify: what was answered, and what became of them.",
            ["topic", "outcome"],
            registry=registry,
        )
        self.webhooks_waiting = Gauge(
            "stylesearch_webhooks_waiting",
            "Products with a webhook that waits.",
            multiprocess_mode="mostrecent",
            registry=registry,
        )
        self.webhook_images_failed = Counter(
            "stylesearch_webhook_images_failed",
            "Pictures of webhooks that could not be fetched or used.",
            registry=registry,
        )
        for step in STEPS:  # so that a rate can be computed from the first one on
            self.step_seconds.labels(step)

    def observe(self, what: str, value: float) -> None:
        """Records a measurement of a search, from any thread.

        Args:
            what: name of a step, ``batch`` or ``queue``.
            value: seconds of the step, number of photos in the batch, or number of waiting searches.
        """
        if what == "batch":
            self.batch_photos.observe(value)
        elif what == "queue":
            self.queue_photos.set(value)
        elif what in STEPS:
            self.step_seconds.labels(what).observe(value)

    def count_answer(self, method: str, route: str, status: int, seconds: float) -> None:
        """Counts a request."""
        known = method if method in METHODS else "other"  # a client may send any text as method
        self.requests.labels(known, route, str(status)).inc()
        self.request_seconds.labels(route).observe(seconds)

    def count_refusal(self, reason: str) -> None:
        """Counts a request that was refused, by reason; an empty reason is not counted."""
        if reason:
            self.rejected.labels(reason).inc()

    def text(self) -> bytes:
        """All metrics in the format of Prometheus; of all workers where they share a folder."""
        if not self._folder:
            return generate_latest(self._registry)
        together = CollectorRegistry()
        MultiProcessCollector(together, path=self._folder)  # type: ignore[no-untyped-call]
        return generate_latest(together)


def forget_dead_workers(folder: str | os.PathLike[str]) -> list[int]:
    """Removes the gauges of workers that have ended, such as the number of waiting photos.

    Their counters are kept, since a counter must not fall.

    Args:
        folder: folder of the workers' metrics.

    Returns:
        process ids of the workers that have ended.
    """
    dead = sorted(pid for pid in _process_ids(Path(folder)) if not _is_alive(pid))
    for pid in dead:
        mark_process_dead(pid, str(folder))  # type: ignore[no-untyped-call]
    return dead


def _process_ids(folder: Path) -> set[int]:
    found = (re.search(r"_(\d+)\.db$", path.name) for path in folder.glob("gauge_live*.db"))
    return {int(match[1]) for match in found if match}


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # of another user, so it is running
        return True
    return True
