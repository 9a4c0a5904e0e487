"""An index that finds candidates cheaply and then compares them exactly."""

from __future__ import annotations

import numpy as np

from stylesearch.cores import share_rows
from stylesearch.index.annoy_backend import AnnoyForest, candidates_of_annoy
from stylesearch.index.base import AnyFloats, Floats, Slots, checked_queries
from stylesearch.index.reduction import Reduction
from stylesearch.index.scan import scan_min
from stylesearch.index.strategy import Plan, Strategy, plan
from stylesearch.index.widening import most_of, widening
from stylesearch.metrics import check_metric, nearest, nearest_to_any

__all__ = ["RerankedIndex"]

# Multiplications that take as long as to fetch a number of a row that lies somewhere else than the last.
_COST_OF_FETCHING = 16


class RerankedIndex:
    """A :class:`~stylesearch.index.base.VectorIndex` with Annoy, scanning and exact search to choose from.

    Args:
        vectors: shape (count, dim), usually memory-mapped.
        metric: one of :data:`stylesearch.metrics.METRICS`.
        reduction: what the candidates' vectors were reduced by.
        panels: reduced vectors as :func:`stylesearch.index.scan.scan_panels` makes them, usually
            memory-mapped.
        needed: how many candidates these vectors need as a rule.
        forest: Annoy's trees over the same reduced vectors; without them they are always scanned.
        strategy: always this one; otherwise the quickest is chosen for each query.

    Raises:
        ValueError: Annoy is to be used, and there are no trees.
    """

    def __init__(
        self,
        vectors: AnyFloats,
        metric: str,
        reduction: Reduction,
        panels: Floats,
        forest: AnnoyForest | None,
        *,
        needed: int = 0,
        strategy: Strategy | None = None,
    ) -> None:
        self._vectors = vectors
        self._metric = check_metric(metric)
        self._reduction = reduction
        self._panels = panels
        if strategy is Strategy.ANNOY and forest is None:
            raise ValueError("Annoy is to be used, and there are no trees")
        self._forest = forest
        self._needed = needed
        self._strategy = strategy

    @property
    def metric(self) -> str:
        """The metric of all distances."""
        return self._metric

    @property
    def dim(self) -> int:
        """Width of a vector."""
        return int(self._vectors.shape[1])

    @property
    def count(self) -> int:
        """How many vectors there are."""
        return int(self._vectors.shape[0])

    def query(self, vectors: AnyFloats, k: int) -> tuple[Slots, Floats]:
        """See :meth:`stylesearch.index.base.VectorIndex.query`."""
        queries = checked_queries(vectors, self.dim, k)
        chosen = self._plan(1, k)
        if chosen.strategy is Strategy.EXACT or not len(queries):
            return nearest(queries, self._vectors, self._metric, k)
        answers = [self._nearest_to_any(queries[row : row + 1], k, chosen) for row in range(len(queries))]
        return np.stack([slots for slots, _, _ in answers]), np.stack([found for _, found, _ in answers])

    def query_min(self, vectors: AnyFloats, k: int) -> tuple[Slots, Floats, Slots]:
        """See :meth:`stylesearch.index.base.VectorIndex.query_min`."""
        queries = checked_queries(vectors, self.dim, k)
        return self._nearest_to_any(queries, k, self._plan(len(queries), k))

    def close(self) -> None:
        """Lets go of Annoy's file."""
        if self._forest is not None:
            self._forest.close()
            self._forest = None

    def _plan(self, n_queries: int, k: int) -> Plan:
        return plan(
            self._metric,
            self.count,
            self.dim,
            self._reduction.width,
            n_queries,
            k,
            needed=self._needed,
            with_annoy=self._forest is not None,
            forced=self._strategy,
        )

    def _nearest_to_any(self, queries: Floats, k: int, chosen: Plan) -> tuple[Slots, Floats, Slots]:
        """Annoy's candidates if they convince, or the scan's, or everything."""
        if chosen.strategy is Strategy.EXACT or not len(queries):
            return nearest_to_any(queries, self._vectors, self._metric, k)
        reduced, offsets = self._reduction.asked(queries)
        found = None
        if chosen.strategy is Strategy.ANNOY and self._forest is not None:
            found = self._by_annoy(self._forest, queries, reduced, offsets, k, chosen)
        if found is None:
            scores = scan_min(self._panels, self.count, reduced, offsets)
            most = 2 * self.count if self._strategy else most_of(self.count)
            found = widening(
                scores, k, self._metric, lambda slots, n: self._compare(queries, slots, n), most=most
            )
        return found or nearest_to_any(queries, self._vectors, self._metric, k)

    def _by_annoy(
        self, forest: AnnoyForest, queries: Floats, reduced: Floats, offsets: Floats, k: int, chosen: Plan
    ) -> tuple[Slots, Floats, Slots] | None:
        """What Annoy's candidates hold; None if more candidates than it returned would be needed."""
        n_each = candidates_of_annoy(chosen.n_candidates, len(queries))
        answers = forest.search(reduced, n_each, chosen.search_k)
        met = np.concatenate([slots for slots, _ in answers])
        scores = np.concatenate([near + offset for (_, near), offset in zip(answers, offsets, strict=True)])
        slots, where = np.unique(met, return_inverse=True)
        smallest = np.full(len(slots), np.inf, np.float32)
        np.minimum.at(smallest, where, scores)

        def compare(candidates: Slots, n: int) -> tuple[Slots, Floats, Slots]:
            near, distances, rows = self._compare(queries, slots[candidates], n)
            return np.searchsorted(slots, near), distances, rows

        found = widening(smallest, k, self._metric, compare, most=len(slots) - 1)
        return None if found is None else (slots[found[0]], found[1], found[2])

    def _compare(self, queries: Floats, slots: Slots, n: int) -> tuple[Slots, Floats, Slots]:
        block = np.empty((len(slots), self.dim), np.float32)

        def fetch(start: int, stop: int) -> None:
            np.take(self._vectors, slots[start:stop], axis=0, out=block[start:stop], mode="clip")

        share_rows(fetch, len(slots), _COST_OF_FETCHING * self.dim)
        near, distances, rows = nearest_to_any(queries, block, self._metric, n)
        return slots[near], distances, rows
