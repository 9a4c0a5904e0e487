"""Lists of candidates, and how several become one without losing an exact order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from stylesearch.metrics import nearest_to_any

__all__ = ["Candidates", "merge", "nearest_in_blocks"]


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
