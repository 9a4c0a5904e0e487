"""Ranks queries through the indexes, as searches do, and measures their recall against exact search."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from stylesearch.array_types import Doubles, Floats, Ints
from stylesearch.errors import ConfigError
from stylesearch.evaluation.protocol import Protocol
from stylesearch.evaluation.results import Columns, StudySettings
from stylesearch.features.images import CatalogImage
from stylesearch.images.regions import PERSON_PLAN, count_squares
from stylesearch.index.build_lock import building
from stylesearch.search import Gallery, maintenance
from stylesearch.types import Domain, ReportCount, SearchRequest

if TYPE_CHECKING:
    from stylesearch.search.fitted_space import SpaceLocation

__all__ = ["check_indexed", "rank_by_index", "refresh_indexes"]


def check_indexed(protocol: Protocol, images: Sequence[CatalogImage]) -> None:
    """Checks that the gallery of a study is what the indexes hold.

    Raises:
        ConfigError: the gallery is another.
    """
    shop = {one.pk for one in images if one.image.domain == Domain.SHOP}
    unreadable = {one.pk for one in protocol.unreadable}
    searched = {one.pk for one in protocol.gallery}
    if searched != shop - unreadable:
        raise ConfigError(
            f"indexes hold all {len(shop)} shop pictures of the catalog, and this gallery is "
            f"{len(searched)} of them",
            hint="--index goes with consumer photos and the gallery `all`, or with views and the gallery "
            "`others`; with no split",
        )


def refresh_indexes(home: SpaceLocation, metrics: Sequence[str]) -> None:
    """Builds indexes that are missing or behind, and fits the space first where it is outdated.

    Raises:
        IndexesLocked: another process is building.
    """
    with building(home.folder.parents[1], home.catalog.lock_timeout):
        maintenance.refresh(home, list(metrics))


def rank_by_index(
    home: SpaceLocation,
    metric: str,
    queries: Floats,
    n_regions: Ints,
    protocol: Protocol,
    exact: Columns,
    settings: StudySettings,
    progress: ReportCount | None = None,
) -> Columns:
    """Ranks the queries as ``Gallery.search`` answers them.

    The indexes may hold images that could not be read for another method of the study and so are left out of
    its gallery: answers with such an image are dropped, and as many more are asked for. A query that is
    itself in the gallery is left out of its own answers.

    Args:
        home: location of the space, refreshed; its current fit made the vectors of ``exact``.
        metric: ``l1``, ``l2`` or ``cosine``.
        queries: features, not vectors, float32 (q, regions, dim).
        n_regions: how many regions each query has, int64 (q,).
        protocol: the queries and the gallery.
        exact: the exact answers, which ANN recall is measured against.
        settings: settings of the study; the number of products asked for is the larger of the largest k and
            the number of hits that are kept.
        progress: called as ``progress(n_done, n_total)``.
    """
    gallery = Gallery(home, metric)
    rows = {one.key: row for row, one in enumerate(protocol.gallery)}
    n_products = len({one.product.id for one in protocol.gallery})
    n_wanted = max(*settings.ks, settings.n_hits)
    found = Columns(
        n_nearer=np.full(len(queries), n_products),
        n_tied=np.ones(len(queries), np.int64),
        average_precision=np.full(len(queries), np.nan),
        right_image=exact.right_image.copy(),
        right_distance=exact.right_distance.copy(),
        hit_images=np.full_like(exact.hit_images, -1),
        hit_distances=np.full_like(exact.hit_distances, np.nan),
        hit_regions=np.full_like(exact.hit_regions, -1),
        ann_recall=np.zeros(len(queries)),
    )
    for place, features in enumerate(queries):
        key = protocol.queries[place].key
        n = int(n_regions[place])
        answers = gallery.search(
            np.ascontiguousarray(features[:n]),
            SearchRequest(k=n_wanted + len(protocol.unreadable), exclude_image=key if key in rows else None),
            n_squares=count_squares(n) if settings.regions == PERSON_PLAN else 0,
        )
        hits = [hit for hit in answers if (hit.product.id, hit.image.path) in rows][:n_wanted]
        distances = np.array([hit.distance for hit in hits])
        right = [i for i, hit in enumerate(hits) if hit.product.id == protocol.queries[place].product.id]
        if right:
            found.n_nearer[place] = (distances < distances[right[0]]).sum()
            found.n_tied[place] = (distances == distances[right[0]]).sum()
        for column, hit in enumerate(hits[: found.hit_images.shape[1]]):
            found.hit_images[place, column] = rows[hit.product.id, hit.image.path]
            found.hit_distances[place, column] = hit.distance
            found.hit_regions[place, column] = hit.row
        assert found.ann_recall is not None
        found.ann_recall[place] = _recall(exact, place, distances)
        if progress:
            progress(place + 1, len(queries))
    return found


def _recall(exact: Columns, place: int, distances: Doubles) -> float:
    """Computes the share of the exact first products that the index found too.

    An answer counts when it is as near as the last exact one, so the order of equally far products does not
    matter, nor that the same vector, computed among others, may differ in its last digits.
    """
    wanted = exact.hit_distances[place]
    wanted = wanted[np.isfinite(wanted)]
    limit = wanted[-1] * (1 + 1e-5) + 1e-6
    return float((distances[: len(wanted)] <= limit).sum() / len(wanted))
