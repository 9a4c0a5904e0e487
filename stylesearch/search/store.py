"""The seam between a gallery and what finds vectors for it: the protocol of a vector store, and its answers.

A store holds the vectors of the shop's images, in one fit of a space, for one metric, by category. Features
are kept in the catalog; a store is derived from it and may be behind: the gallery leaves out what has gone
from the catalog. ``stylesearch.search.local_store.LocalVectorStore`` keeps its indexes in files; a
database can be another store. ``stylesearch.testing.VectorStoreContract`` tests one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from stylesearch.array_types import Floats, Ids
from stylesearch.distance import nearest_to_any

if TYPE_CHECKING:
    from stylesearch.spaces.base import Transform
    from stylesearch.types import ReportProgress

__all__ = [
    "Candidates",
    "CategoryStatus",
    "StoreReplaced",
    "VectorStore",
    "merge_candidates",
    "nearest_in_blocks",
]


class StoreReplaced(Exception):
    """The space was fitted anew while a store was searched; the caller opens the store of the new fit."""


class VectorStore(Protocol):
    """The vectors of a gallery in one fit of a space, for one metric. Thread-safe.

    Categories are searched one by one: a learned space weighs vectors by category. Vectors, of queries too,
    are in the space and scaled for their category.
    """

    @property
    def transform(self) -> Transform:
        """From features to vectors of the space, in the fit that the stored vectors are of."""

    @property
    def is_current(self) -> bool:
        """Whether no other fit has replaced this one; asked before every search, so it has to be quick."""

    @property
    def damaged(self) -> Mapping[str, str]:
        """Categories that had to be searched without their index since the store was opened."""

    def categories(self) -> list[str]:
        """Names of the categories that have images, sorted."""

    def search(self, vectors: Floats, category: str, n: int, *, allowed: Ids | None = None) -> Candidates:
        """The images of a category nearest to any of several vectors.

        Args:
            vectors: of a query, float32, shape (q, dim).
            category: one of ``categories``; an unknown one has no images.
            n: how many images are wanted; fewer come only if there are no more, unless some are removed.
            allowed: feature ids to which the search is restricted, int64; every image if not given.

        Returns:
            exact distances: whoever finds candidates by approximate ones compares again. Ids that have gone
            from the catalog may be among them until they are removed.

        Raises:
            StoreReplaced: the fit was replaced meanwhile, and its vectors are gone.
        """

    def add(self, ids: Ids) -> None:
        """Makes features that have come into the catalog searchable.

        Args:
            ids: of the features, int64.
        """

    def remove(self, ids: Ids) -> None:
        """Leaves features out of every answer from now on; ids that are not there do no harm.

        Args:
            ids: of the features, int64.
        """

    def status(self) -> list[CategoryStatus]:
        """The state of the index of every category, of vanished ones too, by name. Builds nothing."""

    def build(self, categories: Iterable[str] | None = None, progress: ReportProgress | None = None) -> None:
        """Builds indexes anew; searches go on meanwhile. The caller holds ``Catalog.writing``.

        Args:
            categories: whose; those of all categories if not given.
            progress: called as ``progress("indexes", n_done, n_total)``, in images.

        Raises:
            IndexingError: there is no room, or another process does not finish building.
        """


@dataclass(frozen=True, slots=True)
class Candidates:
    """Images by distance to the nearest of several query vectors.

    Attributes:
        ids: feature ids, int64, shape (n,), nearest first.
        distances: float32, shape (n,).
        rows: which query vector was nearest, int64, shape (n,).
        complete: whether these are all there are; otherwise images further than the last may be missing.
    """

    ids: Ids
    distances: Floats
    rows: Ids
    complete: bool

    @classmethod
    def empty(cls) -> Candidates:
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

    def without(self, ids: Ids) -> Candidates:
        """These without some images; as complete as before."""
        kept = np.isin(self.ids, ids, invert=True)
        return Candidates(self.ids[kept], self.distances[kept], self.rows[kept], self.complete)


def merge_candidates(lists: Sequence[Candidates]) -> Candidates:
    """One list of several disjoint ones, cut where one of them may be missing something.

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
    """Exact search through vectors that stream by; memory is bounded by one block.

    Args:
        query_vectors: float32, shape (q, dim).
        blocks: ids int64 (n,) and vectors float32 (n, dim).
        metric: ``l1``, ``l2`` or ``cosine``.
        n_wanted: how many to keep.
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
