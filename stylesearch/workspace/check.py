"""Checks a workspace: its catalog, files, models, indexes and fits; repairs what is derived."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from stylesearch.artifacts.base import MODEL
from stylesearch.errors import CatalogError, StyleSearchError
from stylesearch.settings import Settings
from stylesearch.types import ReportProgress

if TYPE_CHECKING:
    from stylesearch.artifacts.base import ArtifactStore
    from stylesearch.catalog import Catalog
    from stylesearch.catalog.backends import Backend
    from stylesearch.catalog.check.findings import Finding
    from stylesearch.catalog.writer import Writer
    from stylesearch.search.fitted_space import SpaceLocation

__all__ = ["check_workspace"]

log = logging.getLogger(__name__)

REBUILD: Final = "builds the index, or the fit and its indexes, anew"
WRITE_AGAIN: Final = "writes the file anew, from the copy of this machine"


def check_workspace(
    settings: Settings,
    *,
    repair: bool = False,
    contents: bool = False,
    progress: ReportProgress | None = None,
) -> list[Finding]:
    """Checks the catalog and what belongs to it.

    With ``repair`` nobody else writes from the first check to the last: what is mended is still so.

    Args:
        settings: settings of the workspace.
        repair: whether to mend what is derived from something else, and to check again after that.
        contents: whether the files of images are read, and compared with their digests.
        progress: called as ``progress(stage, n_done, n_total)``.

    Returns:
        a finding for each check; after a repair, what is left, with the number of what was mended.

    Raises:
        CatalogError: there is no catalog, or it cannot be opened at all; with ``repair``, not written to.
        CatalogTooNew: a newer stylesearch wrote it.
        CatalogLocked: with ``repair``, another process is writing.
    """
    from stylesearch.catalog import Catalog

    backend = _locate_catalog(settings)
    if not repair:
        return list(_check(settings, backend, contents, progress))
    with (
        Catalog.open(backend, create=False) as catalog,
        catalog.writing(timeout=settings.lock_timeout) as writer,
    ):
        found = list(_check(settings, backend, contents, progress))
        before = {one.check: one.n_problems for one in found}
        while any(problem.repair for one in found for problem in one.problems):
            n_problems = sum(one.n_problems for one in found)
            _repair(settings, catalog, writer, found)
            found = list(_check(settings, backend, contents, progress))
            if sum(one.n_problems for one in found) >= n_problems:
                break  # else there may be more than a check keeps
    for one in found:
        one.n_repaired = max(0, before.get(one.check, 0) - one.n_problems)
    return found


def _locate_catalog(settings: Settings) -> Backend:
    from stylesearch.catalog.migrate import HEAD, current_revision

    backend = settings.backend()
    if not backend.exists():
        raise CatalogError(f"there is no catalog at {backend}", hint="run `stylesearch ingest` first")
    revision = current_revision(backend)
    if revision != HEAD:
        raise CatalogError(
            f"the schema of {backend} is {revision or '(none)'}, the newest is {HEAD}",
            hint="run `stylesearch db upgrade`, then check it",
        )
    return backend


def _check(
    settings: Settings, backend: Backend, contents: bool, progress: ReportProgress | None
) -> Iterator[Finding]:
    from sqlalchemy import Connection

    from stylesearch.catalog import Catalog
    from stylesearch.catalog.check.files import check_files, check_uploads
    from stylesearch.catalog.check.whole import check_catalog
    from stylesearch.images.upload_store import open_upload_store, upload_folder
    from stylesearch.workspace.resources import open_artifacts

    readonly = backend.is_readonly()
    uploads = upload_folder(settings.home, settings.uploads).resolve()
    store = open_upload_store(settings.uploads)

    def connect_and(check: Callable[[Connection], Finding]) -> Finding:
        engine = backend.engine(readonly=True)
        try:
            with engine.connect() as connection:
                return check(connection)
        finally:
            engine.dispose()

    def of_files(connection: Connection) -> Finding:
        has = store.has if store else None
        return check_files(connection, uploads, has, contents=contents, progress=progress)

    def open_and(check: Callable[[Settings, Catalog, ArtifactStore], Finding]) -> Finding:
        with Catalog.open(backend, readonly=True) as catalog:
            return check(settings, catalog, open_artifacts(settings, catalog))

    yield from check_catalog(backend, readonly=readonly, progress=progress)
    yield _unless_damaged("files of images", lambda: connect_and(of_files))
    yield _unless_damaged(
        "images that were put over the API", lambda: connect_and(lambda one: check_uploads(one, uploads))
    )
    if settings.shares_artifacts:
        yield _unless_damaged("files of shared fits and models", lambda: open_and(_check_shared))
    yield _unless_damaged("trained models", lambda: open_and(_check_models))
    yield _unless_damaged("indexes and fits", lambda: open_and(_check_indexes))


def _unless_damaged(check: str, make: Callable[[], Finding]) -> Finding:
    """Makes a finding; where the catalog is too damaged for that, one that says so."""
    from stylesearch.catalog.check.findings import Finding, Problem

    try:
        return make()
    except StyleSearchError as error:
        problem = Problem(f"could not be checked: {error.message}")
        return Finding.of(check, 0, "things", [problem], "mend the catalog first")


def _check_shared(settings: Settings, catalog: Catalog, artifacts: ArtifactStore) -> Finding:
    """Reads the files that the catalog keeps for all machines, and compares them with their digests."""
    from stylesearch.artifacts.base import FOLDERS
    from stylesearch.catalog.check.findings import Finding, Problem
    from stylesearch.files import has_digest

    hint = "run the check where its copy is whole, build or train it again, or restore a backup"
    found = Finding("files of shared fits and models", 0, "files", hint=hint)
    for (kind, name), version in catalog.artifacts.versions().items():
        for file, digest in sorted(version.files.items()):
            found.n_checked += 1
            if catalog.artifacts.is_whole(kind, name, digest):
                continue
            problem = Problem(f"{file} of the {kind} {name!r} is missing or damaged in the catalog")
            if kind in FOLDERS and has_digest(copy := artifacts.folder(kind, name) / file, digest):
                key = json.dumps([kind, name, digest, str(copy)])
                problem = Problem(problem.what, None, WRITE_AGAIN, key)
            found.add(problem)
    return found


def _check_models(settings: Settings, catalog: Catalog, artifacts: ArtifactStore) -> Finding:
    from stylesearch.catalog.check.findings import Finding, Problem
    from stylesearch.models.store import examine_models

    not_brought = artifacts.get_all(MODEL)
    cards, damaged = examine_models(settings.home, whole=True)
    damaged |= not_brought
    problems = [Problem(f"the model {name!r}: {reason}") for name, reason in damaged.items()]
    hint = "train it again, restore a full backup, or remove it with `stylesearch models remove`"
    return Finding.of("trained models", len(cards) + len(damaged), "models", problems, hint)


def _check_indexes(settings: Settings, catalog: Catalog, artifacts: ArtifactStore) -> Finding:
    from stylesearch.catalog.check.findings import Finding, Problem

    found = Finding("indexes and fits", 0, "indexes")
    for location in _spaces(settings, catalog, artifacts):
        try:
            _check_space(location, found)
        except StyleSearchError as error:  # of this space alone
            found.add(Problem(f"the space {location.space} could not be checked: {error.message}"))
    return found


def _check_space(location: SpaceLocation, found: Finding) -> None:
    from stylesearch.catalog.check.findings import Problem
    from stylesearch.search import Gallery, maintenance
    from stylesearch.search.fitted_space import load, version_stamp

    key = str(location.folder)
    if version_stamp(location) != (0, 0) and load(location) is None:
        found.n_checked += 1
        found.add(Problem(f"the fit in {location.folder} is damaged", None, REBUILD, key))
        return
    for metric in sorted(maintenance.metrics_in_use(location)):
        gallery = Gallery(location, metric)
        built = {row.category for row in maintenance.status(gallery) if row.state != "missing"}
        found.n_checked += len(built)
        for failure in maintenance.verify(gallery):
            if failure.item in built:  # images without an index are searched exactly: that is no damage
                what = f"index of {failure.item!r} in {location.space}/{metric}: {failure.reason}"
                found.add(Problem(what, None, REBUILD, key))


def _spaces(settings: Settings, catalog: Catalog, artifacts: ArtifactStore) -> Iterator[SpaceLocation]:
    """Yields every space of the workspace that has images; not those of damaged models."""
    from stylesearch.models.store import examine_models
    from stylesearch.spaces import SPACES
    from stylesearch.workspace.resources import locate_space

    artifacts.get_all(MODEL)
    cards, _ = examine_models(settings.home, whole=True)
    for feature_set in catalog.feature_sets():
        trained = [card.space for card in cards if card.feature_set == feature_set.fingerprint]
        for space in (*SPACES, *trained):
            location = locate_space(settings, catalog, artifacts, feature_set, space)
            if location.counts():
                yield location


def _repair(settings: Settings, catalog: Catalog, writer: Writer, findings: Iterable[Finding]) -> None:
    from stylesearch.catalog.check.files import REMOVE_UPLOAD
    from stylesearch.catalog.check.repair import repair_catalog
    from stylesearch.index.build_lock import building
    from stylesearch.search.maintenance import refresh
    from stylesearch.workspace.resources import open_artifacts

    found = list(findings)

    def keys(repair: str) -> set[Any]:
        return {one.key for finding in found for one in finding.repairable(repair)}

    repair_catalog(writer, found)
    for path in sorted(keys(REMOVE_UPLOAD)):
        Path(path).unlink(missing_ok=True)
    for key in sorted(keys(WRITE_AGAIN)):
        kind, name, digest, copy = json.loads(key)
        try:
            catalog.artifacts.write_again(kind, name, digest, Path(copy))
        except (OSError, StyleSearchError) as error:  # the next check tells of it again
            log.warning("a file of the %s %r cannot be written again: %s", kind, name, error)
    if folders := keys(REBUILD):
        for location in _spaces(settings, catalog, open_artifacts(settings, catalog)):
            if str(location.folder) in folders:
                try:
                    with building(settings.home / "indexes", settings.lock_timeout):
                        refresh(location, [], suspects=location.counts())
                except StyleSearchError as error:  # the next check tells of it again
                    log.warning("the indexes of %s cannot be built: %s", location.space, error)
