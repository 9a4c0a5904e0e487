"""Searches the indexes of many categories as one: one scan of their reduced vectors, one exact comparison.

Searched one by one, each category compares a thousand candidates exactly, to be sure of its own nearest ones.
Most of these are farther than what other categories have. Together they need hardly more candidates than one
category of their size: the scores of all vectors lie in one array, in which the nearest are looked for.

Scores of two categories can be compared although each was reduced to axes of its own: both estimate the
squared distance of the vectors. Where some categories were reduced from square roots and others not, each
kind is searched by itself. Annoy's trees are of one category each and are not used, unless a query resembles
nothing in any of them: then each index is searched by itself.

Categories of few vectors are compared with exactly, several in one block.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from stylesearch.array_types import AnyFloats, Floats, Ids
from stylesearch.distance import nearest_to_any
from stylesearch.distance_kernels import take_rows
from stylesearch.errors import IndexDamaged
from stylesearch.index.base import validate_queries
from stylesearch.index.category_indexes import Nearest, OpenIndex
from stylesearch.index.reduction import Scan, scan_min
from stylesearch.index.reranked import (
    Found,
    RerankedIndex,
    Strategy,
    candidate_search,
    max_candidates,
    min_candidates,
    plan,
)
from stylesearch.parallel import parallel_rows

__all__ = ["search_together"]

_BLOCK = 8192
_NEAREST = 20
"""Images whose categories are looked through by themselves."""

MOST_COMPARED = 8192
"""Candidates of all indexes together that may be compared: what resembles a query needs a few thousand."""

TIMES_FIRST = 4
"""Where many images are wanted, so many times the candidates that are compared first may be compared."""

_AXES = 100
"""Axes of a reduction, roughly."""

Part: TypeAlias = tuple[OpenIndex, Ids | None]
"""An index, and its slots that are searched; None for all."""


def search_together(
    indexes: Sequence[OpenIndex], vectors: AnyFloats, k: int, *, among: Sequence[Ids] | None = None
) -> Nearest:
    """Finds the k ids of several indexes that are nearest to any of the vectors.

    Args:
        indexes: indexes of one space and metric, without common ids.
        vectors: shape (q, dim).
        k: number of ids; at most as many as there are, and none for q = 0.
        among: for each index the slots that are searched, as ``OpenIndex.slots_of`` finds them; all if not
            given.

    Returns:
        ids, exact distances and rows, by distance, then by id.

    Raises:
        IndexDamaged: one of them is damaged.
        ValueError: k below 1, or vectors of another width or with values that are not finite.
    """
    parts = [(one, None if among is None else among[number]) for number, one in enumerate(indexes)]
    parts = [(one, slots) for one, slots in parts if (one.count if slots is None else len(slots))]
    if not parts or not len(vectors):
        return Nearest(np.empty(0, np.int64), np.empty(0, np.float32), np.empty(0, np.int64))
    queries, metric = validate_queries(vectors, indexes[0].slots.dim, k), indexes[0].slots.metric
    try:
        return _search(parts, queries, metric, k)
    except ValueError as error:  # of stored vectors with values that are not finite, which no build writes
        raise IndexDamaged(f"an index is damaged: {error}") from error


def _search(parts: Sequence[Part], queries: Floats, metric: str, k: int) -> Nearest:
    compared, kinds = _sort_by_kind(parts, len(queries), k)
    found: list[Nearest] = []
    for kind in kinds:
        nearest = _Scan(_Joined(kind, metric), queries, k).search()
        if nearest is None:
            found += [index.search_any(queries, k, among=among) for index, among, _ in kind]
        else:
            found.append(nearest)
    for ids, block in _blocks(compared):
        slots, distances, rows = _nearest_in(block, ids, queries, metric, k)
        found.append(Nearest(ids[slots], distances, rows))
        found = [_merge(found, k)]
    return _merge(found, k)


def _sort_by_kind(
    parts: Sequence[Part], n_queries: int, k: int
) -> tuple[list[Part], list[list[tuple[OpenIndex, Ids | None, RerankedIndex]]]]:
    """Lists indexes to compare with exactly, and, by what their scores mean, those to scan."""
    compared: list[Part] = []
    kinds: dict[tuple[bool, bool], list[tuple[OpenIndex, Ids | None, RerankedIndex]]] = {}
    worth_it = _is_worth_a_scan(parts, n_queries, k)
    for one, among in parts:
        reduced = one.open_reduced() if worth_it else None
        if reduced is None:
            compared.append((one, among))
        else:
            kinds.setdefault(reduced.comparable_as, []).append((one, among, reduced))
    return compared, list(kinds.values())


def _is_worth_a_scan(parts: Sequence[Part], n_queries: int, k: int) -> bool:
    """Whether a scan of all may be quicker than comparing with what is searched."""
    slots, n_vectors = parts[0][0].slots, sum(one.count for one, _ in parts)
    if parts[0][1] is None:
        return min_candidates(slots.metric, k) <= max_candidates(n_vectors)
    n_among = sum(one.count if among is None else len(among) for one, among in parts)
    width = max(one.manifest.reduced_width for one, _ in parts)
    chosen = plan(slots.metric, n_vectors, slots.dim, width, n_queries, k, n_among=n_among, with_annoy=False)
    return chosen.strategy is Strategy.SCAN


class _Joined:
    """Indexes whose slots are numbered one after the other.

    Args:
        parts: indexes, which of their slots are searched, and their reduced vectors.
        metric: metric of the space.

    Attributes:
        first_slots: number of each index's first slot, and the number of all slots.
        searched: the slots that are searched, rising; None for all.
    """

    def __init__(self, parts: Sequence[tuple[OpenIndex, Ids | None, RerankedIndex]], metric: str) -> None:
        self._parts = parts
        self.metric = metric
        self.first_slots = np.cumsum([0, *(index.count for index, _, _ in parts)])
        searched = [
            first + among
            for first, (_, among, _) in zip(self.first_slots, parts, strict=False)
            if among is not None
        ]
        self.searched: Ids | None = np.concatenate(searched) if searched else None

    def scan(self, queries: Floats) -> Floats:
        """The score of each slot that is searched, of the query that is nearest by it."""
        scans: dict[int, Scan] = {}

        def scan_some(start: int, stop: int) -> None:
            for number in range(start, stop):
                scans[number] = self._parts[number][2].scan(queries)

        parallel_rows(scan_some, len(self._parts), queries.shape[1] * _AXES * len(queries))
        scores = scan_min([scans[number] for number in range(len(self._parts))])
        return scores if self.searched is None else scores[self.searched]

    def compare(self, queries: Floats, slots: Ids, n: int) -> Found:
        """The n nearest of some slots, which rise: slots, distances and rows, by distance, then by id."""
        block = np.empty((len(slots), queries.shape[1]), np.float32)
        edges = np.searchsorted(slots, self.first_slots)
        for number, (index, _, _) in enumerate(self._parts):
            start, stop = edges[number], edges[number + 1]
            if start < stop:
                take_rows(index.vectors, slots[start:stop] - self.first_slots[number], block[start:stop])
        near, distances, rows = _nearest_in(block, self.ids_of(slots), queries, self.metric, n)
        return slots[near], distances, rows

    def ids_of(self, slots: Ids) -> Ids:
        ids = np.empty(len(slots), np.int64)
        numbers = self.numbers_of(slots)
        for number in np.unique(numbers):
            chosen = numbers == number
            ids[chosen] = self._parts[number][0].ids[slots[chosen] - self.first_slots[number]]
        return ids

    def numbers_of(self, slots: Ids) -> Ids:
        """Which index each slot is of."""
        return np.searchsorted(self.first_slots, slots, side="right") - 1


class _Scan:
    """One query's scores of the slots of joined indexes that are searched."""

    def __init__(self, joined: _Joined, queries: Floats, k: int) -> None:
        self._joined = joined
        self._queries = queries
        self._k = k
        self._scores = joined.scan(queries)

    def search(self) -> Nearest | None:
        """The k nearest; None where searching each index by itself is cheaper.

        A query that resembles nothing here would need more candidates than ``MOST_COMPARED``.

        Scores of a category that is like the query are too large beside those of others, whose axes do not
        show how far they are. So the categories of the nearest are looked through by themselves too.
        """
        most = max(MOST_COMPARED, TIMES_FIRST * min_candidates(self._joined.metric, self._k))
        together = self._search_among(0, len(self._scores), min(most, max_candidates(len(self._scores))))
        edges = self._edges()
        if together is None or len(edges) == 2:
            return together and together[1]
        slots, found = together
        numbers = self._joined.numbers_of(slots)
        nearest = np.unique(numbers[:_NEAREST])
        others = ~np.isin(numbers, nearest)
        lists = [Nearest(found.ids[others], found.distances[others], found.rows[others])]
        for number in nearest:
            start, stop = edges[number], edges[number + 1]
            most = 2 * max(stop - start, min_candidates(self._joined.metric, self._k))  # all may be compared
            own = self._search_among(start, stop, most)
            assert own is not None
            lists.append(own[1])
        return _merge(lists, self._k)

    def _search_among(self, start: int, stop: int, most: int) -> tuple[Ids, Nearest] | None:
        """Slots and what was found in some consecutive places of the scores, comparing at most so many."""

        def compare(places: Ids, n: int) -> Found:
            slots, distances, rows = self._joined.compare(self._queries, self._slots(places + start), n)
            return self._places(slots) - start, distances, rows

        found = candidate_search(
            self._scores[start:stop],
            self._k,
            self._joined.metric,
            compare,
            most=most,
            ids_of=lambda places: self._joined.ids_of(self._slots(places + start)),
        )
        if found is None:
            return None
        slots = self._slots(found[0] + start)
        return slots, Nearest(self._joined.ids_of(slots), found[1], found[2])

    def _edges(self) -> list[int]:
        """The place of the first score of each index, and the number of scores."""
        return [int(place) for place in self._places(self._joined.first_slots)]

    def _slots(self, places: Ids) -> Ids:
        return places if self._joined.searched is None else self._joined.searched[places]

    def _places(self, slots: Ids) -> Ids:
        return slots if self._joined.searched is None else np.searchsorted(self._joined.searched, slots)


def _nearest_in(
    vectors: AnyFloats, ids: Ids, queries: Floats, metric: str, n: int
) -> tuple[Ids, Floats, npt.NDArray[np.int64]]:
    """The n nearest of some vectors: their rows, distances and queries, by distance, then by id."""
    if (np.diff(ids) > 0).all():
        return nearest_to_any(queries, vectors, metric, n)
    order = np.argsort(ids)
    near, distances, rows = nearest_to_any(queries, vectors[order], metric, n)
    return order[near], distances, rows


def _blocks(parts: Sequence[Part]) -> Iterator[tuple[Ids, AnyFloats]]:
    """Yields ids and vectors of what is searched, of small indexes joined."""
    waiting: list[tuple[Ids, AnyFloats]] = []
    for index, among in parts:
        if among is None and index.count >= _BLOCK:
            yield index.ids, index.vectors
            continue
        slots = np.arange(index.count) if among is None else among
        for start in range(0, len(slots), _BLOCK):
            some = slots[start : start + _BLOCK]
            waiting.append((index.ids[some], take_rows(index.vectors, some)))
            if sum(len(ids) for ids, _ in waiting) >= _BLOCK:
                yield _concatenate(waiting)
                waiting = []
    if waiting:
        yield _concatenate(waiting)


def _concatenate(blocks: Sequence[tuple[Ids, AnyFloats]]) -> tuple[Ids, AnyFloats]:
    if len(blocks) == 1:
        return blocks[0]
    return np.concatenate([ids for ids, _ in blocks]), np.concatenate([vectors for _, vectors in blocks])


def _merge(lists: Sequence[Nearest], k: int) -> Nearest:
    """The k nearest of disjoint lists, by distance, then by id."""
    ids, distances, rows = (np.concatenate(parts) for parts in zip(*lists, strict=True))
    order = np.lexsort((ids, distances))[:k]
    return Nearest(ids[order], distances[order], rows[order])
