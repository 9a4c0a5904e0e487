"""A vector store in files: an index for each category, and exact search of what came after it was built."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from stylesearch.array_types import Floats, Ids
from stylesearch.errors import ConfigError, IndexDamaged
from stylesearch.index.category_indexes import CategoryIndexes
from stylesearch.search import fitted_space
from stylesearch.search.fitted_space import Stamp, version_stamp
from stylesearch.search.store import (
    Candidates,
    CategoryStatus,
    StoreReplaced,
    merge_candidates,
    nearest_in_blocks,
)
from stylesearch.spaces.base import scale_for_category
from stylesearch.types import Domain

if TYPE_CHECKING:
    from stylesearch.index.category_indexes import OpenIndex
    from stylesearch.index.reranked import Strategy
    from stylesearch.search.fitted_space import SpaceLocation
    from stylesearch.spaces.base import Transform
    from stylesearch.types import ReportProgress

__all__ = ["LocalVectorStore"]


@dataclass(frozen=True, slots=True)
class _Contents:
    """Categories of the gallery, and the largest feature id, in one state of the catalog."""

    state: int | None
    categories: list[str]
    last_feature_id: int


class LocalVectorStore:
    """One fit of a space and the indexes that were built of it; a ``VectorStore``.

    A search stays with it to its end: indexes lie in a folder of their fit, so that vectors of two fits never
    meet. Images without an index, or newer than it, are read from the catalog and compared exactly.

    Args:
        location: of the space.
        metric: ``l1``, ``l2`` or ``cosine``.
        transform: the fit.
        stamp: of the record that named the fit, from before it was read.
        warn: is told why an index cannot be used.
        strategy: how indexes are searched; the quickest for each query if not given.

    Raises:
        ConfigError: the transform was made for another metric.
    """

    def __init__(
        self,
        location: SpaceLocation,
        metric: str,
        transform: Transform,
        stamp: Stamp = (0, 0),
        *,
        warn: Callable[[str], None] = lambda reason: None,
        strategy: Strategy | None = None,
    ) -> None:
        if transform.metric not in (None, metric):
            raise ConfigError(
                f"the space {location.space} is searched with the metric {transform.metric}. "
                f"Received: {metric}"
            )
        self.location = location
        self.metric = metric
        self.transform = transform
        self.damaged: dict[str, str] = {}  # category -> the generation that could not be used
        self.indexes = CategoryIndexes(
            location.folder / transform.version[:16] / metric,
            space_key=f"{location.key}-{metric}",
            metric=metric,
            dim=transform.dim,
            strategy=strategy,
        )
        self._stamp = stamp
        self._warn = warn
        self._opened: dict[str, tuple[str, OpenIndex]] = {}
        self._contents: _Contents | None = None
        self._removed: Ids = np.empty(0, np.int64)

    @classmethod
    def of_current_fit(
        cls, location: SpaceLocation, metric: str, warn: Callable[[str], None] = lambda reason: None
    ) -> LocalVectorStore | None:
        """The store of the current fit; None when there is none, or it cannot be read."""
        stamp = version_stamp(location)
        transform = fitted_space.load(location)
        return None if transform is None else cls(location, metric, transform, stamp, warn=warn)

    @classmethod
    def open(cls, location: SpaceLocation, metric: str, warn: Callable[[str], None]) -> LocalVectorStore:
        """The store of the current fit; when there is none, of a fit for this process alone.

        Raises:
            NotInCatalog: there is no fit, and nothing to fit on.
        """
        store = cls.of_current_fit(location, metric, warn)
        if store is not None:
            return store
        categories = location.catalog.category_names(location.feature_set, domain=Domain.SHOP)
        if not categories:
            raise location.empty_error()
        warn(f"the space {location.space} is not fitted")
        transform = fitted_space.fit_in_memory(location)
        store = cls(location, metric, transform, version_stamp(location), warn=warn)
        store.damaged = dict.fromkeys(categories, "")
        return store

    @property
    def is_current(self) -> bool:
        """Whether no other fit has replaced this one."""
        return version_stamp(self.location) == self._stamp

    def categories(self) -> list[str]:
        """Names of the categories that have images, sorted."""
        return list(self._read_contents().categories)

    def search(self, vectors: Floats, category: str, n: int, *, allowed: Ids | None = None) -> Candidates:
        """Candidates of one category: from its index, and exactly from what came after it was built.

        Restricted to ``allowed`` images, it compares all of these exactly.
        """
        if allowed is not None:
            blocks = self._vectors_of(allowed, category)
            return self._drop_removed(nearest_in_blocks(vectors, blocks, self.metric, n))
        lists = []
        from_index, after_id = self._search_index(vectors, category, n)
        if from_index is not None:
            lists.append(from_index)
        if after_id < self._read_contents().last_feature_id:
            pending = self.blocks(category, after_id)
            lists.append(nearest_in_blocks(vectors, pending, self.metric, n))
        return self._drop_removed(merge_candidates(lists))

    def add(self, ids: Ids) -> None:
        """Looks at the catalog again: features that no index has are read from there."""
        self._contents = None
        self._removed = np.setdiff1d(self._removed, ids)

    def remove(self, ids: Ids) -> None:
        """Leaves features out of every answer; the next build leaves them out of the index."""
        self._removed = np.union1d(self._removed, ids)
        self._contents = None

    def blocks(self, category: str | None = None, after_id: int = 0) -> Iterator[tuple[Ids, Floats]]:
        """Ids and vectors of the gallery in this fit, as they are compared, block by block.

        Args:
            category: of this one only.
            after_id: of features with larger ids only.
        """
        catalog, feature_set = self.location.catalog, self.location.feature_set
        if category is None and self.transform.scales is not None:
            for name in catalog.category_names(feature_set, domain=Domain.SHOP):
                yield from self.blocks(name, after_id)
            return
        for ids, features in catalog.features(
            feature_set, category=category, after_id=after_id, domain=Domain.SHOP
        ):
            vectors = self.transform.apply(features)
            if category is not None:
                vectors = scale_for_category(self.transform, vectors, category)
            yield ids, vectors

    def build(self, categories: Iterable[str] | None = None, progress: ReportProgress | None = None) -> None:
        """Builds indexes anew, and removes those of categories without images."""
        counts = self.location.counts()
        names = list(counts if categories is None else categories)
        n_done, n_total = 0, sum(counts.get(category, 0) for category in names)
        for category in names:
            if category not in counts:
                self.indexes.remove(category)
                continue
            self.indexes.build(
                category,
                self.blocks(category),
                n_rows=counts[category],
                transform_version=self.transform.version,
                # Asked before the features are read: what comes meanwhile would be in the index and searched
                # beside it, which costs a little and loses nothing.
                last_feature_id=self.location.catalog.highest_feature_id(),
            )
            n_done += counts[category]
            if progress:
                progress("indexes", n_done, n_total)

    def status(self) -> list[CategoryStatus]:
        """The state of every category's index, those of vanished categories included; builds nothing."""
        counts = self.location.counts()
        names = sorted({*counts, *self.indexes.categories()})
        return [self._status_of(name, counts.get(name, 0)) for name in names]

    def _status_of(self, category: str, n_images: int) -> CategoryStatus:
        try:
            index = self._open_index(category)
        except IndexDamaged:
            state = "damaged" if self.indexes.current_generation(category) else "missing"
            return CategoryStatus(category, state, n_pending=n_images)
        n_pending = self.location.catalog.count_features(
            self.location.feature_set, category=category, after_id=index.last_feature_id, domain=Domain.SHOP
        )
        return CategoryStatus(
            category,
            "ready",
            index.kind,
            n_indexed=index.count,
            n_pending=n_pending,
            n_gone=index.count - (n_images - n_pending),
            n_bytes=index.n_bytes,
        )

    def _search_index(self, vectors: Floats, category: str, n: int) -> tuple[Candidates | None, int]:
        """What the index finds, and up to which feature id it goes; None and 0 if it cannot be used."""
        generation = self.indexes.current_generation(category)
        if self.damaged.get(category) == generation:
            return None, 0
        try:
            index = self._open_index(category)
            found = index.search_any(vectors, n)
        except IndexDamaged as error:
            if not self.is_current:
                raise StoreReplaced from error
            self._warn(str(error))
            self.damaged[category] = generation
            return None, 0
        candidates = Candidates(found.ids, found.distances, found.rows, complete=n >= index.count)
        return candidates, index.last_feature_id

    def _open_index(self, category: str) -> OpenIndex:
        """The category's index, opened once a generation.

        Raises:
            IndexDamaged: there is none, it is damaged, or it has what the catalog never had: then the catalog
                is an older copy.
        """
        generation = self.indexes.current_generation(category)
        cached = self._opened.get(category)
        if cached is not None and cached[0] == generation:
            return cached[1]
        index = self.indexes.open(category)
        if index.last_feature_id > self.location.catalog.highest_feature_id():
            raise IndexDamaged(f"the index of {category!r} was built of a later state of the catalog")
        # One that is replaced is not closed: another thread may be searching in it.
        self._opened[category] = (generation, index)
        return index

    def _vectors_of(self, ids: Ids, category: str) -> Iterator[tuple[Ids, Floats]]:
        """Ids and vectors of some images, as far as they are of the category."""
        wanted = np.unique(ids)
        for block_ids, vectors in self.blocks(category, int(wanted[0]) - 1 if len(wanted) else 0):
            kept = np.isin(block_ids, wanted)
            yield block_ids[kept], np.ascontiguousarray(vectors[kept])

    def _drop_removed(self, candidates: Candidates) -> Candidates:
        return candidates.without(self._removed) if len(self._removed) else candidates

    def _read_contents(self) -> _Contents:
        """What every search asks of the catalog, read again only when somebody has changed it."""
        catalog, feature_set = self.location.catalog, self.location.feature_set
        state = catalog.state()  # before the rest is read: what comes in between is then read next time
        contents = self._contents
        if contents is None or state is None or contents.state != state:
            names = catalog.category_names(feature_set, domain=Domain.SHOP)
            contents = _Contents(state, names, catalog.last_feature_id(feature_set))
            self._contents = contents
        return contents
