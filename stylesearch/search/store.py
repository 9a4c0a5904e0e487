"""The protocol of vector stores, which find the nearest vectors for a gallery, and the values they return.

A store holds the vectors of the shop's images, in one fit of a space, for one metric, by category. It is
derived from the catalog's features and may be behind: the gallery leaves out images that are gone from the
catalog. ``stylesearch.search.local_store.LocalVectorStore`` keeps its indexes in files; a
database can be another store. ``stylesearch.testing.VectorStoreContract`` tests one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from stylesearch.array_types import Floats, Ids
from stylesearch.distance import nearest_to_any

if TYPE_CHECKING:
    from stylesearch.catalog.selection import FeatureSelection
    from stylesearch.search.fitted_space import SpaceLocation, Stamp
    from stylesearch.spaces.base import Transform
    from stylesearch.types import Failure, ReportProgress

__all__ = [
    "Candidates",
    "CategoryStatus",
    "StoreReplaced",
    "VectorStore",
    "VectorStores",
    "check_names",
    "merge_candidates",
    "nearest_in_blocks",
]


class StoreReplaced(Exception):
    """The space was fitted anew while a store was searched; the caller opens the store of the new fit."""


class VectorStore(Protocol):
    """The vectors of a gallery in one fit of a space, for one metric. Thread-safe.

    A search is of some categories, or of all. A space that weighs vectors by category, as a learned one
    does, is searched category by category. Vectors, of queries too, are in the space and scaled for their
    category.
    """

    @property
    def transform(self) -> Transform:
        """The transform from features to vectors of the space, in the fit of the stored vectors."""

    @property
    def is_current(self) -> bool:
        """Whether this is still the current fit; called before every search, so it must be quick."""

    @property
    def damaged(self) -> Mapping[str, str]:
        """Categories that were searched without their index since the store was opened."""

    def categories(self) -> list[str]:
        """Names of the categories that have images, sorted."""

    def search(
        self,
        vectors: Floats,
        categories: Sequence[str] | None,
        n: int,
        *,
        allowed: FeatureSelection | None = None,
    ) -> Candidates:
        """Finds the images of some categories, or of all, nearest to any of several vectors.

        Args:
            vectors: vectors of a query, float32, shape (q, dim).
            categories: which categories, all different; an unknown one has no images. None searches all of
                them. The transform must not scale vectors by category, unless one category is given.
            n: how many images are wanted; fewer come only if there are no more, unless some are removed.
            allowed: the features among which is searched, those that meet a filter; every image if not
                given. Of these, none is missed for others that are nearer. There may be ids among them that
                the store does not have, such as those of customers' images: it never returns one.

        Returns:
            candidates with exact distances: a store that finds candidates by approximate ones compares them
            again. Ids that are gone from the catalog may be among them until they are removed.

        Raises:
            StoreReplaced: the fit was replaced meanwhile, and its vectors are gone.
            TypeError: one name was given instead of a list of names.
        """

    def add(self, ids: Ids) -> None:
        """Makes features that were added to the catalog searchable.

        Args:
            ids: feature ids, int64.
        """

    def remove(self, ids: Ids) -> None:
        """Leaves features out of every answer from now on; unknown ids are ignored.

        Args:
            ids: feature ids, int64.
        """

    def status(self) -> list[CategoryStatus]:
        """The state of every category's index, vanished categories included, by name; builds nothing."""

    def verify(self, categories: Iterable[str] | None = None) -> list[Failure]:
        """Reads the index of every category whole, or of some; lists those that are damaged or missing."""

    def build(self, categories: Iterable[str] | None = None, progress: ReportProgress | None = None) -> None:
        """Builds indexes anew; searches go on meanwhile, and so do writers of the catalog.

        The caller holds the right to build, so that no two build at once.

        Args:
            categories: categories to build; by default all.
            progress: called as ``progress("indexes", n_done, n_total)``, in images, first with none done.

        Raises:
            IndexingError: there is no room, or another process does not finish building.
        """


class VectorStores(Protocol):
    """One kind of vector store: opens a store for each fit of a space, and removes those of older fits.

    A workspace has one; every ``SpaceLocation`` carries it.
    """

    def at_fit(
        self,
        location: SpaceLocation,
        metric: str,
        transform: Transform,
        *,
        stamp: Stamp = (0, 0),
        warn: Callable[[str], None] = lambda reason: None,
        is_built: bool = True,
    ) -> VectorStore:
        """The store of a fit, the current one or one that is being made.

        Args:
            location: location of the space.
            metric: ``l1``, ``l2`` or ``cosine``.
            transform: the fit.
            stamp: stamp of the record that named the fit, from before it was read.
            warn: called with the reason when an index cannot be used.
            is_built: whether there may be indexes of this fit; without, the store searches exactly and says
                nothing of it.

        Raises:
            ConfigError: the transform was made for another metric.
        """

    def metrics(self, location: SpaceLocation, version: str) -> set[str]:
        """Metrics for which there are indexes of a fit.

        Args:
            location: location of the space.
            version: version of the fit's transform.
        """

    def leftovers(self, location: SpaceLocation, version: str) -> list[str]:
        """Lists what no search uses any more, and a build removes: other fits, unfinished indexes."""

    def remove_other_fits(self, location: SpaceLocation, version: str) -> None:
        """Removes the indexes of every fit but one; whoever is searching in them is not disturbed."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """Images by distance to the nearest of several query vectors.

    Attributes:
        ids: feature ids, int64, shape (n,), nearest first.
        distances: float32, shape (n,).
        rows: which query vector was nearest, int64, shape (n,).
        complete: whether there are no others; else images farther than the last may be missing.
    """

    ids: Ids
    distances: Floats
    rows: Ids
    complete: bool

    @classmethod
    def empty(cls) -> Candidates:
        """An empty list that is complete."""
        return cls(np.empty(0, np.int64), np.empty(0, np.float32), np.empty(0, np.int64), complete=True)

    @property
    def horizon(self) -> float:
        """The distance up to which the list is complete."""
        return float("inf") if self.complete else float(self.distances[-1]) if len(self.ids) else 0.0

    def first(self, n: int) -> Candidates:
        """The ``n`` nearest candidates."""
        if len(self.ids) <= n:
            return self
        return Candidates(self.ids[:n], self.distances[:n], self.rows[:n], complete=False)

    def without(self, ids: Ids) -> Candidates:
        """The candidates without some images; as complete as before."""
        kept = np.isin(self.ids, ids, invert=True)
        return Candidates(self.ids[kept], self.distances[kept], self.rows[kept], self.complete)


def check_names(categories: Sequence[str] | None) -> None:
    """Refuses one name, whose letters would be taken for names.

    Raises:
        TypeError: it is a string.
    """
    if isinstance(categories, str):
        raise TypeError(f"categories are a list of names. Received: {categories!r}")


def merge_candidates(lists: Sequence[Candidates]) -> Candidates:
    """Merges disjoint lists into one, which ends where one of them may be incomplete.

    Ties are in the order of the ids, so that an answer does not depend on how the lists were made.
    """
    if not lists:
        return Candidates.empty()
    ids = np.concatenate([one.ids for one in lists])
    distances = np.concatenate([one.distances for one in lists])
    rows = np.concatenate([one.rows for one in lists])
    order = np.lexsort((ids, distances))
    horizon = min(one.horizon for one in lists)
    order = order[: np.searchsorted(distances[order], horizon, side="right")]
    return Candidates(ids[order], distances[order], rows[order], complete=all(one.complete for one in lists))


def nearest_in_blocks(
    query_vectors: Floats, blocks: Iterable[tuple[Ids, Floats]], metric: str, n_wanted: int
) -> Candidates:
    """Searches a stream of vectors exactly; memory is bounded by one block.

    Args:
        query_vectors: float32, shape (q, dim).
        blocks: ids int64 (n,) and vectors float32 (n, dim).
        metric: ``l1``, ``l2`` or ``cosine``.
        n_wanted: number of candidates to keep.
    """
    kept = Candidates.empty()
    complete = True
    for ids, vectors in blocks:
        if not len(ids):
            continue
        slots, distances, rows = nearest_to_any(query_vectors, vectors, metric, n_wanted)
        complete &= len(slots) == len(ids) and len(kept.ids) + len(ids) <= n_wanted
        found = Candidates(ids[slots], distances, rows, complete=True)
        kept = merge_candidates([kept, found]).first(n_wanted)
        kept = replace(kept, complete=True)
    return replace(kept, complete=complete)


@dataclass(frozen=True, slots=True)
class CategoryStatus:
    """The state of one category's index.

    Attributes:
        category: name of the category.
        state: ``ready``, ``missing`` or ``damaged``.
        kind: ``annoy`` or ``exact``; empty when nothing is built.
        n_indexed: images in the index.
        n_pending: images that are newer; they are searched exactly.
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
