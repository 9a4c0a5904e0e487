"""Candidates from Annoy over a few axes, put in order by exact distances over all of them.

Annoy (https://github.com/spotify/annoy) splits space at random hyperplanes into a forest of trees. Here it
holds reduced vectors (:mod:`stylesearch.index.reduction`), which it searches best, and only proposes: the
distances of the candidates are computed again from the full vectors.

The regions of one photo are searched in two passes. A shallow one for every region finds out which regions
the nearest images are near to; a deep one follows for those alone, since the others cannot win.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from stylesearch.errors import IndexingError
from stylesearch.index.base import AnyFloats, Floats, Slots, checked_queries
from stylesearch.index.reduction import Reduction, fit_reduction
from stylesearch.index.self_test import annoy_class, annoy_works
from stylesearch.metrics import nearest, nearest_to_any

__all__ = ["N_AXES", "N_TREES", "SEED", "AnnoyBackend", "build_trees", "reduction_of"]

N_AXES = 64
N_TREES = 40
SEED = 20180710
SAMPLE = 8192
ROWS_AT_ONCE = 8192

# How much of the forest a query looks at, and how many candidates it takes: measured, see docs/benchmarks.md.
SHALLOW_NODES = 1000
SHALLOW_CANDIDATES = 100
DEEP_NODES = 64_000
DEEP_NODES_A_REGION = 24_000
DEEP_CANDIDATES = 600
SINGLE_NODES = 24_000
SINGLE_CANDIDATES = 1000
OWNERS_AMONG = 60


class AnnoyBackend:
    """A :class:`~stylesearch.index.base.VectorIndex` that asks Annoy first.

    Args:
        vectors: shape (count, dim), in memory or memory-mapped; not copied.
        metric: one of :data:`stylesearch.metrics.METRICS`.
        reduction: the map to what the trees hold.
        trees: a file that :func:`build_trees` wrote.

    Raises:
        IndexingError: Annoy cannot be used here.
    """

    def __init__(self, vectors: AnyFloats, metric: str, reduction: Reduction, trees: Path) -> None:
        self._vectors = vectors
        self._metric = metric
        self._reduction = reduction
        self._trees = _annoy_index(reduction.width)
        self._trees.load(os.fspath(trees))

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
        k = min(k, self.count)
        slots = np.empty((len(queries), k), np.int64)
        distances = np.empty((len(queries), k), np.float32)
        asked, _ = self._reduction.asked(queries)
        n_wanted = max(SINGLE_CANDIDATES, 5 * k)
        nodes = max(SINGLE_NODES, n_wanted * N_TREES // 2)
        found = self._ask(asked, range(len(queries)), n_wanted, nodes)
        for row, candidates in enumerate(found):
            chosen = np.sort(candidates) if len(candidates) >= k else np.arange(self.count)
            positions, near = nearest(queries[row : row + 1], self._vectors[chosen], self._metric, k)
            slots[row], distances[row] = chosen[positions[0]], near[0]
        return slots, distances

    def query_min(self, vectors: AnyFloats, k: int) -> tuple[Slots, Floats, Slots]:
        """See :meth:`stylesearch.index.base.VectorIndex.query_min`."""
        queries = checked_queries(vectors, self.dim, k)
        if len(queries) == 1:
            slots, distances = self.query(queries, k)
            return slots[0], distances[0], np.zeros(slots.shape[1], np.int64)
        k = min(k, self.count)
        candidates = self._candidates(queries, k)
        if len(candidates) < k:
            candidates = np.arange(self.count)
        positions, distances, rows = nearest_to_any(queries, self._vectors[candidates], self._metric, k)
        return candidates[positions], distances, rows

    def close(self) -> None:
        """Lets go of the file."""
        self._trees.unload()
        self._pool.shutdown()

    def _candidates(self, queries: Floats, k: int) -> Slots:
        """Slots that may be among the k nearest to any of the queries, sorted."""
        if not len(queries):
            return np.empty(0, np.int64)
        asked, added = self._reduction.asked(queries)
        rows = range(len(queries))
        shallow = self._ask_with_distances(asked, rows, max(SHALLOW_CANDIDATES, k), SHALLOW_NODES, added)
        slots = np.concatenate([found for found, _ in shallow])
        order = np.argsort(np.concatenate([near for _, near in shallow]), kind="stable")
        owner = np.repeat(np.arange(len(queries)), [len(found) for found, _ in shallow])
        _, first = np.unique(slots[order], return_index=True)
        owners = np.unique(owner[order][np.sort(first)[: max(OWNERS_AMONG, 2 * k)]])
        nodes = min(DEEP_NODES // len(owners), DEEP_NODES_A_REGION)
        deep = self._ask(
            asked, owners.tolist(), max(DEEP_CANDIDATES, 5 * k), max(nodes, 5 * k * N_TREES // 4)
        )
        return np.unique(np.concatenate([slots, *deep]))

    def _ask(self, asked: Floats, rows: Sequence[int], n_wanted: int, nodes: int) -> list[Slots]:
        """Candidates of some of the queries. Annoy lets go of the interpreter, so threads help."""

        def of(row: int) -> Slots:
            return np.array(self._trees.get_nns_by_vector(asked[row].tolist(), n_wanted, nodes), np.int64)

        return list(self._pool.map(of, rows))

    def _ask_with_distances(
        self, asked: Floats, rows: Sequence[int], n_wanted: int, nodes: int, added: Floats
    ) -> list[tuple[Slots, Floats]]:
        """Candidates and their squared distances, comparable between queries."""

        def of(row: int) -> tuple[Slots, Floats]:
            slots, near = self._trees.get_nns_by_vector(asked[row].tolist(), n_wanted, nodes, True)
            return np.array(slots, np.int64), np.array(near, np.float32) ** 2 + added[row]

        return list(self._pool.map(of, rows))

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(min(4, os.cpu_count() or 1), "annoy")


def reduction_of(vectors: AnyFloats, metric: str) -> Reduction:
    """The map to fewer axes, fitted on an even sample of a category's vectors."""
    step = max(1, len(vectors) // SAMPLE)
    return fit_reduction(np.asarray(vectors[::step], np.float32), metric, N_AXES, seed=SEED)


def build_trees(vectors: AnyFloats, reduction: Reduction, path: Path) -> None:
    """Builds the forest of a category and writes it; the same bytes for the same vectors.

    Raises:
        IndexingError: Annoy cannot be used here, or cannot write.
    """
    trees = _annoy_index(reduction.width)
    trees.set_seed(SEED)  # before the first item: Annoy's own rule
    slot = 0
    for block in _blocks(vectors):
        for row in reduction.stored(block).tolist():
            trees.add_item(slot, row)
            slot += 1
    trees.build(N_TREES, n_jobs=1)  # more jobs build other trees every time
    try:
        trees.save(os.fspath(path))
    except OSError as error:
        raise IndexingError(f"{path} cannot be written: {error}") from error


def _blocks(vectors: AnyFloats) -> Iterator[Floats]:
    for start in range(0, len(vectors), ROWS_AT_ONCE):
        yield np.asarray(vectors[start : start + ROWS_AT_ONCE], np.float32)


def _annoy_index(width: int) -> Any:
    if not annoy_works():
        raise IndexingError("Annoy cannot be used here", hint="stylesearch doctor says why")
    return annoy_class()(width, "euclidean")
