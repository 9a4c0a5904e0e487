"""Checks a workspace: its catalog, the files that it lists, indexes and fits; repairs what is derived."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from stylesearch.errors import CatalogError, StyleSearchError
from stylesearch.settings import Settings
from stylesearch.types import ReportProgress

if TYPE_CHECKING:
    from stylesearch.catalog import Catalog
    from stylesearch.catalog.check.findings import Finding
    from stylesearch.search.fitted_space import SpaceLocation

__all__ = ["check_workspace"]

REMOVE_INDEXES: Final = "removes the fit and its indexes: the next ingest, or `index build`, makes them anew"


def check_workspace(
    settings: Settings,
    *,
    repair: bool = False,
    contents: bool = False,
    progress: ReportProgress | None = None,
) -> list[Finding]:
    """Checks the catalog and what belongs to it.

    Args:
        settings: settings of the workspace.
        repair: whether to mend what is derived from something else, and to check once more then.
        contents: whether the files of images are read, and compared with their digests.
        progress: called as ``progress(stage, n_done, n_total)``.

    Returns:
        a finding for each check; after a repair, what is left, with the number of what was mended.

    Raises:
        CatalogError: there is no catalog, or it cannot be opened at all; with ``repair``, not written to.
        CatalogTooNew: a newer stylesearch wrote it.
        CatalogLocked: with ``repair``, another process is writing.
    """
    found = list(_check(settings, contents, progress))
    if not repair or not any(one.repair for finding in found for one in finding.problems):
        return found
    before = {finding.check: finding.n_problems for finding in found}
    _repair(settings, found)
    after = list(_check(settings, contents, progress))
    for finding in after:
        finding.n_repaired = max(0, before.get(finding.check, 0) - finding.n_problems)
    return after


def _check(settings: Settings, contents: bool, progress: ReportProgress | None) -> Iterator[Finding]:
    from stylesearch.catalog import Catalog
    from stylesearch.catalog.check.files import check_files, check_uploads
    from stylesearch.catalog.check.whole import check_catalog
    from stylesearch.catalog.connections import (
        Location,
        is_on_readonly_storage,
        make_engine,
        reading_mode,
    )
    from stylesearch.catalog.migrate import HEAD, current_revision

    location = Location(settings.database)
    if location.path is not None and not location.path.exists():
        raise CatalogError(f"there is no catalog at {location}", hint="run `stylesearch ingest` first")
    revision = current_revision(location)
    if revision != HEAD:
        raise CatalogError(
            f"the schema of {location} is {revision or '(none)'}, the newest is {HEAD}",
            hint="run `stylesearch db upgrade`, then check it",
        )
    readonly = location.path is not None and is_on_readonly_storage(location.path)
    yield from check_catalog(location, readonly=readonly, progress=progress)
    engine = make_engine(location, mode=reading_mode(location))
    try:
        with engine.connect() as connection:
            yield _unless_damaged(
                "files of images", lambda: check_files(connection, contents=contents, progress=progress)
            )
            uploads = settings.home / "uploads"
            yield _unless_damaged(
                "images that were put over the API", lambda: check_uploads(connection, uploads)
            )
    finally:
        engine.dispose()
    with Catalog.open(settings.database, readonly=True) as catalog:
        yield _unless_damaged("indexes and fits", lambda: _check_indexes(settings, catalog))


def _unless_damaged(check: str, make: Callable[[], Finding]) -> Finding:
    """Makes a finding; where the catalog is too damaged for that, one that says so."""
    from stylesearch.catalog.check.findings import Finding, Problem

    try:
        return make()
    except StyleSearchError as error:
        problem = Problem(f"could not be checked: {error.message}")
        return Finding.of(check, 0, "things", [problem], "mend the catalog first")


def _check_indexes(settings: Settings, catalog: Catalog) -> Finding:
    from stylesearch.catalog.check.findings import Finding, Problem
    from stylesearch.search import Gallery, maintenance
    from stylesearch.search.fitted_space import load, version_stamp

    found = Finding("indexes and fits", 0, "indexes")
    for location in _spaces(settings, catalog):
        metrics = maintenance.metrics_in_use(location)
        key = str(location.folder)
        if version_stamp(location) != (0, 0) and load(location) is None:
            found.add(Problem(f"the fit in {location.folder} is damaged", None, REMOVE_INDEXES, key))
            continue
        for metric in sorted(metrics):
            gallery = Gallery(location, metric)
            built = {row.category for row in maintenance.status(gallery) if row.state != "missing"}
            found.n_checked += len(built)
            for failure in maintenance.verify(gallery):
                if failure.item not in built:  # its images are searched exactly: that is no damage
                    continue
                what = f"index of {failure.item!r} in {location.space}/{metric}: {failure.reason}"
                found.add(Problem(what, None, REMOVE_INDEXES, key))
    return found


def _spaces(settings: Settings, catalog: Catalog) -> Iterator[SpaceLocation]:
    """Yields every space of the workspace that has images."""
    from stylesearch.models.store import list_models
    from stylesearch.spaces import SPACES
    from stylesearch.workspace.resources import locate_space

    cards = list_models(settings.home)
    for feature_set in catalog.feature_sets():
        learned = [card.space for card in cards if card.feature_set == feature_set.fingerprint]
        for space in (*SPACES, *learned):
            location = locate_space(settings, catalog, feature_set, space)
            if location.counts():
                yield location


def _repair(settings: Settings, findings: Iterable[Finding]) -> None:
    from stylesearch.catalog import Catalog
    from stylesearch.catalog.check.files import REMOVE_UPLOAD
    from stylesearch.catalog.check.repair import repair_catalog

    found = list(findings)

    def keys(repair: str) -> list[Any]:
        return sorted({one.key for finding in found for one in finding.repairable(repair)})

    with (
        Catalog.open(settings.database, create=False) as catalog,
        catalog.writing(timeout=settings.lock_timeout) as writer,
    ):
        repair_catalog(writer, found)
        for path in keys(REMOVE_UPLOAD):
            Path(path).unlink(missing_ok=True)
        for folder in keys(REMOVE_INDEXES):
            shutil.rmtree(folder, ignore_errors=True)
