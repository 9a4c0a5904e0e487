"""Keeping indexes worth having: when to build, what to build, what is pending and what is damaged."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from stylesearch.errors import IndexDamaged
from stylesearch.gallery import fit
from stylesearch.types import Domain, Failure

if TYPE_CHECKING:
    from stylesearch.gallery.gallery import Gallery

__all__ = ["CategoryStatus", "rebuild", "refresh", "repair", "status", "verify"]

log = logging.getLogger(__name__)

# A fit is made anew when the gallery has changed in size by this much since: a whitening fitted on a small
# gallery serves a larger one less well.
REFIT_GROWTH = 1.25

# An index is built anew when so many images are pending or gone: each pending one costs every query a
# little, and a build costs as much as the whole category.
REBUILD_AT_LEAST = 256
REBUILD_SHARE = 0.1

ReportProgress = Callable[[str, int, int | None], None]


@dataclass(frozen=True, slots=True)
class CategoryStatus:
    """The state of one category's index.

    Attributes:
        category: its name.
        state: ``ready``, ``missing`` or ``damaged``.
        kind: what searches it (``annoy`` or ``exact``); empty when nothing is built.
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
        if self.state != "ready":
            return True
        return self.n_pending + self.n_gone > max(REBUILD_AT_LEAST, REBUILD_SHARE * self.n_indexed)


def refresh(gallery: Gallery, progress: ReportProgress | None = None) -> None:
    """Builds what pays: a fit that the gallery has outgrown, missing or damaged indexes, those far behind."""
    n_images = sum(gallery.counts().values())
    record = fit.read_record(gallery.folder)
    if n_images == 0 and record is None:
        return
    kept = record is not None and fit.load(gallery.folder, gallery.space, gallery.feature_set.dim) is not None
    if not kept or _outgrown(record, n_images):
        rebuild(gallery, progress)
        return
    due = [one.category for one in status(gallery) if one.pays]
    _build(gallery, due, progress)
    gallery.forget()


def rebuild(gallery: Gallery, progress: ReportProgress | None = None) -> dict[str, int]:
    """Fits the space and builds every index anew; until all are there, searches go on in the old ones.

    Returns:
        images in each category.
    """
    transform, record = fit.fit(gallery.catalog, gallery.feature_set, gallery.space, gallery.folder)
    gallery.forget()
    gallery.use(transform)
    built = _build(gallery, list(gallery.counts()), progress)
    fit.put_in_force(gallery.folder, record)
    _remove_other_fits(gallery, record)
    gallery.forget()
    return built


def repair(gallery: Gallery) -> None:
    """Builds again what a search could not use; says so in the log when that cannot be."""
    if not gallery.needs_repair:
        return
    try:
        if fit.load(gallery.folder, gallery.space, gallery.feature_set.dim) is None:
            rebuild(gallery)
        else:
            _build(gallery, sorted(gallery.needs_repair), None)
    except OSError as error:
        log.warning("the index could not be built again: %s", error)
    gallery.needs_repair.clear()


def status(gallery: Gallery) -> list[CategoryStatus]:
    """The state of every category's index, those of categories that are no more included."""
    counts = gallery.counts()
    names = sorted({*counts, *gallery.indexes.categories()})
    return [_status_of(gallery, name, counts.get(name, 0)) for name in names]


def verify(gallery: Gallery) -> list[Failure]:
    """Reads every index whole; lists those that are damaged or missing."""
    problems = []
    for category in gallery.counts():
        try:
            gallery.indexes.verify(category)
        except IndexDamaged as error:
            problems.append(Failure(category, str(error)))
    return problems


def _outgrown(record: fit.FitRecord | None, n_images: int) -> bool:
    if record is None:
        return True
    return not record.n_fitted / REFIT_GROWTH <= n_images <= record.n_fitted * REFIT_GROWTH


def _build(gallery: Gallery, categories: list[str], progress: ReportProgress | None) -> dict[str, int]:
    counts = gallery.counts()
    n_done, n_total = 0, sum(counts.get(category, 0) for category in categories)
    for category in categories:
        if category not in counts:
            gallery.indexes.remove(category)
            continue
        # Asked before the features are read: what comes in meanwhile is indexed and searched beside it,
        # which costs a little and loses nothing.
        last_feature_id = gallery.catalog.last_feature_id(gallery.feature_set)
        gallery.indexes.build(
            category,
            gallery.blocks(category),
            n_rows=counts[category],
            transform_version=gallery.transform.version,
            last_feature_id=last_feature_id,
        )
        n_done += counts[category]
        if progress:
            progress("indexes", n_done, n_total)
    return {category: counts[category] for category in categories if category in counts}


def _status_of(gallery: Gallery, category: str, n_images: int) -> CategoryStatus:
    try:
        opened = gallery.indexes.open(category)
    except IndexDamaged:
        state = "damaged" if category in gallery.indexes.categories() else "missing"
        return CategoryStatus(category, state, n_pending=n_images)
    n_pending = sum(
        len(ids)
        for ids, _ in gallery.catalog.features(
            gallery.feature_set, category=category, after_id=opened.last_feature_id, domain=Domain.SHOP
        )
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


def _remove_other_fits(gallery: Gallery, record: fit.FitRecord) -> None:
    """Removes the indexes and transforms of earlier fits; a reader that has one open keeps it."""
    kept = record.version[:16]
    for path in gallery.folder.iterdir():
        if path.is_dir() and path.name != kept:
            shutil.rmtree(path, ignore_errors=True)
        elif path.name.startswith("transform-") and path.stem != f"transform-{kept}":
            path.unlink(missing_ok=True)
