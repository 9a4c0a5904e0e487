"""Searches the shop's images by features: candidates from a vector store become products."""

from __future__ import annotations

import logging
import math
import threading
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from stylesearch.array_types import Floats
from stylesearch.catalog.categories import find_below
from stylesearch.errors import IndexDamaged, NotInCatalog
from stylesearch.registry import unknown_name
from stylesearch.search import fitted_space
from stylesearch.search.explain import explain_hits
from stylesearch.search.store import Candidates, StoreReplaced, VectorStore, merge_candidates
from stylesearch.spaces.base import join_squares, scale_for_category
from stylesearch.types import FacetValue, ImageRecord, Product, ProductFilter, SearchRequest

if TYPE_CHECKING:
    from stylesearch.catalog.selection import FeatureSelection
    from stylesearch.search.fitted_space import SpaceLocation
    from stylesearch.spaces.base import Transform

__all__ = ["Gallery", "GalleryHit", "IndexWarning"]

log = logging.getLogger(__name__)

# A product has several images and some may be gone: fetch more than k, and more still when that falls short.
FETCH_FACTOR = 4
FETCH_AT_LEAST = 64

MET_FACTOR = 1.5
"""Times as many candidates that meet a filter are hoped for as products are wanted."""

CHECK_COST = 20.0
"""Time to find and look up one more candidate, divided by the time to read a feature that meets a filter."""

ATTEMPTS = 5
"""How often a search begins again because another process has replaced the fit under it."""

DEFAULT_REQUEST = SearchRequest()


class IndexWarning(UserWarning):
    """An index could not be used or built; answers are still right, only slower."""


@dataclass(frozen=True, slots=True)
class GalleryHit:
    """A product, by its nearest image.

    Attributes:
        product: the product.
        image: its nearest image.
        distance: distance between that image and the nearest of the query's vectors.
        row: number of that vector of the query.
        feature_id: id of the image's feature.
        parts: how much each part of the vectors made of the likeness, from ``explain_hits``; None if it was
            not asked for.
    """

    product: Product
    image: ImageRecord
    distance: float
    row: int
    feature_id: int
    parts: Mapping[str, float] | None = None


class Gallery:
    """The shop images of one feature set, in one space and metric. Thread-safe.

    Args:
        location: location of the space.
        metric: ``l1``, ``l2`` or ``cosine``.
    """

    def __init__(self, location: SpaceLocation, metric: str) -> None:
        self.location = location
        self.metric = metric
        self._store: VectorStore | None = None
        self._opening = threading.Lock()
        self._has_warned = False

    @property
    def transform(self) -> Transform:
        """The transform from features to vectors of the space, in the current fit."""
        return self._current_store().transform

    @property
    def damaged(self) -> Mapping[str, str]:
        """Categories that were searched without their index."""
        return self._store.damaged if self._store is not None else {}

    def search(
        self,
        features: Floats,
        request: SearchRequest = DEFAULT_REQUEST,
        *,
        n_squares: int = 0,
        of_images: bool = False,
    ) -> list[GalleryHit]:
        """Finds the products nearest to any of several features, nearest first.

        Args:
            features: features of one photo's regions, float32, shape (q, feature_set.dim); or of images.
            request: how many products, of a category with those below it or of all merged, and what is left
                out.
            n_squares: how many of them, the last ones, are of squares around a person: they are searched in
                pairs, which ``stylesearch.spaces.base.join_squares`` makes.
            of_images: whether ``features`` are of images such as the gallery's, and not of a photo.

        Raises:
            NotInCatalog: the category is unknown, or the gallery is empty.
        """
        for attempt in range(1, ATTEMPTS + 1):
            try:
                store = self._current_store()
                if of_images:
                    vectors = store.transform.apply(features)
                else:
                    vectors = store.transform.apply_to_photo(features, n_squares)
                    vectors = join_squares(vectors, n_squares, self.metric)
                hits = self._search(store, vectors, request)
                if not request.explain:
                    return hits
                found = explain_hits(self.location, store.transform, vectors, self.metric, hits)
                return [replace(hit, parts=parts) for hit, parts in zip(hits, found, strict=True)]
            except StoreReplaced:
                log.info("the space was fitted anew by another process (attempt %d)", attempt)
        raise IndexDamaged(
            f"the space {self.location.space} was fitted anew {ATTEMPTS} times during one search",
            hint="is something ingesting in a loop? Try again",
        )

    def count_facets(self, request: SearchRequest) -> Mapping[str, tuple[FacetValue, ...]]:
        """Counts the products of the request's category that meet its filter, by its facets."""
        if not request.facets:
            return {}
        where = ProductFilter(request.category, where=request.where)
        return self.location.catalog.facets.count(self.location.feature_set, where, request.facets)

    def features_of(self, product_id: str) -> Floats:
        """Features of a product's shop images, float32, shape (n, feature_set.dim); see ``product_features``.

        Raises:
            NotInCatalog: no such product, or none of its images has features.
        """
        _, features = self.location.catalog.product_features(product_id, self.location.feature_set)
        return features

    def counts(self) -> dict[str, int]:
        """Number of images by category."""
        return self.location.counts()

    def reload(self) -> None:
        """Drops the open store; the next search opens that of the current fit."""
        self._store = None

    def _current_store(self) -> VectorStore:
        store = self._store
        if store is not None and store.is_current:
            return store
        with self._opening:  # it may read the whole gallery: one thread does, and the others share the result
            store = self._store
            if store is None or not store.is_current:
                store = self._store = self._open_store()
            return store

    def _open_store(self) -> VectorStore:
        """The store of the current fit; where there is none, of a fit for this process alone.

        Raises:
            NotInCatalog: there is no fit, and nothing to fit on.
        """
        location, warn = self.location, self._warn_once
        stamp = fitted_space.version_stamp(location)
        transform = fitted_space.load(location)
        is_built = transform is not None
        if transform is None:
            if not location.counts():
                raise location.empty_error()
            warn(f"the space {location.space} is not fitted")
            transform = fitted_space.fit_in_memory(location)
            stamp = fitted_space.version_stamp(location)
        return location.stores.at_fit(
            location, self.metric, transform, stamp=stamp, warn=warn, is_built=is_built
        )

    def _search(self, store: VectorStore, vectors: Floats, request: SearchRequest) -> list[GalleryHit]:
        categories = self._categories(store, request.category)

        def find(n: int, allowed: FeatureSelection | None) -> Candidates:
            if store.transform.scales is None:
                names = None if request.category is None else categories
                return store.search(vectors, names, n, allowed=allowed)
            found = []  # a space that weighs vectors by category compares other vectors in each of them
            for name in categories:
                scaled = scale_for_category(store.transform, vectors, name)
                found.append(store.search(scaled, [name], n, allowed=allowed))
            return merge_candidates(found)

        n_wanted = max(FETCH_AT_LEAST, FETCH_FACTOR * request.k)
        allowed = None
        if request.where:
            where = ProductFilter(where=request.where)
            allowed = self.location.catalog.select_features(self.location.feature_set, where)
            share = allowed.share
            while not allowed.is_read and _is_cheaper_to_check(allowed, share, request.k):
                n = max(n_wanted, round(MET_FACTOR * request.k / share))
                candidates = find(n, None)
                step = round(request.k / share)
                hits = self._products_of(candidates, request, set(categories), step, allowed)
                if len(hits) == request.k or candidates.complete:
                    return hits
                share = min(share / 4, len(hits) / n)  # the products near this query meet it more seldom
        while True:
            candidates = find(n_wanted, allowed)
            hits = self._products_of(candidates, request, set(categories), request.k)
            if len(hits) == request.k or candidates.complete:
                return hits
            n_wanted *= 4

    def _categories(self, store: VectorStore, category: str | None) -> list[str]:
        """The categories to search."""
        names = store.categories()
        if not names:
            raise self.location.empty_error()
        if category is None:
            return names
        if not (found := find_below(names, category)):
            error = unknown_name("category", category, dict.fromkeys(names))
            raise NotInCatalog(error.message, hint=error.hint)
        return found

    def _products_of(
        self,
        candidates: Candidates,
        request: SearchRequest,
        categories: set[str],
        step: int,
        allowed: FeatureSelection | None = None,
    ) -> list[GalleryHit]:
        """The first products among the candidates, each by its nearest image that still exists.

        Args:
            candidates: images, nearest first.
            request: says which products are left out, and how many are wanted.
            categories: categories that are searched.
            step: how many candidates are read first: most shops have one image of a product, and then no
                more are needed.
            allowed: only these are taken, if given.
        """
        hits: dict[str, GalleryHit] = {}
        start = 0
        while start < len(candidates.ids):
            some = candidates.ids[start : start + step]
            ids = some.tolist()
            found = self.location.catalog.hits_for(ids if allowed is None else allowed.among(some).tolist())
            for position, feature_id in enumerate(ids, start):
                if feature_id not in found:
                    continue  # removed since the index was built, or not allowed
                product, image = found[feature_id]
                if product.id in hits or product.category not in categories:
                    continue
                if product.id == request.exclude or (product.id, image.path) == request.exclude_image:
                    continue
                distance, row = float(candidates.distances[position]), int(candidates.rows[position])
                hits[product.id] = GalleryHit(product, image, distance, row, feature_id)
                if len(hits) == request.k:
                    return list(hits.values())
            start, step = start + step, 2 * step
        return list(hits.values())

    def _warn_once(self, reason: str) -> None:
        if self._has_warned:
            log.info("also: %s", reason)
            return
        self._has_warned = True
        warnings.warn(
            f"{reason}: it is searched exactly, and the index is built afterwards",
            IndexWarning,
            stacklevel=8,
        )


def _is_cheaper_to_check(allowed: FeatureSelection, share: float, k: int) -> bool:
    """Whether to look at every candidate that is found without the filter, and not read all that meet it.

    The smaller the share that meets it, the more candidates are to be looked at, and the fewer are to be
    read.
    """
    n_read, n_checked = share * allowed.n_products, k / share if share else math.inf
    return allowed.read_cost * n_read > CHECK_COST * n_checked
