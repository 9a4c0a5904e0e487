"""A stream of items whose pictures are fetched several at a time, on the way.

```text
items -> the cache knows the picture? -> yes, and it is recent: on at once
                                      -> no: queue of its host -> threads -> cache -> on when it is there
```

Items are read ahead only as far as needed to keep the threads busy, and at most ``WINDOW`` of them are on the
way, so memory does not grow with the source.
"""

from __future__ import annotations

import collections
import itertools
import threading
import time
import urllib.parse
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final, TypeVar

from stylesearch.images.remote.buckets import OBJECT_SCHEMES, describe_bucket_refusal, is_object_url
from stylesearch.images.remote.cache import CachedPicture, PictureCache
from stylesearch.images.remote.hosts import HostQueues, Job, Retry
from stylesearch.images.remote.objects import ObjectReader
from stylesearch.images.remote.values import Fetched, FetchOptions, NotFetched

if TYPE_CHECKING:
    from stylesearch.images.remote.download import Downloader

__all__ = ["WINDOW", "fetch_stream"]

WINDOW: Final = 4096
"""The most items that are on the way."""

LOOKED_UP_AT_ONCE: Final = 256
REMEMBERED_FAILURES: Final = 10_000
SECONDS_TO_END: Final = 2.0
"""How long a thread may take to end; one that waits for a resolver cannot be interrupted."""

ItemT = TypeVar("ItemT")


def fetch_stream(
    items: Iterable[ItemT],
    url_of: Callable[[ItemT], str | None],
    cache: PictureCache,
    options: FetchOptions | None = None,
) -> Generator[tuple[ItemT, Fetched | NotFetched | None]]:
    """Fetches the pictures of items, each as soon as it is there: not in the order of the items.

    Args:
        items: read lazily, in the caller's thread.
        url_of: tells the URL of an item's picture; None for one that has none to be fetched.
        cache: where pictures are kept.
        options: limits, time-outs, and when a picture of the cache is recent enough.

    Yields:
        Each item once, with what became of its picture; with None where it has none to be fetched. A caller
        that stops early ends all connections and threads.

    Raises:
        MissingDependency: what reads a cloud's URLs is not installed.
        StyleSearchError: the cache cannot be used.
        OSError: a picture cannot be stored.
    """
    run = _Run(cache, options or FetchOptions())
    try:
        yield from run.results(iter(items), url_of)
    finally:
        run.close()


class _Run:
    """The state of one stream. All but ``_work`` runs in the caller's thread."""

    def __init__(self, cache: PictureCache, options: FetchOptions) -> None:
        self._cache = cache
        self._options = options
        self._began = time.time()
        self._queues = HostQueues(options)
        self._objects = ObjectReader(cache, options)
        self._downloader: Downloader | None = None
        self._threads: list[threading.Thread] = []
        self._jobs: dict[str, Job] = {}
        self._failures: collections.OrderedDict[str, NotFetched] = collections.OrderedDict()
        self._n_on_the_way = 0

    def results(
        self, items: Iterator[ItemT], url_of: Callable[[ItemT], str | None]
    ) -> Iterator[tuple[ItemT, Fetched | NotFetched | None]]:
        """Yields each item with what became of its picture."""
        enough = 2 * self._options.n_at_once
        has_more, n_finished = True, 0
        while has_more or self._n_on_the_way:
            is_idle = n_finished == 0 or self._queues.n_waiting < enough
            if has_more and is_idle and self._n_on_the_way < WINDOW:
                chunk = list(itertools.islice(items, LOOKED_UP_AT_ONCE))
                has_more = bool(chunk)
                yield from self._plan(chunk, [url_of(item) for item in chunk])
            elif n_finished == 0:
                self._queues.wait_for_finished()
            n_finished = 0
            while n_finished < enough and (job := self._queues.pop_finished()) is not None:
                n_finished += 1
                yield from self._finish(job)

    def close(self) -> None:
        """Ends all threads and connections."""
        self._queues.close()
        if self._downloader is not None:
            self._downloader.cut()
        ends = time.monotonic() + SECONDS_TO_END
        for thread in self._threads:
            thread.join(max(0.0, ends - time.monotonic()))
        if self._downloader is not None:
            self._downloader.close()

    def _plan(
        self, items: Sequence[ItemT], urls: Sequence[str | None]
    ) -> Iterator[tuple[ItemT, Fetched | NotFetched | None]]:
        """Looks items up in the cache and queues what is to be fetched, then yields the others."""
        known = self._cache.find_many({url for url in urls if url is not None})
        at_once: list[tuple[ItemT, Fetched | NotFetched | None]] = []
        for item, url in zip(items, urls, strict=True):
            if url is None:
                at_once.append((item, None))
            elif url in self._jobs:
                self._jobs[url].items.append(item)
                self._n_on_the_way += 1
            elif (result := self._without_asking(url, known.get(url))) is not None:
                at_once.append((item, result))
            else:
                self._jobs[url] = Job(url, _host_of(url), known.get(url), [item])
                self._n_on_the_way += 1
                self._start(self._jobs[url])
        yield from at_once

    def _without_asking(self, url: str, cached: CachedPicture | None) -> Fetched | NotFetched | None:
        """What is known of a URL without asking its server; None if that has to be done."""
        if url in self._failures:
            return self._failures[url]
        if cached is not None:
            is_recent = cached.checked_at >= min(time.time() - self._options.max_age, self._began)
            if is_recent or self._options.offline:
                return Fetched(url, cached.path, cached.sha256, is_new=False)
        if self._options.offline:
            return NotFetched(url, "it was never fetched, and nothing is fetched offline")
        scheme, separator, _ = url.partition("://")
        if not separator or scheme.lower() not in ("http", "https", *OBJECT_SCHEMES):
            return NotFetched(url, f"only http, https and object stores are fetched, not {scheme[:40]!r}")
        if is_object_url(url) and (reason := describe_bucket_refusal(url, self._options.buckets)):
            return NotFetched(url, reason)
        return None

    def _start(self, job: Job) -> None:
        """Queues a job, and starts what it needs that does not run yet."""
        scheme = job.host.partition("://")[0]
        if scheme in OBJECT_SCHEMES:
            self._objects.open(scheme)
        elif self._downloader is None:
            from stylesearch.images.remote.download import Downloader

            self._downloader = Downloader(self._cache, self._options, self._queues.release)
        self._queues.add(job)
        if len(self._threads) < min(self._options.n_at_once, len(self._jobs)):
            thread = threading.Thread(target=self._work, name=f"fetch-{len(self._threads) + 1}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _work(self) -> None:
        """Fetches one picture after the other, in a thread."""
        try:
            while (job := self._queues.take()) is not None:
                outcome: Fetched | NotFetched | Retry
                if job.host.partition("://")[0] in OBJECT_SCHEMES:
                    outcome = self._objects.fetch(job)
                else:
                    assert self._downloader is not None
                    outcome = self._downloader.fetch(job)
                self._queues.finish(job, outcome)
        except BaseException as error:
            self._queues.stop(error)

    def _finish(self, job: Job) -> Iterator[tuple[ItemT, Fetched | NotFetched | None]]:
        """Yields the items of a job that is finished."""
        del self._jobs[job.url]
        self._n_on_the_way -= len(job.items)
        if isinstance(job.result, NotFetched):
            self._failures[job.url] = job.result
            if len(self._failures) > REMEMBERED_FAILURES:
                self._failures.popitem(last=False)
        for item in job.items:
            yield item, job.result


def _host_of(url: str) -> str:
    """Scheme, host and port of a URL, or scheme and bucket: what limits hold for."""
    try:
        parts = urllib.parse.urlsplit(url)
    except ValueError:
        return ""  # no valid URL, as it will be told
    return f"{parts.scheme.lower()}://{parts.netloc.rpartition('@')[2].lower()}"
