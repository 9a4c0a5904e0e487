"""Searches the indexes of many categories as one: one scan of their reduced vectors, one exact comparison.

Searched one by one, each category compares a thousand candidates exactly, to be sure of its own nearest ones.
Most of these are farther than what other categories have. Together they need hardly more candidates than one
category of their size: the scores of all vectors lie in one array, in which the nearest are looked for.

Scores of two categories can be compared although each was reduced to axes of its own: both estimate the
squared distance of the vectors. Where some categories were reduced from square roots and others not, each
kind is searched by itself. Annoy's trees are of one category each and are not used.

Categories of few vectors are compared with exactly, several in one block.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from stylesearch.array_types import AnyFloats, Floats, Ids
from stylesearch.distance import nearest_to_any
from stylesearch.errors import IndexDamaged
from stylesearch.index.base import validate_queries
from stylesearch.index.category_indexes import Nearest, OpenIndex
from stylesearch.index.reduction import scan_min
from stylesearch.index.reranked import (
    Found,
    RerankedIndex,
    candidate_search,
    max_candidates,
    min_candidates,
    take_rows,
)

__all__ = ["search_together"]

_BLOCK = 8192


def search_together(indexes: Sequence[OpenIndex], vectors: AnyFloats, k: int) -> Nearest:
    """Finds the k ids of several indexes that are nearest to any of the vectors.

    Args:
        indexes: indexes of one space and metric, without common ids.
        vectors: shape (q, dim).
        k: number of ids; at most as many as there are, and none for q = 0.

    Returns:
        ids, exact distances and rows, by distance, then by id.

    Raises:
        IndexDamaged: one of them is damaged.
        ValueError: k below 1, or vectors of another width or with values that are not finite.
    """
    indexes = [one for one in indexes if one.count]
    if not indexes or not len(vectors):
        return Nearest(np.empty(0, np.int64), np.empty(0, np.float32), np.empty(0, np.int64))
    queries, metric = validate_queries(vectors, indexes[0].slots.dim, k), indexes[0].slots.metric
    try:
        return _search(indexes, queries, metric, k)
    except ValueError as error:  # of stored vectors with values that are not finite, which no build writes
        raise IndexDamaged(f"an index is damaged: {error}") from error


def _search(indexes: Sequence[OpenIndex], queries: Floats, metric: str, k: int) -> Nearest:
    compared, kinds = _sort_by_kind(indexes, k)
    found: list[Nearest] = []
    for kind in kinds:
        nearest = _Scanned(kind, metric).search(queries, k)
        if nearest is None:
            compared += [index for index, _ in kind]
        else:
            found.append(nearest)
    for ids, block in _blocks(compared):
        slots, distances, rows = _nearest_in(block, ids, queries, metric, k)
        found.append(Nearest(ids[slots], distances, rows))
        found = [_merge(found, k)]
    return _merge(found, k)


def _sort_by_kind(
    indexes: Sequence[OpenIndex], k: int
) -> tuple[list[OpenIndex], list[list[tuple[OpenIndex, RerankedIndex]]]]:
    """Lists indexes to compare with exactly, and, by what their scores mean, those to scan."""
    compared: list[OpenIndex] = []
    kinds: dict[tuple[bool, bool], list[tuple[OpenIndex, RerankedIndex]]] = {}
    n_vectors = sum(one.count for one in indexes)
    worth_it = min_candidates(indexes[0].slots.metric, k) <= max_candidates(n_vectors)
    for one in indexes:
        reduced = one.reduced() if worth_it else None
        if reduced is None:
            compared.append(one)
        else:
            kinds.setdefault(reduced.comparable_as, []).append((one, reduced))
    return compared, list(kinds.values())


class _Scanned:
    """Indexes whose slots are numbered one after the other.

    Args:
        parts: indexes, with their reduced vectors.
        metric: metric of the space.
    """

    def __init__(self, parts: Sequence[tuple[OpenIndex, RerankedIndex]], metric: str) -> None:
        self._parts = parts
        self._metric = metric
        self._first_slots = np.cumsum([0, *(index.count for index, _ in parts)])

    def search(self, queries: Floats, k: int) -> Nearest | None:
        """As ``search_together``; None where comparing with everything is cheaper."""
        scores = scan_min([reduced.scan(queries) for _, reduced in self._parts])
        found = candidate_search(
            scores,
            k,
            self._metric,
            lambda slots, n: self._compare(queries, slots, n),
            most=max_candidates(len(scores)),
            ids_of=self._ids_of,
        )
        return None if found is None else Nearest(self._ids_of(found[0]), found[1], found[2])

    def _compare(self, queries: Floats, slots: Ids, n: int) -> Found:
        """The n nearest of some slots, which rise: slots, distances and rows, by distance, then by id."""
        block = np.empty((len(slots), queries.shape[1]), np.float32)
        edges = np.searchsorted(slots, self._first_slots)
        for number, (index, _) in enumerate(self._parts):
            start, stop = edges[number], edges[number + 1]
            if start < stop:
                take_rows(index.vectors, slots[start:stop] - self._first_slots[number], block[start:stop])
        near, distances, rows = _nearest_in(block, self._ids_of(slots), queries, self._metric, n)
        return slots[near], distances, rows

    def _ids_of(self, slots: Ids) -> Ids:
        ids = np.empty(len(slots), np.int64)
        numbers = np.searchsorted(self._first_slots, slots, side="right") - 1
        for number in np.unique(numbers):
            chosen = numbers == number
            ids[chosen] = self._parts[number][0].ids[slots[chosen] - self._first_slots[number]]
        return ids


def _nearest_in(
    vectors: AnyFloats, ids: Ids, queries: Floats, metric: str, n: int
) -> tuple[Ids, Floats, npt.NDArray[np.int64]]:
    """The n nearest of some vectors: their rows, distances and queries, by distance, then by id."""
    if (np.diff(ids) > 0).all():
        return nearest_to_any(queries, vectors, metric, n)
    order = np.argsort(ids)
    near, distances, rows = nearest_to_any(queries, vectors[order], metric, n)
    return order[near], distances, rows


def _blocks(indexes: Sequence[OpenIndex]) -> Iterator[tuple[Ids, AnyFloats]]:
    """Yields ids and vectors of indexes, small ones joined."""
    waiting: list[OpenIndex] = []
    for one in indexes:
        if one.count >= _BLOCK:
            yield one.ids, one.vectors
            continue
        waiting.append(one)
        if sum(other.count for other in waiting) >= _BLOCK:
            yield _joined(waiting)
            waiting = []
    if waiting:
        yield _joined(waiting)


def _joined(indexes: Sequence[OpenIndex]) -> tuple[Ids, AnyFloats]:
    if len(indexes) == 1:
        return indexes[0].ids, indexes[0].vectors
    return np.concatenate([one.ids for one in indexes]), np.concatenate([one.vectors for one in indexes])


def _merge(lists: Sequence[Nearest], k: int) -> Nearest:
    """The k nearest of disjoint lists, by distance, then by id."""
    ids, distances, rows = (np.concatenate(parts) for parts in zip(*lists, strict=True))
    order = np.lexsort((ids, distances))[:k]
    return Nearest(ids[order], distances[order], rows[order])
