"""From a source to the catalog: plan, prepare, extract, store, in one stream.

::

    records -> known to the catalog? -> read, hash, decode (threads) -> batches -> extract (threads) -> store

Every stage takes only what the next one can hold, so memory does not grow with the source. What is stored
is stored in transactions of a few hundred pictures: a run that is stopped anywhere loses at most the last
of them, and the next run skips all the others.
"""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from stylesearch.catalog import Catalog, Change, FeatureSet
from stylesearch.extractors.with_colors import ExtractorWithColors
from stylesearch.features.compute import feature_set_of
from stylesearch.features.prepare import Prepared, Task, prepare
from stylesearch.features.stream import map_in_order
from stylesearch.importers.base import ImportOptions, Missing, check_options, choose_importer, count_listed
from stylesearch.ingest.report import IngestOptions, IngestReport
from stylesearch.types import Failure, Record, ReportProgress

if TYPE_CHECKING:
    from stylesearch.catalog.writer import Writer
    from stylesearch.extractors.base import Extractor


__all__ = [
    "ingest",
]

log = logging.getLogger(__name__)

PLANNED_AT_ONCE = 256
STORED_AT_ONCE = 256
SECONDS_BETWEEN_STORES = 5.0


def ingest(
    catalog: Catalog,
    source: Path,
    extractor: Extractor,
    options: IngestOptions,
    progress: ReportProgress | None = None,
) -> IngestReport:
    """Makes the catalog what ``source`` says, with features of every picture that can be used.

    Args:
        catalog: is written to.
        source: a folder, a table or a dataset.
        extractor: makes the features.
        options: see there.
        progress: called as ``progress("pictures", n_done, n_total)``, first with none done.

    Returns:
        what was done, with what could not be used.

    Raises:
        DatasetError: the source as a whole cannot be read.
        UnknownName: it has no such split.
        CatalogLocked: another process is writing.
    """
    began = time.perf_counter()
    importer = choose_importer(source, options.format)
    import_options = ImportOptions(
        options.domain, options.allow_outside, options.splits, options.gallery, options.categories
    )
    check_options(importer, import_options)
    n_total = count_listed(importer, source, import_options) if progress else None
    run = _Run(catalog, extractor, options, f"{importer.name}:{source.resolve()}")
    with catalog.writing(timeout=options.lock_timeout) as writer:
        run.feature_set = feature_set_of(writer, extractor)
        if isinstance(extractor, ExtractorWithColors):
            run.network_set = catalog.find_feature_set(extractor.network.fingerprint)
        with (
            ThreadPoolExecutor(options.n_workers, "decode") as decoders,
            ThreadPoolExecutor(extractor.concurrency, "extract") as extractors,
        ):
            prepared = map_in_order(
                decoders,
                partial(prepare, size=extractor.input_size, max_pixels=options.max_pixels),
                run.tasks(importer.records(source, import_options)),
                window=(extractor.concurrency + 1) * options.batch_size,
            )
            done = map_in_order(
                extractors, run.extract, run.batches(prepared), window=extractor.concurrency + 1
            )
            began_pictures = time.perf_counter()
            if progress:
                progress("pictures", 0, n_total)  # the clock of whoever reports a rate starts here
            for chunk in _chunks(done, run.report):
                run.store(writer, chunk)
                if progress:
                    progress("pictures", run.report.processed, n_total)
            run.report.seconds["pictures"] = time.perf_counter() - began_pictures
        run.remove_unlisted(writer, is_part=import_options.selects)
    run.report.seconds["total"] = time.perf_counter() - began
    return run.report


@dataclass(slots=True)
class Batch:
    """Pictures of which at most a batch is to be computed; those that are not go along in their order."""

    pictures: list[Prepared]
    n_computed: int = 0
    seconds: float = 0.0


def _chunks(batches: Iterable[Batch], report: IngestReport) -> Iterator[list[Prepared]]:
    """Joins batches until a transaction is worth it: enough pictures, or enough time gone by."""
    chunk: list[Prepared] = []
    last = time.monotonic()
    for batch in batches:
        report.add_seconds("inference", batch.seconds)
        report.computed += batch.n_computed
        chunk += batch.pictures
        if len(chunk) >= STORED_AT_ONCE or time.monotonic() - last >= SECONDS_BETWEEN_STORES:
            yield chunk
            chunk, last = [], time.monotonic()
    if chunk:
        yield chunk


class _Run:
    """The state of one ingest: what the stages of the stream share."""

    feature_set: FeatureSet
    network_set: FeatureSet | None = None
    """Of the network alone, where colors are joined to it and the catalog has such features."""

    def __init__(self, catalog: Catalog, extractor: Extractor, options: IngestOptions, source: str) -> None:
        self.catalog = catalog
        self.extractor = extractor
        self.options = options
        self.source = source
        self.report = IngestReport()
        self.n_unreadable = 0

    def tasks(self, listed: Iterator[Record | Failure | Missing]) -> Iterator[Task]:
        """Joins what the source lists with what the catalog has, many at a time."""
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
                [(record.product.id, record.path) for record in records], [self.feature_set]
            )
            for record in records:
                image = known.get((record.product.id, record.path))
                yield Task(record, image, image is not None and self.feature_set.pk in image.feature_sets)

    def batches(self, prepared: Iterable[Prepared]) -> Iterator[Batch]:
        """Groups pictures so that each group has at most a batch of pixels to extract from."""
        batch: list[Prepared] = []
        n_pixels = 0
        for one in prepared:
            self.report.add_seconds("decode", one.seconds)
            batch.append(one)
            n_pixels += one.pixels is not None
            if n_pixels == self.options.batch_size or len(batch) >= PLANNED_AT_ONCE:
                yield self._without_known_contents(batch)
                batch, n_pixels = [], 0
        if batch:
            yield self._without_known_contents(batch)

    def _without_known_contents(self, batch: list[Prepared]) -> Batch:
        """Takes over the vectors of pictures that the catalog knows under another name, whole or in part."""
        contents = [(one.entry.sha256 or "", one.entry.box) for one in batch if one.pixels is not None]
        wanted = [one for one in (self.feature_set, self.network_set) if one is not None]
        known = self.catalog.known_contents(contents, wanted)
        for one in batch:
            content = known.get((one.entry.sha256 or "", one.entry.box))
            if one.pixels is None or content is None:
                continue
            if self.feature_set.pk in content.vectors:
                one.vector, one.pixels = content.vectors[self.feature_set.pk], None
            elif self.network_set is not None:
                one.of_network = content.vectors[self.network_set.pk]
        return Batch(batch)

    def extract(self, batch: Batch) -> Batch:
        """Computes the features of a batch, in a thread; its pixels are let go."""
        wanted = [one for one in batch.pictures if one.pixels is not None]
        if wanted:
            began = time.perf_counter()
            known = [one for one in wanted if one.of_network is not None]
            others = [one for one in wanted if one.of_network is None]
            for some in (known, others):
                self._extract_some(some)
            batch.seconds, batch.n_computed = time.perf_counter() - began, len(wanted)
        return batch

    def _extract_some(self, wanted: list[Prepared]) -> None:
        """Computes the features of pictures of all of which the network's part is there, or of none."""
        if not wanted:
            return
        pixels = np.stack([one.pixels for one in wanted if one.pixels is not None])
        parts = [one.of_network for one in wanted if one.of_network is not None]
        if parts and isinstance(self.extractor, ExtractorWithColors):
            vectors = self.extractor.append_colors(np.stack(parts), pixels)
        else:
            vectors = self.extractor.extract(pixels)
        for one, vector in zip(wanted, vectors, strict=True):
            one.vector, one.pixels, one.of_network = vector, None, None

    def store(self, writer: Writer, chunk: list[Prepared]) -> None:
        """Puts a chunk into the catalog, in one transaction, and counts what it was."""
        began = time.perf_counter()
        with writer.transaction():
            products = writer.upsert_products([one.task.record.product for one in chunk])
            images = writer.upsert_images([one.entry for one in chunk], source=self.source)
            computed = {
                images[one.entry.product_id, one.entry.path][0]: one.vector
                for one in chunk
                if one.vector is not None
            }
            if computed:
                writer.add_features(self.feature_set, list(computed), np.stack(list(computed.values())))
            writer.mark_seen([pk for pk, _ in images.values()])
        for one in chunk:
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

    def remove_unlisted(self, writer: Writer, *, is_part: bool) -> None:
        """Removes what the source no longer lists, unless it lists things that could not be read.

        A row with a slip of the pen says nothing of which picture it meant: nobody's product is to vanish
        for that. Nor does a run over a part of a dataset, without ``prune``, say anything of the rest.

        Args:
            writer: of the catalog.
            is_part: whether only some splits of the source were asked for.
        """
        prune = self.options.prune
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
