"""Keeping indexes worth having: when to fit and build, what is pending and what is damaged.

Everything here that builds wants the caller to hold the right to write to the catalog (``Catalog.writing``):
two processes that fitted at once would remove each other's work.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from stylesearch.distance import METRICS
from stylesearch.errors import IndexDamaged
from stylesearch.index.annoy_forest import annoy_works
from stylesearch.search import fitted_space
from stylesearch.search.fitted_space import FitRecord, Snapshot, SpaceHome
from stylesearch.types import Domain, Failure, ReportProgress

if TYPE_CHECKING:
    from stylesearch.search.gallery import Gallery

__all__ = ["CategoryStatus", "metrics_in_use", "rebuild", "refresh", "repair", "status", "verify"]

log = logging.getLogger(__name__)

# A fit is made anew when this share of what it was fitted on has come or gone since.
REFIT_SHARE = 0.25

# An index is built anew when so many images are pending or gone: each pending one costs every query a
# little, and a build costs as much as the whole category.
REBUILD_AT_LEAST = 256
REBUILD_SHARE = 0.1

TREES_FROM = 64


@dataclass(frozen=True, slots=True)
class CategoryStatus:
    """The state of one category's index.

    Attributes:
        category: its name.
        state: ``ready``, ``missing`` or ``damaged``.
        kind: ``annoy`` or ``exact``; empty when nothing is built.
        n_indexed: images in the index.
        n_pending: images that came after; they are searched exactly.
        n_gone: images in the index that the catalog no longer has.
        n_bytes: size on disk.
    """

    category: str
    state: str
    kind: str = ""
    n_indexed: int = 0
    n_pending: int = 0
    n_gone: int = 0
    n_bytes: int = 0

    def as_dict(self) -> dict[str, Any]:
        """The status as JSON values."""
        return asdict(self)

    @property
    def pays(self) -> bool:
        """Whether building it anew is worth it."""
        if self.state != "ready" or self.n_gone < 0 or self.n_gone == self.n_indexed > 0:
            return True
        if self.kind == "exact" and self.n_indexed >= TREES_FROM and annoy_works():
            return True
        return self.n_pending + self.n_gone > max(REBUILD_AT_LEAST, REBUILD_SHARE * self.n_indexed)


def metrics_in_use(home: SpaceHome) -> set[str]:
    """Metrics for which indexes of the fit in force have been built."""
    record = fitted_space.read_record(home)
    if record is None:
        return set()
    return {metric for metric in METRICS if (home.folder / record.version[:16] / metric).is_dir()}


def refresh(home: SpaceHome, metrics: Iterable[str], progress: ReportProgress | None = None) -> None:
    """Builds what pays: a fit that the gallery has outgrown, missing or damaged indexes, those far behind.

    Args:
        home: the space.
        metrics: which there are to be indexes for, besides those that have some.
        progress: called as ``progress("indexes", n_done, n_total)``.
    """
    wanted = sorted({*metrics, *metrics_in_use(home)})
    record, transform = fitted_space.read_record(home), fitted_space.load(home)
    if record is None or transform is None or _outgrown(home, record):
        rebuild(home, wanted, progress)
        return
    for metric in wanted:
        snapshot = Snapshot(home, metric, transform)
        due = [one.category for one in _statuses(snapshot) if one.pays]
        _build(snapshot, due, progress)
    if home.model is not None:  # trained anew, it may have older indexes still
        _remove_other_fits(home, transform.version)


def rebuild(
    home: SpaceHome, metrics: Iterable[str], progress: ReportProgress | None = None
) -> dict[str, int]:
    """Fits the space and builds every index anew; until all are there, searches go on in the old ones.

    Returns:
        images in each category.
    """
    counts = home.counts()
    if not counts:
        return {}
    wanted = sorted({*metrics, *metrics_in_use(home)})
    transform, record = fitted_space.fit(home)
    for metric in wanted:
        _build(Snapshot(home, metric, transform), list(counts), progress)
    fitted_space.put_in_force(home, record)
    _remove_other_fits(home, record.version)
    return counts


def repair(gallery: Gallery) -> None:
    """Builds again what a search could not use."""
    if gallery.damaged:
        refresh(gallery.home, [gallery.metric])
        gallery.forget()


def status(gallery: Gallery) -> list[CategoryStatus]:
    """The state of every category's index, those of vanished categories included; nothing is built for it."""
    snapshot = Snapshot.in_force(gallery.home, gallery.metric)
    if snapshot is None:
        return [CategoryStatus(name, "missing", n_pending=n) for name, n in gallery.counts().items()]
    return _statuses(snapshot)


def verify(gallery: Gallery) -> list[Failure]:
    """Reads every index whole; lists those that are damaged or missing."""
    snapshot = Snapshot.in_force(gallery.home, gallery.metric)
    problems = []
    for category in gallery.counts():
        try:
            if snapshot is None:
                raise IndexDamaged(f"the space {gallery.home.space} is not fitted, so nothing is indexed")
            snapshot.indexes.verify(category)
        except IndexDamaged as error:
            problems.append(Failure(category, str(error)))
    return problems


def _outgrown(home: SpaceHome, record: FitRecord) -> bool:
    """Whether too much of the gallery has come or gone since the fit; raw and learned spaces fit nothing."""
    if home.space == "raw" or home.model is not None:
        return False
    n_images = sum(home.counts().values())
    n_new = home.catalog.count_features(home.feature_set, after_id=record.last_feature_id, domain=Domain.SHOP)
    n_gone = abs(record.n_fitted - (n_images - n_new))
    return n_new + n_gone > REFIT_SHARE * record.n_fitted


def _build(snapshot: Snapshot, categories: list[str], progress: ReportProgress | None) -> None:
    counts = snapshot.home.counts()
    n_done, n_total = 0, sum(counts.get(category, 0) for category in categories)
    for category in categories:
        if category not in counts:
            snapshot.indexes.remove(category)
            continue
        snapshot.indexes.build(
            category,
            snapshot.blocks(category),
            n_rows=counts[category],
            transform_version=snapshot.transform.version,
            # Asked before the features are read: what comes meanwhile would be in the index and searched
            # beside it, which costs a little and loses nothing.
            last_feature_id=snapshot.home.catalog.highest_feature_id(),
        )
        n_done += counts[category]
        if progress:
            progress("indexes", n_done, n_total)


def _statuses(snapshot: Snapshot) -> list[CategoryStatus]:
    counts = snapshot.home.counts()
    names = sorted({*counts, *snapshot.indexes.categories()})
    return [_status_of(snapshot, name, counts.get(name, 0)) for name in names]


def _status_of(snapshot: Snapshot, category: str, n_images: int) -> CategoryStatus:
    try:
        opened = snapshot.open(category)
    except IndexDamaged:
        state = "damaged" if snapshot.indexes.in_force(category) else "missing"
        return CategoryStatus(category, state, n_pending=n_images)
    n_pending = snapshot.home.catalog.count_features(
        snapshot.home.feature_set, category=category, after_id=opened.last_feature_id, domain=Domain.SHOP
    )
    return CategoryStatus(
        category,
        "ready",
        opened.kind,
        n_indexed=opened.count,
        n_pending=n_pending,
        n_gone=opened.count - (n_images - n_pending),
        n_bytes=opened.n_bytes,
    )


def _remove_other_fits(home: SpaceHome, version: str) -> None:
    """Removes the indexes and transforms of earlier fits; a reader that has one open keeps it."""
    kept = version[:16]
    for path in home.folder.iterdir() if home.folder.exists() else ():
        if path.is_dir() and path.name != kept:
            shutil.rmtree(path, ignore_errors=True)
        elif path.name.startswith("transform-") and path != fitted_space.transform_file(home.folder, version):
            path.unlink(missing_ok=True)
