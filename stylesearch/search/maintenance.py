"""Maintenance of local indexes: when to fit and build anew, what is damaged, what can be removed.

Whoever calls what builds here holds ``Catalog.writing``: two processes that fitted at once would remove each
other's work.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterable
from typing import TYPE_CHECKING

from stylesearch.distance import METRICS
from stylesearch.errors import IndexDamaged
from stylesearch.index.annoy_forest import annoy_works
from stylesearch.search import fitted_space
from stylesearch.search.fitted_space import FitRecord, SpaceLocation
from stylesearch.search.local_store import LocalVectorStore
from stylesearch.search.store import CategoryStatus
from stylesearch.types import Domain, Failure, ReportProgress

if TYPE_CHECKING:
    from stylesearch.search.gallery import Gallery

__all__ = ["metrics_in_use", "rebuild", "refresh", "repair", "status", "verify", "worth_rebuilding"]

log = logging.getLogger(__name__)

# A fit is made anew when this share of what it was fitted on has come or gone since.
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
    return {metric for metric in METRICS if (location.folder / record.version[:16] / metric).is_dir()}


def refresh(location: SpaceLocation, metrics: Iterable[str], progress: ReportProgress | None = None) -> None:
    """Builds what is worth it: a fit that the gallery has outgrown, indexes that are missing or far behind.

    Args:
        location: the space.
        metrics: which there are to be indexes for, besides those that have some.
        progress: called as ``progress("indexes", n_done, n_total)``.
    """
    wanted = sorted({*metrics, *metrics_in_use(location)})
    record, transform = fitted_space.read_record(location), fitted_space.load(location)
    if record is None or transform is None or _outgrown(location, record):
        rebuild(location, wanted, progress)
        return
    for metric in wanted:
        store = LocalVectorStore(location, metric, transform)
        store.build([one.category for one in store.status() if worth_rebuilding(one)], progress)
    if location.model is not None:  # trained anew, it may have older indexes still
        _remove_other_fits(location, transform.version)


def rebuild(
    location: SpaceLocation, metrics: Iterable[str], progress: ReportProgress | None = None
) -> dict[str, int]:
    """Fits the space and builds every index anew; searches go on in the old ones until all are there.

    Returns:
        how many images each category has.
    """
    counts = location.counts()
    if not counts:
        return {}
    wanted = sorted({*metrics, *metrics_in_use(location)})
    transform, record = fitted_space.fit(location)
    for metric in wanted:
        LocalVectorStore(location, metric, transform).build(progress=progress)
    fitted_space.activate(location, record)
    _remove_other_fits(location, record.version)
    return counts


def repair(gallery: Gallery) -> None:
    """Builds again what a search could not use."""
    if gallery.damaged:
        refresh(gallery.location, [gallery.metric])
        gallery.reload()


def status(gallery: Gallery) -> list[CategoryStatus]:
    """The state of every category's index, those of vanished categories included; nothing is built for it."""
    store = LocalVectorStore.of_current_fit(gallery.location, gallery.metric)
    if store is None:
        return [CategoryStatus(name, "missing", n_pending=n) for name, n in gallery.counts().items()]
    return store.status()


def verify(gallery: Gallery) -> list[Failure]:
    """Reads every index whole; lists those that are damaged or missing."""
    store = LocalVectorStore.of_current_fit(gallery.location, gallery.metric)
    problems = []
    for category in gallery.counts():
        try:
            if store is None:
                raise IndexDamaged(f"the space {gallery.location.space} is not fitted, so nothing is indexed")
            store.indexes.verify(category)
        except IndexDamaged as error:
            problems.append(Failure(category, str(error)))
    return problems


def _outgrown(location: SpaceLocation, record: FitRecord) -> bool:
    """Whether too much of the gallery has come or gone since the fit; raw and learned spaces fit nothing."""
    if location.space == "raw" or location.model is not None:
        return False
    n_images = sum(location.counts().values())
    n_new = location.catalog.count_features(
        location.feature_set, after_id=record.last_feature_id, domain=Domain.SHOP
    )
    n_gone = abs(record.n_fitted - (n_images - n_new))
    return n_new + n_gone > REFIT_SHARE * record.n_fitted


def _remove_other_fits(location: SpaceLocation, version: str) -> None:
    """Removes the indexes and transforms of earlier fits; a reader that has one open keeps it."""
    kept = version[:16]
    for path in location.folder.iterdir() if location.folder.exists() else ():
        if path.is_dir() and path.name != kept:
            shutil.rmtree(path, ignore_errors=True)
        elif path.name.startswith("transform-") and path != fitted_space.transform_file(
            location.folder, version
        ):
            path.unlink(missing_ok=True)
