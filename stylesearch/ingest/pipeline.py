"""From a source to the catalog: plan, prepare, extract, store, in one stream.

```text
records -> known to the catalog? -> extract_stream (read, hash, decode -> batches -> extract) -> store
```

Every stage takes only as much as the next one can hold, so memory does not grow with the source. Images are
stored in transactions of a few hundred: a run that is stopped anywhere loses at most the last transaction,
and the next run skips all stored images. With several extractors an image is read and hashed once for all of
them.
"""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from stylesearch.catalog import Catalog, Change, FeatureSet
from stylesearch.extractors.with_colors import ExtractorWithColors
from stylesearch.features.compute import feature_set_of
from stylesearch.features.prepare import PreparedImage, Task, prepare_image
from stylesearch.features.stream import extract_stream
from stylesearch.importers.base import Importer, Missing, check_options, count_listed
from stylesearch.ingest.report import IngestOptions, IngestReport
from stylesearch.listing import Record
from stylesearch.types import Failure, ReportProgress

if TYPE_CHECKING:
    from stylesearch.catalog.writer import Writer
    from stylesearch.extractors.base import Extractor

__all__ = ["ingest"]

PLANNED_AT_ONCE: Final = 256
STORED_AT_ONCE = 256
SECONDS_BETWEEN_STORES: Final = 5.0

log = logging.getLogger(__name__)


def ingest(
    catalog: Catalog,
    source: Path,
    importer: Importer,
    extractors: Sequence[Extractor],
    options: IngestOptions,
    progress: ReportProgress | None = None,
) -> IngestReport:
    """Updates the catalog to what ``source`` lists, with features of every usable image.

    Args:
        catalog: the catalog to write to.
        source: a folder, a table or a dataset.
        importer: reads the source.
        extractors: each extracts features of every image.
        options: options for reading and storing the source.
        progress: called as ``progress("pictures", n_done, n_total)``, first with none done.

    Returns:
        the report: what was done, and what could not be used.

    Raises:
        DatasetError: the source as a whole cannot be read.
        UnknownName: the source has no such split.
        CatalogLocked: another process is writing.
    """
    began = time.perf_counter()
    check_options(importer, options.source)
    n_total = count_listed(importer, source, options.source) if progress else None
    extraction = options.extraction
    run = _Run(catalog, extractors, options, f"{importer.name}:{source.resolve()}")
    with catalog.writing(timeout=extraction.lock_timeout) as writer:
        run.find_feature_sets(writer)
        samples = extract_stream(
            run.tasks(importer.records(source, options.source)),
            partial(
                prepare_image,
                sizes={one.fingerprint: one.input_size for one in extractors},
                max_pixels=extraction.max_pixels,
            ),
            extractors,
            extraction.executor,
            batch_size=extraction.batch_size,
            n_workers=extraction.n_workers,
            find_known=run.find_known,
        )
        began_images = time.perf_counter()
        if progress:
            progress("pictures", 0, n_total)  # callers that report a rate start their clock here
        with closing(samples):
            for chunk in _chunks(samples):
                run.store(writer, chunk)
                if progress:
                    progress("pictures", run.report.processed, n_total)
        run.report.seconds["pictures"] = time.perf_counter() - began_images
        run.remove_unlisted(writer)
    run.report.seconds["total"] = time.perf_counter() - began
    return run.report


def _chunks(samples: Iterable[PreparedImage]) -> Iterator[list[PreparedImage]]:
    """Groups images into transactions: until there are enough, or enough time has passed."""
    chunk: list[PreparedImage] = []
    last = time.monotonic()
    for sample in samples:
        chunk.append(sample)
        if len(chunk) >= STORED_AT_ONCE or time.monotonic() - last >= SECONDS_BETWEEN_STORES:
            yield chunk
            chunk, last = [], time.monotonic()
    if chunk:
        yield chunk


class _Run:
    """The state of one ingest, which the stages of the stream share."""

    def __init__(
        self, catalog: Catalog, extractors: Sequence[Extractor], options: IngestOptions, source: str
    ) -> None:
        self.catalog = catalog
        self.extractors = extractors
        self.options = options
        self.source = source
        self.report = IngestReport()
        self.n_unreadable = 0
        self.feature_sets: dict[str, FeatureSet] = {}
        self.network_sets: dict[str, FeatureSet] = {}

    def find_feature_sets(self, writer: Writer) -> None:
        """Looks up the feature sets of the extractors by fingerprint, and creates missing ones.

        For an extractor that adds colors to a network, also that of the network where the catalog has it.
        """
        for extractor in self.extractors:
            self.feature_sets[extractor.fingerprint] = feature_set_of(writer, extractor)
            if isinstance(extractor, ExtractorWithColors):
                network = extractor.network.fingerprint
                if (found := self.catalog.find_feature_set(network)) is not None:
                    self.network_sets[network] = found

    def tasks(self, listed: Iterator[Record | Failure | Missing]) -> Iterator[Task]:
        """Joins the images that the source lists with the catalog's entries, many at a time."""
        while chunk := list(itertools.islice(listed, PLANNED_AT_ONCE)):
            records = [one for one in chunk if isinstance(one, Record)]
            failed = [one for one in chunk if isinstance(one, Failure)]
            self.report.failed += failed
            for one in chunk:
                if isinstance(one, Missing):
                    self.report.add_missing(one.path, one.listed_in)
            self.n_unreadable += len(failed)
            self.report.processed += len(chunk) - len(records)
            known = self.catalog.known_images(
                [(record.product.id, record.path) for record in records], list(self.feature_sets.values())
            )
            for record in records:
                image = known.get((record.product.id, record.path))
                stored = frozenset() if image is None else image.feature_sets
                lacking = frozenset(name for name, one in self.feature_sets.items() if one.pk not in stored)
                yield Task(record, image, lacking)

    def find_known(self, batch: list[PreparedImage]) -> None:
        """Takes over vectors of images that the catalog has under another name, all or some of them."""
        to_compute = [one for one in batch if one.inputs]
        sets = {**self.network_sets, **self.feature_sets}
        contents = [(one.entry.sha256 or "", one.entry.box) for one in to_compute]
        known = self.catalog.known_contents(contents, list(sets.values()))
        for one, content in zip(to_compute, contents, strict=True):
            if content in known:
                vectors = known[content].vectors
                for fingerprint, feature_set in sets.items():
                    if feature_set.pk in vectors:
                        one.vectors[fingerprint] = vectors[feature_set.pk][None]

    def store(self, writer: Writer, chunk: list[PreparedImage]) -> None:
        """Stores a chunk in the catalog, in one transaction, and counts the changes."""
        began = time.perf_counter()
        with writer.transaction():
            products = writer.upsert_products([one.task.record.product for one in chunk])
            images = writer.upsert_images([one.entry for one in chunk], source=self.source)
            for fingerprint, feature_set in self.feature_sets.items():
                computed = {
                    images[one.entry.product_id, one.entry.path][0]: one.vectors[fingerprint][0]
                    for one in chunk
                    if fingerprint in one.vectors and (one.wanted is None or fingerprint in one.wanted)
                }
                if computed:
                    writer.add_features(feature_set, list(computed), np.stack(list(computed.values())))
            writer.mark_seen([pk for pk, _ in images.values()])
        for one in chunk:
            self.report.add_seconds("decode", one.prepare_seconds)
            self.report.add_seconds("inference", one.extract_seconds)
            self.report.computed += one.n_extracted
            _, change = images.pop((one.entry.product_id, one.entry.path), (0, None))
            if (reason := one.entry.error or one.failure) is not None:
                self.report.failed.append(Failure(one.entry.path, reason))
            elif change is Change.NEW:
                self.report.added += 1
            elif change is Change.CHANGED or products[one.entry.product_id] is Change.CHANGED:
                self.report.changed += 1
            else:
                self.report.unchanged += 1
        self.report.processed += len(chunk)
        self.report.add_seconds("store", time.perf_counter() - began)

    def remove_unlisted(self, writer: Writer) -> None:
        """Removes images that the source no longer lists, unless it has entries that could not be read.

        A row with a mistake may mean any image, so no product may be removed because of it. Nor does a run
        over some splits of a dataset, without ``prune``, remove anything of the other splits.
        """
        prune, is_part = self.options.prune, self.options.source.selects
        with writer.transaction():
            if self.n_unreadable:
                if prune or (not is_part and writer.count_unseen(self.source, whole_products=False)):
                    n = self.n_unreadable
                    entries = "1 entry" if n == 1 else f"{n} entries"
                    log.warning("nothing was removed, since %s of the source could not be read", entries)
                return
            if prune or not is_part:
                self.report.removed = writer.prune(self.source, whole_products=prune).images
            self.report.removed += writer.forget_lost_files()
            if not prune and not is_part:
                self.report.unlisted = writer.count_unseen(self.source)
