"""What :meth:`stylesearch.workspace.Workspace.ingest` does: a source into the catalog, then the indexes."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from stylesearch.cores import usable_cores
from stylesearch.feature_gaps import warn_of_gaps
from stylesearch.types import Domain

if TYPE_CHECKING:
    from stylesearch.catalog.importers.base import ImportOptions
    from stylesearch.ingest import IngestReport
    from stylesearch.parts import Parts

    ReportProgress = Callable[[str, int, int | None], None]

__all__ = ["take_in"]


def take_in(
    parts: Parts,
    path: Path,
    *,
    format: str,
    selection: ImportOptions,
    extractors: Sequence[str] | None,
    domain: str | None,
    prune: bool,
    allow_outside: bool,
    progress: ReportProgress | None,
) -> IngestReport:
    """See :meth:`stylesearch.workspace.Workspace.ingest`.

    Without ``extractors``, features are made by the one that a query without any wish searches with: that of
    the trained model where the workspace's space is one.
    """
    from stylesearch.catalog.importers.base import check_options, choose_importer
    from stylesearch.ingest import IngestOptions, ingest, joined

    # Before a workspace is made for what turns out to be no source.
    check_options(choose_importer(path, format), selection)
    specs = list(extractors or [parts.chosen()[0]])
    catalog = parts.catalog(create=True)
    own = parts.settings
    options = IngestOptions(
        format=format,
        domain=Domain(domain or Domain.SHOP),
        prune=prune,
        allow_outside=allow_outside,
        splits=selection.splits,
        gallery=selection.gallery,
        categories=selection.categories,
        batch_size=own.batch_size,
        n_workers=own.workers or usable_cores(),
        max_pixels=own.max_pixels,
        lock_timeout=own.lock_timeout,
    )
    reports = []
    for spec in specs:
        extractor = parts.extractor(spec, throughput=True)
        reports.append(ingest(catalog, path, extractor, options, progress=progress))
    report = joined(reports)
    began = time.perf_counter()
    build = " && ".join(
        "stylesearch index build" + ("" if spec == own.extractor else f" -e {spec}") for spec in specs
    )
    parts.refresh_indexes([parts.extractor(spec) for spec in specs], progress, build)
    warn_of_gaps(catalog)
    report.add_seconds("index", time.perf_counter() - began)
    return report
