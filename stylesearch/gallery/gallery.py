"""Searching the shop's images: candidates from every category's index, and what no index holds yet."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from stylesearch.errors import ConfigError, IndexDamaged, NotInCatalog
from stylesearch.gallery import fit
from stylesearch.gallery.candidates import Candidates, merge, nearest_in_blocks
from stylesearch.index.by_category import CategoryIndexes
from stylesearch.registry import unknown_name
from stylesearch.types import Domain, ImageRecord, Product

if TYPE_CHECKING:
    from stylesearch.catalog import Catalog, FeatureSet
    from stylesearch.index.by_category import OpenIndex
    from stylesearch.spaces.base import Transform

__all__ = ["Gallery", "GalleryHit", "IndexWarning"]

log = logging.getLogger(__name__)

# A product has several images and some may be gone: fetch more than k, and more still when that falls short.
FETCH_FACTOR = 4
FETCH_AT_LEAST = 64

# How often a search begins again because another process has replaced the fit under it.
ATTEMPTS = 5


class IndexWarning(UserWarning):
    """An index could not be used; the answer is right all the same."""


class _FitReplaced(Exception):
    """Another process fitted the space anew while this one searched."""


@dataclass(frozen=True, slots=True)
class GalleryHit:
    """A product, by its nearest image.

    Attributes:
        product: the product.
        image: the image of it that is nearest.
        distance: between that image and the nearest of the query's vectors.
        row: which of the query's vectors that was.
    """

    product: Product
    image: ImageRecord
    distance: float
    row: int


class Gallery:
    """The shop images of one feature set, in one space.

    Args:
        catalog: where products and features are.
        feature_set: whose features are searched.
        space: name of the transform, ``raw`` or ``whitened``.
        metric: ``l1``, ``l2`` or ``cosine``.
        folder: where this feature set's indexes are kept.
    """

    def __init__(
        self, catalog: Catalog, feature_set: FeatureSet, *, space: str, metric: str, folder: Path
    ) -> None:
        self.catalog = catalog
        self.feature_set = feature_set
        self.space = space
        self.metric = metric
        self.folder = folder / f"{space}-{metric}"
        self.needs_repair: set[str] = set()
        self._transform: Transform | None = None
        self._indexes: CategoryIndexes | None = None
        self._opened: dict[str, tuple[str, OpenIndex]] = {}
        self._record_seen: fit.Stamp = (0, 0)

    @property
    def transform(self) -> Transform:
        """From features to the vectors of the space; fitted for now when there is no fit that can be read."""
        if self._transform is None:
            self._record_seen = fit.stamp(self.folder)
            self._transform = fit.load(self.folder, self.space, self.feature_set.dim)
        if self._transform is None:
            counts = self.counts()
            self._warn_once(f"the space {self.space} is not fitted")
            self.needs_repair.update(counts)
            self._transform = fit.fitted(self.catalog, self.feature_set, self.space)
        return self._transform

    def use(self, transform: Transform) -> None:
        """Searches and builds with this transform from now on."""
        self._transform = transform
        self._record_seen = fit.stamp(self.folder)

    @property
    def indexes(self) -> CategoryIndexes:
        """The indexes that were built of this very fit: another fit has another folder."""
        if self._indexes is None:
            version = self.transform.version[:16]
            self._indexes = CategoryIndexes(
                self.folder / version,
                space_key=f"{self.feature_set.fingerprint[:16]}-{self.space}-{self.metric}",
                metric=self.metric,
                dim=self.transform.dim,
            )
        return self._indexes

    def search(
        self,
        features: npt.NDArray[np.float32],
        k: int,
        *,
        category: str | None = None,
        without: str | None = None,
    ) -> list[GalleryHit]:
        """The ``k`` products nearest to any of several features, nearest first.

        Args:
            features: of the regions of one photo, float32, shape (q, feature_set.dim).
            k: how many products at most.
            category: search in this one only; otherwise all are searched and merged.
            without: id of a product that is left out.

        Raises:
            NotInCatalog: the category is unknown.
            ConfigError: k below 1.
        """
        if k < 1:
            raise ConfigError(f"k has to be 1 or more. Received: {k}")
        for attempt in range(ATTEMPTS):
            self._notice_another_fit()
            try:
                return self._search(features, k, category, without)
            except _FitReplaced:
                log.info("the space was fitted anew by another process (attempt %d)", attempt + 1)
        raise IndexDamaged(
            f"the space {self.space} was fitted anew {ATTEMPTS} times during one search",
            hint="is something ingesting in a loop? Try again",
        )

    def _search(
        self, features: npt.NDArray[np.float32], k: int, category: str | None, without: str | None
    ) -> list[GalleryHit]:
        categories = self._categories(category)
        vectors = self.transform.apply(features)
        n_wanted = max(FETCH_AT_LEAST, FETCH_FACTOR * k)
        while True:
            merged = merge([self._nearest_in(name, vectors, n_wanted) for name in categories])
            hits = self._products_of(merged, k, without, set(categories))
            if len(hits) == k or merged.complete:
                return hits
            n_wanted *= 4

    def features_of(self, product_id: str) -> npt.NDArray[np.float32]:
        """Features of a product's images, float32, shape (n, feature_set.dim).

        Raises:
            NotInCatalog: no such product, or none of its images has features.
        """
        _, features = self.catalog.product_features(product_id, self.feature_set)
        return features

    def blocks(
        self, category: str | None = None, after_id: int = 0
    ) -> Iterator[tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]]:
        """Ids and vectors of the gallery in this space, block by block."""
        for ids, features in self.catalog.features(
            self.feature_set, category=category, after_id=after_id, domain=Domain.SHOP
        ):
            yield ids, self.transform.apply(features)

    def counts(self) -> dict[str, int]:
        """How many images each category of the gallery has."""
        return self.catalog.categories(self.feature_set, domain=Domain.SHOP)

    def forget(self) -> None:
        """Lets go of what was loaded, so that the next search sees what has been built since."""
        self._opened = {}  # not closed: another thread may be searching in one
        self._transform = None
        self._indexes = None

    def _notice_another_fit(self) -> None:
        """Forgets a fit that is no longer in force."""
        if self._transform is not None and fit.stamp(self.folder) != self._record_seen:
            self.forget()

    def _categories(self, category: str | None) -> list[str]:
        known = self.catalog.category_names(self.feature_set, domain=Domain.SHOP)
        if category is None:
            return known
        if category not in known:
            error = unknown_name("category", category, dict.fromkeys(known))
            raise NotInCatalog(error.message, hint=error.hint)
        return [category]

    def _nearest_in(self, category: str, vectors: npt.NDArray[np.float32], n_wanted: int) -> Candidates:
        """Candidates of one category: from its index, and exactly from what came after it was built."""
        lists, after_id = [], 0
        opened = self._open(category)
        if opened is not None:
            after_id = opened.last_feature_id
            found = opened.query_min(vectors, n_wanted)
            lists.append(
                Candidates(found.ids, found.distances, found.rows, complete=n_wanted >= opened.count)
            )
        if after_id < self.catalog.last_feature_id(self.feature_set):
            pending = self.blocks(category, after_id)
            lists.append(nearest_in_blocks(vectors, pending, self.metric, n_wanted))
        return merge(lists)

    def _open(self, category: str) -> OpenIndex | None:
        """The category's index, or None when it cannot be used: then everything in it is searched exactly."""
        if category in self.needs_repair:
            return None
        in_force = self.indexes.in_force(category)
        named, opened = self._opened.get(category, ("", None))
        if opened is None or named != in_force:
            try:
                opened = self.indexes.open(category)
            except IndexDamaged as error:
                if fit.stamp(self.folder) != self._record_seen:
                    raise _FitReplaced from error
                self._warn_once(str(error))
                self.needs_repair.add(category)
                return None
            self._opened[category] = (in_force, opened)
        return opened

    def _warn_once(self, reason: str) -> None:
        if self.needs_repair:
            log.info("also: %s", reason)
            return
        warnings.warn(
            f"{reason}; searched exactly instead, and built again afterwards", IndexWarning, stacklevel=4
        )

    def _products_of(
        self, candidates: Candidates, k: int, without: str | None, categories: set[str]
    ) -> list[GalleryHit]:
        """The first ``k`` products among the candidates, each by its nearest image that still exists."""
        hits: dict[str, GalleryHit] = {}
        step = 2 * k + 10
        for start in range(0, len(candidates.ids), step):
            ids = candidates.ids[start : start + step]
            found = self.catalog.hits_for(ids.tolist())
            for position, feature_id in enumerate(ids.tolist(), start):
                if feature_id not in found:
                    continue  # removed since the index was built
                product, image = found[feature_id]
                if product.id == without or product.id in hits or product.category not in categories:
                    continue
                hits[product.id] = GalleryHit(
                    product, image, float(candidates.distances[position]), int(candidates.rows[position])
                )
                if len(hits) == k:
                    return list(hits.values())
        return list(hits.values())
