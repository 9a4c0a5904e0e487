"""From a source to the catalog: plan, prepare, extract, store, in one stream.

```text
records -> known to the catalog? -> fetch what is behind URLs
        -> extract_stream (read, hash, decode -> batches -> extract) -> store
```

Every stage takes only as much as the next one can hold, so memory does not grow with the source. Images are
stored in transactions of a few hundred: a run that is stopped anywhere loses at most the last transaction,
and the next run skips all stored images. With several extractors an image is read and hashed once for all of
them.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from stylesearch.catalog import Catalog
from stylesearch.catalog.refiling import refile_products
from stylesearch.features.prepare import PreparedImage, Task, give_up_image, look_at_image, prepare_image
from stylesearch.features.stream import extract_stream
from stylesearch.images.source import is_remote
from stylesearch.importers.base import Importer, Listed, Note, check_options, count_listed
from stylesearch.ingest.report import IngestOptions, IngestReport
from stylesearch.ingest.run import Run
from stylesearch.listing import Record, Unpictured, fault_of_texts
from stylesearch.types import Failure, ReportProgress

if TYPE_CHECKING:
    from stylesearch.extractors.base import Extractor

__all__ = ["ingest", "preview"]

STORED_AT_ONCE = 256
SECONDS_BETWEEN_STORES: Final = 5.0


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
        progress: called as ``progress("pictures", n_done, n_total)``, first with none done; where a cluster
            does it, with the number of workers: ``"pictures: 2 workers"``.

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
    extraction, name_stage = options.extraction, options.extraction.name_stage
    name = options.name or str(source)
    run = Run(catalog, extractors, options, name, str(source))
    run.report.notes += options.notes
    listed = _begin(_storable(importer.records(source, options.source)))
    with catalog.writing(timeout=extraction.lock_timeout) as writer:
        with writer.transaction():
            if options.renames:
                writer.sources.rename(options.renames, name)
            writer.sources.note_ingest(
                name,
                path=str(source),
                format=importer.name,
                options=options.kept,
            )
        refile_products(writer)  # in case a renaming of categories was cut short
        run.find_feature_sets(writer)
        sizes = {one.fingerprint: one.input_size for one in extractors}
        samples = extract_stream(
            _fetch(run.tasks(listed), options),
            partial(prepare_image, sizes=sizes, max_pixels=extraction.max_pixels),
            extractors,
            extraction.executor,
            batch_size=extraction.batch_size,
            n_workers=extraction.n_at_once,
            find_known=run.find_known,
            look=partial(look_at_image, sizes=sizes),
            give_up=give_up_image,
        )
        began_images = time.perf_counter()
        if progress:
            progress(name_stage("pictures"), 0, n_total)  # callers that report a rate start their clock here
        with closing(samples):
            for chunk in _chunks(samples):
                run.store(writer, chunk)
                if progress:
                    n_total = n_total and max(n_total, run.report.processed)
                    progress(name_stage("pictures"), run.report.processed, n_total)
            if progress:  # what the source was expected to list was an estimate
                progress(name_stage("pictures"), run.report.processed, run.report.processed)
        run.report.seconds["pictures"] = time.perf_counter() - began_images
        with writer.transaction():
            run.finish(writer)
    run.report.seconds["total"] = time.perf_counter() - began
    return run.report


def preview(
    catalog: Catalog | None,
    source: Path,
    importer: Importer,
    options: IngestOptions,
    progress: ReportProgress | None = None,
) -> IngestReport:
    """Reports what an ingest would do, without decoding an image, fetching one, or storing anything.

    Args:
        catalog: the catalog, to which nothing is written; None where there is none yet.
        source, importer, options, progress: as for ``ingest``.

    Returns:
        the report; images count as added, or as unchanged where the catalog has them, whatever is in them.

    Raises:
        DatasetError, UnknownName, CatalogLocked: as ``ingest``.
    """
    check_options(importer, options.source)
    listed = _begin(_storable(importer.records(source, options.source)))
    with ExitStack() as held:
        if catalog is None:
            folder = held.enter_context(TemporaryDirectory())
            catalog = held.enter_context(Catalog.open(Path(folder) / "catalog.db"))
        # What is read beside the writer sees the source by the name that it has still.
        name = options.renames or options.name or str(source)
        run = Run(catalog, (), options, name, str(source))
        run.report.source = options.name or str(source)
        run.report.notes += options.notes
        writer = held.enter_context(catalog.writing(timeout=options.extraction.lock_timeout))
        # Everything is written, counted, and taken back.
        held.enter_context(suppress(_TakenBack))
        held.enter_context(writer.transaction())
        writer.sources.note_ingest(name, path=str(source), format=importer.name, options=options.kept)
        tasks = run.tasks(listed)
        while chunk := list(itertools.islice(tasks, STORED_AT_ONCE)):
            run.store_listed(writer, chunk)
            if progress:
                progress("listing", run.report.processed, None)
        run.finish(writer)
        raise _TakenBack
    return run.report


def _storable(records: Iterable[Listed]) -> Iterator[Listed]:
    """Makes failures of records with a text that no database stores."""
    for one in records:
        if isinstance(one, Record | Unpictured) and (fault := fault_of_texts(one.product)):
            yield Failure(one.path if isinstance(one, Record) else one.item, fault)
        else:
            yield one


def _begin(records: Iterator[Listed]) -> Iterator[Listed]:
    """Lists a source up to the first product before anything is written: most that cannot be read ends there.

    Notes and failures come before it; a report holds all of them in any case.
    """
    first: list[Listed] = []
    for one in records:
        first.append(one)
        if not isinstance(one, Note | Failure):
            break
    return itertools.chain(first, records)


class _TakenBack(Exception):
    """Ends the transaction of a preview."""


def _fetch(tasks: Iterator[Task], options: IngestOptions) -> Iterator[Task]:
    """Fetches the images that are behind URLs; those come in the order in which they arrive."""
    for first in tasks:
        if not is_remote(first.record.path):
            yield first
            continue
        # HTTPX, which sources without URLs do without.
        from stylesearch.images.remote.cache import PictureCache
        from stylesearch.images.remote.fetch import fetch_stream

        cache = PictureCache(options.pictures)
        stream = fetch_stream(itertools.chain([first], tasks), _url_of, cache, options.fetching)
        with closing(stream):
            for task, content in stream:
                yield task if content is None else replace(task, content=content)


def _url_of(task: Task) -> str | None:
    return task.record.path if is_remote(task.record.path) else None


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
