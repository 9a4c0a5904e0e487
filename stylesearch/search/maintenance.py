"""Maintenance of indexes: when to fit and build anew, what is damaged, what can be removed.

Callers of functions that build hold the home's build lock, ``stylesearch.index.build_lock.building``: two
processes that fit at once would remove each other's work. They do not hold ``Catalog.writing``, so products
are written meanwhile: what an index lacks is searched beside it, and a fit is put in force by replacing one
file.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from stylesearch.errors import StyleSearchError
from stylesearch.files import find_partials
from stylesearch.index.annoy_forest import annoy_works
from stylesearch.search import fitted_space
from stylesearch.search.fitted_space import FitRecord, SpaceLocation
from stylesearch.search.store import CategoryStatus, VectorStore
from stylesearch.types import Domain, Failure, ReportProgress

if TYPE_CHECKING:
    from stylesearch.search.gallery import Gallery
    from stylesearch.spaces.base import Transform

__all__ = [
    "is_outdated",
    "metrics_in_use",
    "rebuild",
    "refresh",
    "repair",
    "status",
    "verify",
    "verify_space",
    "worth_rebuilding",
]

log = logging.getLogger(__name__)

# A fit is made anew when images have come or gone since, as many as this share of those it was fitted on.
REFIT_SHARE = 0.25

# An index is built anew when so many images are pending or gone: each pending one costs every query a
# little, and a build costs as much as the whole category.
REBUILD_AT_LEAST = 256
REBUILD_SHARE = 0.1

TREES_FROM = 64


def worth_rebuilding(status: CategoryStatus) -> bool:
    """Whether a category's index should be built anew."""
    if status.state != "ready" or status.n_gone < 0 or status.n_gone == status.n_indexed > 0:
        return True
    if status.kind == "exact" and status.n_indexed >= TREES_FROM and annoy_works():
        return True
    return status.n_pending + status.n_gone > max(REBUILD_AT_LEAST, REBUILD_SHARE * status.n_indexed)


def metrics_in_use(location: SpaceLocation) -> set[str]:
    """Metrics for which indexes of the current fit have been built."""
    record = fitted_space.read_record(location)
    if record is None:
        return set()
    return location.stores.metrics(location, record.version)


def refresh(
    location: SpaceLocation,
    metrics: Iterable[str],
    progress: ReportProgress | None = None,
    *,
    suspects: Iterable[str] = (),
) -> None:
    """Builds what is worth rebuilding: an outdated fit, and indexes that are damaged or far behind.

    Args:
        location: the space.
        metrics: metrics to build indexes for, besides those that have some.
        progress: called as ``progress("indexes", n_done, n_total)``.
        suspects: categories whose indexes are read whole, to see whether they are damaged.
    """
    wanted = sorted({*metrics, *metrics_in_use(location)})
    transform = _lasting_fit(location)
    if transform is None:
        rebuild(location, wanted, progress)
        return
    for metric in wanted:
        store = location.stores.at_fit(location, metric, transform)
        rows = store.status()
        ready = {one.category for one in rows if one.state == "ready"}
        damaged = {one.item for one in store.verify(ready.intersection(suspects))}
        store.build(
            [one.category for one in rows if one.category in damaged or worth_rebuilding(one)], progress
        )
    _remove_other_fits(location, transform.version)  # also the older ones of a model that was trained anew


def is_outdated(location: SpaceLocation, metrics: Iterable[str]) -> bool:
    """Whether ``refresh`` would build anything; needs no lock, since nothing is changed."""
    transform = _lasting_fit(location)
    if transform is None:
        return bool(location.counts())
    return any(
        worth_rebuilding(one)
        for metric in {*metrics, *metrics_in_use(location)}
        for one in location.stores.at_fit(location, metric, transform).status()
    )


def rebuild(
    location: SpaceLocation, metrics: Iterable[str], progress: ReportProgress | None = None
) -> dict[str, int]:
    """Fits the space and builds every index anew; searches use the old ones until all are built.

    Returns:
        the number of images by category.
    """
    counts = location.counts()
    if not counts:
        return {}
    wanted = sorted({*metrics, *metrics_in_use(location)})
    stamp = fitted_space.version_stamp(location)
    transform, record = fitted_space.fit(location)
    for metric in wanted:
        location.stores.at_fit(location, metric, transform).build(progress=progress)
    if not fitted_space.activate(location, record, replacing=stamp):
        log.info("another machine has fitted the space %s meanwhile: that fit is used", location.space)
        refresh(location, wanted, progress)
        return counts
    _remove_other_fits(location, record.version)
    return counts


def repair(gallery: Gallery) -> None:
    """Builds again the indexes that a search could not use."""
    if gallery.damaged:
        refresh(gallery.location, [gallery.metric], suspects=gallery.damaged)
        gallery.reload()


def status(gallery: Gallery) -> list[CategoryStatus]:
    """The state of every category's index, those of vanished categories included; nothing is built for it."""
    store = _current_store(gallery)
    if store is None:
        return [CategoryStatus(name, "missing", n_pending=n) for name, n in gallery.counts().items()]
    return store.status()


def verify(gallery: Gallery) -> list[Failure]:
    """Reads every index whole; lists those that are damaged or missing."""
    store = _current_store(gallery)
    if store is None:
        reason = (
            f"the space {gallery.location.space} {_why_not_fitted(gallery.location)}, so nothing is indexed"
        )
        return [Failure(category, reason) for category in gallery.counts()]
    return store.verify()


def verify_space(location: SpaceLocation, *, without: Gallery) -> list[Failure]:
    """Reads the fit of a space and its indexes whole, for all metrics but that of a gallery."""
    if not location.folder.is_dir():
        return []
    name = f"{location.feature_set.extractor}/{location.space}"
    try:
        transform = fitted_space.load(location)
    except StyleSearchError as error:
        return [Failure(name, str(error))]
    if transform is None:
        if location.folder == without.location.folder:
            return []  # told for each category
        return [Failure(name, f"the space {_why_not_fitted(location)}")]
    found = []
    for metric in sorted(location.stores.metrics(location, transform.version)):
        if (location.folder, metric) != (without.location.folder, without.metric):
            problems = location.stores.at_fit(location, metric, transform).verify()
            found += [Failure(f"{name}/{metric}/{one.item}", one.reason) for one in problems]
    return found


def leftovers(location: SpaceLocation) -> list[Failure]:
    """Lists what no search of a space uses any more, and its next build removes.

    The caller holds the build lock: what a process is building just now would be listed too.
    """
    try:
        record = fitted_space.read_record(location)
    except StyleSearchError:  # of a damaged model: whatever is there is of no use until it is trained again
        return []
    if record is None or not location.folder.is_dir():
        return []
    files = _other_files(location, record.version)
    found = [*location.stores.leftovers(location, record.version), *map(str, files)]
    return [Failure(path, "left over; the next build removes it") for path in found]


def _why_not_fitted(location: SpaceLocation) -> str:
    is_there = fitted_space.version_stamp(location) != (0, 0)
    return "has a fit that is damaged" if is_there else "is not fitted"


def _current_store(gallery: Gallery) -> VectorStore | None:
    """A store of the current fit; None when there is none, or it cannot be read."""
    location = gallery.location
    transform = fitted_space.load(location)
    return None if transform is None else location.stores.at_fit(location, gallery.metric, transform)


def _lasting_fit(location: SpaceLocation) -> Transform | None:
    """The transform of the current fit; None where there is none, or it has to be made anew."""
    record, transform = fitted_space.read_record(location), fitted_space.load(location)
    return None if record is None or _outgrown(location, record) else transform


def _outgrown(location: SpaceLocation, record: FitRecord) -> bool:
    """Whether too much of the gallery has changed since the fit; never for raw and learned spaces."""
    if location.space == "raw" or location.model is not None:
        return False
    n_images = sum(location.counts().values())
    n_new = location.catalog.count_features(
        location.feature_set, after_id=record.last_feature_id, domain=Domain.SHOP
    )
    n_gone = abs(record.n_fitted - (n_images - n_new))
    return n_new + n_gone > REFIT_SHARE * record.n_fitted


def _remove_other_fits(location: SpaceLocation, version: str) -> None:
    """Removes the indexes and transforms of other fits; a reader that has one open keeps it."""
    location.stores.remove_other_fits(location, version)
    for path in _other_files(location, version):
        path.unlink(missing_ok=True)


def _other_files(location: SpaceLocation, version: str) -> list[Path]:
    """Lists the transforms of other fits, and files that were being written when their process was killed."""
    kept = fitted_space.transform_file(location.folder, version)
    others = [path for path in location.folder.glob("transform-*") if path.is_file() and path != kept]
    return others + find_partials(location.folder)
