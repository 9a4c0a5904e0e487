"""A vector store in files: an index for each category, and exact search of images that are newer."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from stylesearch.array_types import Floats, Ids
from stylesearch.distance import METRICS
from stylesearch.errors import ConfigError, IndexDamaged
from stylesearch.index.category_indexes import CategoryIndexes
from stylesearch.index.joint import search_together
from stylesearch.index.reranked import Strategy
from stylesearch.parallel import run_bounded
from stylesearch.search.fitted_space import Stamp, version_stamp
from stylesearch.search.gallery_vectors import GalleryVectors, only
from stylesearch.search.store import (
    Candidates,
    CategoryStatus,
    StoreReplaced,
    check_names,
    merge_candidates,
    nearest_in_blocks,
)
from stylesearch.types import Domain, Failure

if TYPE_CHECKING:
    from pathlib import Path

    from stylesearch.catalog.selection import FeatureSelection
    from stylesearch.index.category_indexes import OpenIndex
    from stylesearch.search.fitted_space import SpaceLocation
    from stylesearch.spaces.base import Transform
    from stylesearch.types import ReportProgress

__all__ = ["LocalVectorStore", "LocalVectorStores"]


BUILT_AT_ONCE = 400_000
"""Vectors of categories that are built at the same time; one with more is built alone."""


class LocalVectorStore:
    """One fit of a space and its indexes: a ``VectorStore`` in files.

    A search uses one store to its end: indexes lie in a folder of their fit, so that vectors of two fits are
    never compared. Images without an index, or newer than it, are read from the catalog and compared exactly.

    Args:
        location: location of the space.
        metric: ``l1``, ``l2`` or ``cosine``.
        transform: the fit.
        stamp: stamp of the record that named the fit, from before it was read.
        warn: called with the reason when an index cannot be used.
        strategy: how indexes are searched; by default the quickest way for each query.

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
        self.vectors = GalleryVectors(location, transform)
        self.damaged: dict[str, str] = {}  # category -> the generation that could not be used
        self.indexes = CategoryIndexes(
            _folder_of_fit(location, transform.version) / metric,
            space_key=f"{location.key}-{metric}",
            metric=metric,
            dim=transform.dim,
            strategy=strategy,
        )
        self.strategy = strategy
        self._stamp = stamp
        self._warn = warn
        self._opened: dict[str, tuple[str, OpenIndex]] = {}
        self._removed: Ids = np.empty(0, np.int64)
        self._changing = threading.Lock()

    @property
    def is_current(self) -> bool:
        """Whether this is still the current fit."""
        return version_stamp(self.location) == self._stamp

    def categories(self) -> list[str]:
        """Names of the categories that have images, sorted."""
        return list(self.vectors.contents().categories)

    def search(
        self,
        vectors: Floats,
        categories: Sequence[str] | None,
        n: int,
        *,
        allowed: FeatureSelection | None = None,
    ) -> Candidates:
        """Finds candidates of some categories, or of all: by indexes, and exactly among newer images.

        Of ``allowed`` features, it searches those that the index has by their places in it.
        """
        check_names(categories)
        if allowed is not None and not len(allowed):
            return Candidates.empty()
        contents = self.vectors.contents()
        names = contents.categories if categories is None else categories
        if (categories is None or len(names) > 1) and self.strategy in (None, Strategy.SCAN):
            lists, known_to = self._search_together(vectors, names, n, allowed)
        else:
            lists, known_to = self._search_each(vectors, names, n, allowed)
        last = contents.last_feature_id if allowed is None else int(allowed.ids[-1])
        for name, after_id in known_to.items():
            if after_id < last and after_id < self.vectors.last_id(name, contents):
                pending = self.vectors.blocks(name, after_id)
                if allowed is not None:
                    pending = only(allowed, pending)
                lists.append(nearest_in_blocks(vectors, pending, self.metric, n))
        return self._drop_removed(merge_candidates(lists))

    def add(self, ids: Ids) -> None:
        """Reads the catalog again: features that no index has are read from there."""
        with self._changing:
            self.vectors.forget_contents()
            self._removed = np.setdiff1d(self._removed, ids)

    def remove(self, ids: Ids) -> None:
        """Leaves features out of every answer, and out of the index at its next build."""
        with self._changing:
            self._removed = np.union1d(self._removed, ids)
            self.vectors.forget_contents()

    def build(self, categories: Iterable[str] | None = None, progress: ReportProgress | None = None) -> None:
        """Builds indexes anew, and removes those of categories without images.

        Categories are built at once on as many cores as there are, the largest first, as far as memory is
        bounded by ``BUILT_AT_ONCE`` vectors. An error, also of ``progress``, ends the build when those that
        were begun are complete.
        """
        counts = self.location.counts()
        if categories is None:
            self.indexes.remove_others(counts)
        names = list(counts if categories is None else categories)
        for category in names:
            if category not in counts:
                self.indexes.remove(category)
        sizes = {name: counts[name] for name in names if name in counts}
        n_done, n_total = 0, sum(sizes.values())
        if progress and n_total:
            progress("indexes", 0, n_total)  # callers that report a rate start their clock here
        for category in run_bounded(partial(self._build, sizes=sizes), sizes, BUILT_AT_ONCE):
            n_done += sizes[category]
            if progress:
                progress("indexes", n_done, n_total)
        self._end_build(lambda: progress and progress("indexes", n_total, n_total))

    @property
    def lists_folder(self) -> Path:
        """The folder of inverted lists: see ``stylesearch.search.faiss_store``."""
        return self.indexes.folder.with_name(f"lists-{self.indexes.folder.name}")

    def _end_build(self, go_on: Callable[[], object]) -> None:
        """Brings up to date what is made of all indexes; here, it removes the lists of another kind of store.

        Args:
            go_on: called now and then; its error ends the build.
        """
        shutil.rmtree(self.lists_folder, ignore_errors=True)

    def _build(self, category: str, sizes: Mapping[str, int]) -> None:
        # Read before the features are, while others may add some: these are left for the next build, and are
        # searched beside the index.
        last_feature_id = self.location.catalog.highest_feature_id()
        self.indexes.build(
            category,
            _up_to(last_feature_id, self.vectors.blocks(category)),
            n_rows=sizes[category],
            transform_version=self.transform.version,
            last_feature_id=last_feature_id,
        )

    def status(self) -> list[CategoryStatus]:
        """The state of every category's index, those of vanished categories included; builds nothing."""
        counts = self.location.counts()
        names = sorted({*counts, *self.indexes.categories()})
        return [self._status_of(name, counts.get(name, 0)) for name in names]

    def verify(self, categories: Iterable[str] | None = None) -> list[Failure]:
        """Reads every index whole, or those of some categories; lists those that are damaged or missing."""
        problems = []
        for category in self.location.counts() if categories is None else categories:
            try:
                self.indexes.verify(category)
            except IndexDamaged as error:
                problems.append(Failure(category, str(error)))
        return problems

    def _status_of(self, category: str, n_images: int) -> CategoryStatus:
        generation = self.indexes.current_generation(category)
        try:
            index = self._open_index(category, generation)
        except IndexDamaged:
            state = "damaged" if generation else "missing"
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

    def _search_together(
        self, vectors: Floats, categories: Sequence[str], n: int, allowed: FeatureSelection | None
    ) -> tuple[list[Candidates], dict[str, int]]:
        """Searches the indexes of categories as one; returns as ``_search_each``."""
        usable = self._usable_indexes(categories)
        indexes = [index for _, index in usable.values()]
        try:
            among = self._slots_to_search(categories, usable, vectors, n, allowed)
            found = search_together(indexes, vectors, n, among=among)
        except IndexDamaged:
            for category, (generation, index) in usable.items():
                try:
                    index.open_reduced()  # which a search of one category may not need
                except IndexDamaged as error:
                    self._leave_out(category, generation, error)
            return self._search_each(vectors, categories, n, allowed)
        complete = n >= sum(index.count for index in indexes) if among is None else n >= sum(map(len, among))
        known_to = {name: usable[name][1].last_feature_id if name in usable else 0 for name in categories}
        return [Candidates(found.ids, found.distances, found.rows, complete)], known_to

    def _slots_to_search(
        self,
        categories: Sequence[str],
        usable: Mapping[str, tuple[str, OpenIndex]],
        vectors: Floats,
        n: int,
        allowed: FeatureSelection | None,
    ) -> list[Ids] | None:
        """Slots of each usable index among which the ``n`` nearest are looked for; None for all."""
        return None if allowed is None else [index.slots_of(allowed.ids) for _, index in usable.values()]

    def _search_each(
        self, vectors: Floats, categories: Sequence[str], n: int, allowed: FeatureSelection | None
    ) -> tuple[list[Candidates], dict[str, int]]:
        """Searches the indexes of categories one by one.

        Returns:
            candidates; and by category the largest feature id that its index knows, 0 where it is unusable.
        """
        lists, known_to = [], dict.fromkeys(categories, 0)
        for category in categories:
            usable = self._usable_index(category)
            if usable is None:
                continue
            generation, index = usable
            try:
                among = None if allowed is None else index.slots_of(allowed.ids)
                found = index.search_any(vectors, n, among=among)
            except IndexDamaged as error:
                self._leave_out(category, generation, error)
                continue
            n_searched = index.count if among is None else len(among)
            lists.append(Candidates(found.ids, found.distances, found.rows, complete=n >= n_searched))
            known_to[category] = index.last_feature_id
        return lists, known_to

    def _usable_indexes(self, categories: Iterable[str]) -> dict[str, tuple[str, OpenIndex]]:
        """Opens the indexes of categories, with their generations; those that cannot be used are left out."""
        return {name: one for name in categories if (one := self._usable_index(name)) is not None}

    def _usable_index(self, category: str) -> tuple[str, OpenIndex] | None:
        """Opens a category's index; returns it with its generation, None where it cannot be used."""
        generation = self.indexes.current_generation(category)
        if self.damaged.get(category) == generation:
            return None
        try:
            return generation, self._open_index(category, generation)
        except IndexDamaged as error:
            self._leave_out(category, generation, error)
            return None

    def _leave_out(self, category: str, generation: str, error: IndexDamaged) -> None:
        """Notes that a category is searched without this generation of its index, and warns of it.

        Raises:
            StoreReplaced: it is gone since the fit was replaced.
        """
        if not self.is_current:
            raise StoreReplaced from error
        self._warn(
            f"the index of {category} cannot be used: {error}"
            if generation
            else f"the category {category} has no index yet"
        )
        self.damaged[category] = generation

    def _open_index(self, category: str, generation: str) -> OpenIndex:
        """Opens the category's index, once for each generation; ``generation`` is the current one.

        Raises:
            IndexDamaged: there is none, it is damaged, or it has features that the catalog never had, since
                the catalog is an older copy.
        """
        cached = self._opened.get(category)
        if cached is not None and cached[0] == generation:
            return cached[1]
        index = self.indexes.open(category)
        if index.last_feature_id > self.location.catalog.highest_feature_id():
            raise IndexDamaged(f"the index of {category!r} was built of a later state of the catalog")
        # One that is replaced is not closed: another thread may be searching in it.
        self._opened[category] = (generation, index)
        return index

    def _drop_removed(self, candidates: Candidates) -> Candidates:
        return candidates.without(self._removed) if len(self._removed) else candidates


class LocalVectorStores:
    """Stores in files, in the folder of their space; ``VectorStores``.

    Attributes:
        store: class of the stores.
    """

    store = LocalVectorStore

    def at_fit(
        self,
        location: SpaceLocation,
        metric: str,
        transform: Transform,
        *,
        stamp: Stamp = (0, 0),
        warn: Callable[[str], None] = lambda reason: None,
        is_built: bool = True,
    ) -> LocalVectorStore:
        """The store of a fit."""
        store = self.store(location, metric, transform, stamp, warn=warn)
        if not is_built:
            store.damaged = dict.fromkeys(store.categories(), "")
        return store

    def metrics(self, location: SpaceLocation, version: str) -> set[str]:
        """Metrics that have a folder of indexes."""
        return {metric for metric in METRICS if (_folder_of_fit(location, version) / metric).is_dir()}

    def leftovers(self, location: SpaceLocation, version: str) -> list[str]:
        """Lists the folders of other fits, and what builds that were killed have left in that of this one."""
        fit, counts = _folder_of_fit(location, version), location.counts()
        found = [path for path in location.folder.glob("*") if path.is_dir() and path != fit]
        if self.store is LocalVectorStore:
            found += fit.glob("lists-*")
        for metric in self.metrics(location, version):
            found += CategoryIndexes(fit / metric, "", metric, 0).leftovers(counts)
        return list(map(str, found))

    def remove_other_fits(self, location: SpaceLocation, version: str) -> None:
        """Removes the folders of other fits; a reader that has one open keeps it."""
        kept = _folder_of_fit(location, version)
        for path in location.folder.iterdir() if location.folder.exists() else ():
            if path.is_dir() and path != kept:
                shutil.rmtree(path, ignore_errors=True)


def _up_to(last_id: int, blocks: Iterable[tuple[Ids, Floats]]) -> Iterator[tuple[Ids, Floats]]:
    """Yields blocks, whose ids rise, up to the row of an id."""
    for ids, vectors in blocks:
        kept = int(np.searchsorted(ids, last_id, side="right"))
        yield ids[:kept], vectors[:kept]
        if kept < len(ids):
            return


def _folder_of_fit(location: SpaceLocation, version: str) -> Path:
    return location.folder / version[:16]
