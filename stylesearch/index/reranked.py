"""An index that finds candidates cheaply and then compares them exactly."""

from __future__ import annotations

import numpy as np

from stylesearch.index.annoy_backend import AnnoyForest
from stylesearch.index.base import AnyFloats, Floats, Slots, checked_queries
from stylesearch.index.reduction import Reduction
from stylesearch.index.scan import scan, scan_min
from stylesearch.index.strategy import Plan, Strategy, plan
from stylesearch.metrics import check_metric, nearest, nearest_to_any

__all__ = ["RerankedIndex"]


class RerankedIndex:
    """A :class:`~stylesearch.index.base.VectorIndex` with Annoy, scanning and exact search to choose from.

    Args:
        vectors: shape (count, dim), usually memory-mapped.
        metric: one of :data:`stylesearch.metrics.METRICS`.
        reduction: what the candidates' vectors were reduced by.
        rows: reduced vectors as :func:`stylesearch.index.scan.scan_rows` makes them, usually memory-mapped.
        signed: whether vectors have negative values.
        needed: how many candidates these vectors need at least.
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
        rows: Floats,
        forest: AnnoyForest | None,
        *,
        signed: bool,
        needed: int = 0,
        strategy: Strategy | None = None,
    ) -> None:
        self._vectors = vectors
        self._metric = check_metric(metric)
        self._reduction = reduction
        self._rows = rows
        if strategy is Strategy.ANNOY and forest is None:
            raise ValueError("Annoy is to be used, and there are no trees")
        self._forest = forest
        self._signed = signed
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
        k = min(k, self.count)
        slots = np.empty((len(queries), k), np.int64)
        found = np.empty((len(queries), k), np.float32)
        for row, candidates in enumerate(self._candidates_of_each(queries, chosen)):
            if len(candidates) < k:  # Annoy may return fewer than asked
                slots[row], found[row] = (
                    x[0] for x in nearest(queries[row : row + 1], self._vectors, self._metric, k)
                )
                continue
            near = nearest(queries[row : row + 1], self._vectors[candidates], self._metric, k)
            slots[row], found[row] = candidates[near[0][0]], near[1][0]
        return slots, found

    def query_min(self, vectors: AnyFloats, k: int) -> tuple[Slots, Floats, Slots]:
        """See :meth:`stylesearch.index.base.VectorIndex.query_min`."""
        queries = checked_queries(vectors, self.dim, k)
        chosen = self._plan(len(queries), k)
        candidates = None
        if chosen.strategy is not Strategy.EXACT and len(queries):
            candidates = self._candidates_of_all(queries, chosen)
        if candidates is None or len(candidates) < min(k, self.count):
            return nearest_to_any(queries, self._vectors, self._metric, k)
        slots, found, rows = nearest_to_any(queries, self._vectors[candidates], self._metric, k)
        return candidates[slots], found, rows

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
            signed=self._signed,
            needed=self._needed,
            with_annoy=self._forest is not None,
            forced=self._strategy,
        )

    def _candidates_of_all(self, queries: Floats, chosen: Plan) -> Slots:
        """Slots that may be near any of the queries, ascending."""
        reduced, offsets = self._reduction.asked(queries)
        if chosen.strategy is Strategy.SCAN or self._forest is None:
            return _smallest(scan_min(self._rows, reduced, offsets), chosen.n_candidates)
        n_each = max(100, 4 * chosen.n_candidates // len(queries))
        answers = self._forest.search(reduced, n_each, chosen.search_k)
        slots = np.concatenate([found for found, _ in answers])
        distances = np.concatenate(
            [near + offset for (_, near), offset in zip(answers, offsets, strict=True)]
        )
        order = np.argsort(distances, kind="stable")
        distinct, first = np.unique(slots[order], return_index=True)
        return np.sort(distinct[np.argsort(first)[: chosen.n_candidates]])

    def _candidates_of_each(self, queries: Floats, chosen: Plan) -> list[Slots]:
        """For each query the slots that may be near it, ascending."""
        reduced, _ = self._reduction.asked(queries)
        if chosen.strategy is Strategy.SCAN or self._forest is None:
            return [_smallest(scan(self._rows, query), chosen.n_candidates) for query in reduced]
        answers = self._forest.search(reduced, chosen.n_candidates, chosen.search_k)
        return [np.sort(slots) for slots, _ in answers]


def _smallest(scores: Floats, n: int) -> Slots:
    """Where the ``n`` smallest scores are, ascending."""
    if n >= len(scores):
        return np.arange(len(scores))
    return np.sort(np.argpartition(scores, n - 1)[:n])
