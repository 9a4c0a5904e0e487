"""Searching the shop's images: candidates from every category's index, and what no index holds yet."""

from __future__ import annotations

import logging
import threading
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from stylesearch.distance import nearest_to_any
from stylesearch.errors import IndexDamaged, NotInCatalog
from stylesearch.registry import unknown_name
from stylesearch.search import fitted_space
from stylesearch.search.fitted_space import Snapshot, version_stamp
from stylesearch.spaces.base import scaled
from stylesearch.types import Domain, ImageRecord, Product, SearchRequest

if TYPE_CHECKING:
    from stylesearch.search.fitted_space import SpaceHome
    from stylesearch.spaces.base import Transform


__all__ = [
    "Candidates",
    "Gallery",
    "GalleryHit",
    "IndexWarning",
    "merge",
    "nearest_in_blocks",
]

# Lists of candidates, and how several become one without losing an exact order.


@dataclass(frozen=True, slots=True)
class Candidates:
    """Images by distance to the nearest of several query vectors.

    Attributes:
        ids: feature ids, int64, shape (n,), nearest first.
        distances: float32, shape (n,).
        rows: which query vector was nearest, int64, shape (n,).
        complete: whether these are all there are; otherwise images further than the last may be missing.
    """

    ids: npt.NDArray[np.int64]
    distances: npt.NDArray[np.float32]
    rows: npt.NDArray[np.int64]
    complete: bool

    @classmethod
    def none(cls) -> Candidates:
        """The empty, complete list."""
        return cls(np.empty(0, np.int64), np.empty(0, np.float32), np.empty(0, np.int64), complete=True)

    @property
    def horizon(self) -> float:
        """The distance up to which nothing is missing."""
        return float("inf") if self.complete else float(self.distances[-1]) if len(self.ids) else 0.0

    def first(self, n: int) -> Candidates:
        """The ``n`` nearest of these."""
        if len(self.ids) <= n:
            return self
        return Candidates(self.ids[:n], self.distances[:n], self.rows[:n], complete=False)


def merge(lists: Sequence[Candidates]) -> Candidates:
    """One list of several disjoint ones, cut where one of them may be missing something.

    Ties are in the order of the ids, so that an answer does not depend on how the lists were made.
    """
    if not lists:
        return Candidates.none()
    ids = np.concatenate([one.ids for one in lists])
    found = np.concatenate([one.distances for one in lists])
    rows = np.concatenate([one.rows for one in lists])
    order = np.lexsort((ids, found))
    horizon = min(one.horizon for one in lists)
    order = order[: np.searchsorted(found[order], horizon, side="right")]
    return Candidates(ids[order], found[order], rows[order], complete=all(one.complete for one in lists))


def nearest_in_blocks(
    query_vectors: npt.NDArray[np.float32],
    blocks: Iterable[tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]],
    metric: str,
    n_wanted: int,
) -> Candidates:
    """Exact search through vectors that stream by; memory is bounded by one block.

    Args:
        query_vectors: float32, shape (q, dim).
        blocks: ids int64 (n,) and vectors float32 (n, dim).
        metric: ``l1``, ``l2`` or ``cosine``.
        n_wanted: how many to keep.
    """
    kept = Candidates.none()
    complete = True
    for ids, vectors in blocks:
        if not len(ids):
            continue
        slots, found, rows = nearest_to_any(query_vectors, vectors, metric, n_wanted)
        complete &= len(slots) == len(ids) and len(kept.ids) + len(ids) <= n_wanted
        kept = merge([kept, Candidates(ids[slots], found, rows, complete=True)]).first(n_wanted)
        kept = replace(kept, complete=True)
    return replace(kept, complete=complete)


log = logging.getLogger(__name__)

# A product has several images and some may be gone: fetch more than k, and more still when that falls short.
FETCH_FACTOR = 4
FETCH_AT_LEAST = 64

# How often a search begins again because another process has replaced the fit under it.
ATTEMPTS = 5

DEFAULT_REQUEST = SearchRequest()


class IndexWarning(UserWarning):
    """An index could not be used or built; answers are right all the same, only slower."""


class _FitReplaced(Exception):
    """Another process fitted the space anew while this one searched."""


@dataclass(frozen=True, slots=True)
class _Contents:
    """Categories of the gallery, and the largest feature id, in one state of the catalog."""

    state: int | None
    categories: list[str]
    last_feature_id: int


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
    """The shop images of one feature set, in one space and metric. Safe to search from several threads.

    Args:
        home: the space.
        metric: ``l1``, ``l2`` or ``cosine``.
    """

    def __init__(self, home: SpaceHome, metric: str) -> None:
        self.home = home
        self.metric = metric
        self.damaged: dict[str, str] = {}  # category -> the generation that could not be used
        self._snapshot: Snapshot | None = None
        self._fitting = threading.Lock()
        self._has_warned = False
        self._contents: _Contents | None = None

    @property
    def transform(self) -> Transform:
        """From features to the vectors of the space, in the fit that is in force now."""
        return self._current().transform

    def search(
        self,
        features: npt.NDArray[np.float32],
        request: SearchRequest = DEFAULT_REQUEST,
    ) -> list[GalleryHit]:
        """The ``request.k`` products nearest to any of several features, nearest first.

        Args:
            features: of the regions of one photo, float32, shape (q, feature_set.dim).
            request: how many products, of one category or of all merged, and what is left out.

        Raises:
            NotInCatalog: the category is unknown, or the gallery is empty.
        """
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return self._search(self._current(), features, request)
            except _FitReplaced:
                log.info("the space was fitted anew by another process (attempt %d)", attempt)
        raise IndexDamaged(
            f"the space {self.home.space} was fitted anew {ATTEMPTS} times during one search",
            hint="is something ingesting in a loop? Try again",
        )

    def features_of(self, product_id: str) -> npt.NDArray[np.float32]:
        """Features of a product's images, float32, shape (n, feature_set.dim).

        Raises:
            NotInCatalog: no such product, or none of its images has features.
        """
        _, features = self.home.catalog.product_features(product_id, self.home.feature_set)
        return features

    def blocks(
        self, category: str | None = None
    ) -> Iterator[tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]]:
        """Ids and vectors of the gallery in the fit in force, block by block."""
        return self._current().blocks(category)

    def counts(self) -> dict[str, int]:
        """How many images each category of the gallery has."""
        return self.home.counts()

    def forget(self) -> None:
        """Lets go of what was loaded; the next search loads what is in force then."""
        self._snapshot = None
        self.damaged = {}

    def _current(self) -> Snapshot:
        """What is in force; when nothing is, a fit for this process alone."""
        snapshot = self._snapshot
        if snapshot is not None and not snapshot.replaced:
            return snapshot
        with self._fitting:  # a fit reads the whole gallery: one thread makes it, and the others take it
            snapshot = self._snapshot
            if snapshot is not None and not snapshot.replaced:
                return snapshot
            snapshot = Snapshot.in_force(self.home, self.metric)
            if snapshot is None:
                self._warn_once(f"the space {self.home.space} is not fitted")
                self.damaged = dict.fromkeys(self._categories(None), "")
                snapshot = Snapshot(
                    self.home, self.metric, fitted_space.fitted(self.home), version_stamp(self.home)
                )
            else:
                self.damaged = {}
            self._snapshot = snapshot
            return snapshot

    def _search(
        self,
        snapshot: Snapshot,
        features: npt.NDArray[np.float32],
        request: SearchRequest,
    ) -> list[GalleryHit]:
        categories = self._categories(request.category)
        vectors = snapshot.transform.apply(features)
        n_wanted = max(FETCH_AT_LEAST, FETCH_FACTOR * request.k)
        while True:
            merged = merge([self._nearest_in(snapshot, name, vectors, n_wanted) for name in categories])
            hits = self._products_of(merged, request, set(categories))
            if len(hits) == request.k or merged.complete:
                return hits
            n_wanted *= 4

    def _categories(self, category: str | None) -> list[str]:
        known = self._contents_now().categories
        if not known:
            raise NotInCatalog(
                f"there are no shop pictures with {self.home.feature_set.extractor} features to search in",
                hint="stylesearch ingest FOLDER",
            )
        if category is None:
            return list(known)
        if category not in known:
            error = unknown_name("category", category, dict.fromkeys(known))
            raise NotInCatalog(error.message, hint=error.hint)
        return [category]

    def _contents_now(self) -> _Contents:
        """What is asked of the catalog by every search, read again only when somebody has changed it."""
        catalog, feature_set = self.home.catalog, self.home.feature_set
        state = catalog.state()  # before the rest is read: what comes in between is then read next time
        contents = self._contents
        if contents is None or state is None or contents.state != state:
            names = catalog.category_names(feature_set, domain=Domain.SHOP)
            contents = _Contents(state, names, catalog.last_feature_id(feature_set))
            self._contents = contents
        return contents

    def _nearest_in(
        self, snapshot: Snapshot, category: str, vectors: npt.NDArray[np.float32], n_wanted: int
    ) -> Candidates:
        """Candidates of one category: from its index, and exactly from what came after it was built."""
        vectors = scaled(snapshot.transform, vectors, category)
        lists = []
        indexed, after_id = self._from_index(snapshot, category, vectors, n_wanted)
        if indexed is not None:
            lists.append(indexed)
        if after_id < self._contents_now().last_feature_id:
            pending = snapshot.blocks(category, after_id)
            lists.append(nearest_in_blocks(vectors, pending, self.metric, n_wanted))
        return merge(lists)

    def _from_index(
        self, snapshot: Snapshot, category: str, vectors: npt.NDArray[np.float32], n_wanted: int
    ) -> tuple[Candidates | None, int]:
        """What the index proposes, and up to which feature id it knows; None and 0 if it cannot be used."""
        in_force = snapshot.indexes.in_force(category)
        if self.damaged.get(category) == in_force:
            return None, 0
        try:
            opened = snapshot.open(category)
            found = opened.query_min(vectors, n_wanted)
        except IndexDamaged as error:
            if snapshot.replaced:
                raise _FitReplaced from error
            self._warn_once(str(error))
            self.damaged[category] = in_force
            return None, 0
        complete = n_wanted >= opened.count
        return Candidates(found.ids, found.distances, found.rows, complete), opened.last_feature_id

    def _warn_once(self, reason: str) -> None:
        if self._has_warned:
            log.info("also: %s", reason)
            return
        self._has_warned = True
        warnings.warn(
            f"{reason}; searched exactly instead, and built again afterwards", IndexWarning, stacklevel=5
        )

    def _products_of(
        self,
        candidates: Candidates,
        request: SearchRequest,
        categories: set[str],
    ) -> list[GalleryHit]:
        """The first products among the candidates, each by its nearest image that still exists."""
        hits: dict[str, GalleryHit] = {}
        # Most shops have one image of a product: then no more rows than these are read.
        start, step = 0, request.k
        while start < len(candidates.ids):
            ids = candidates.ids[start : start + step].tolist()
            found = self.home.catalog.hits_for(ids)
            for position, feature_id in enumerate(ids, start):
                if feature_id not in found:
                    continue  # removed since the index was built
                product, image = found[feature_id]
                if product.id in hits or product.category not in categories:
                    continue
                if product.id == request.exclude or (product.id, image.path) == request.exclude_image:
                    continue
                hits[product.id] = GalleryHit(
                    product, image, float(candidates.distances[position]), int(candidates.rows[position])
                )
                if len(hits) == request.k:
                    return list(hits.values())
            start, step = start + step, 2 * step
        return list(hits.values())
