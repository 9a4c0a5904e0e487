"""Distances between two sets of vectors, and the nearest of one set to the other; smaller is always nearer.

======  ==========================================  =================================================
metric  distance of x and y                         remarks
======  ==========================================  =================================================
l1      sum of abs(x - y)                           the seed's favourite on raw features
l2      square root of the sum of (x - y) ** 2      Euclidean
cosine  1 - cos(x, y), from 0 to 2                  1 to everything where a vector is all zeros, which
                                                    has no direction: also to itself
======  ==========================================  =================================================

Both sets are read in blocks, so a memory-mapped gallery of any size will do. The bulk is computed in a
fast way that rounds coarsely where two vectors are nearly alike; whatever decides an order, or is small, is
then computed again from the differences themselves. That second way looks at one pair at a time, so what
:func:`nearest` returns depends neither on the block size nor on what else is in the gallery.

Values are computed in float32 and have to be finite, as do their squared norms.
"""

from __future__ import annotations

import functools
import itertools
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["METRICS", "check_metric", "distances", "nearest", "nearest_to_any"]

METRICS = ("l1", "l2", "cosine")
DEFAULT_MAX_BYTES = 64 * 2**20

Floats = npt.NDArray[np.float32]
AnyFloats = npt.NDArray[np.floating[Any]]
Slots = npt.NDArray[np.int64]

# A distance below this share of the vectors' own size is computed again from the differences.
_REFINED_BELOW = 0.02
# Numbers of the gallery per call of a ufunc: few enough for the second-level cache.
_VALUES_PER_CALL = 160_000
# OpenBLAS takes its own threads above this many multiplications; they wait for each other in a busy loop,
# which is many times slower than one thread as soon as anything else runs on the machine.
_PRODUCTS_PER_CALL = 2**18
# Multiplications below which a second thread costs more than it brings, and what an l1 difference counts.
_WORTH_A_THREAD = 8_000_000
_COST_OF_L1 = 4
_HELPER = "stylesearch-share"


def check_metric(metric: str) -> str:
    """Returns ``metric`` if it is one.

    Raises:
        ValueError: otherwise.
    """
    if metric not in METRICS:
        raise ValueError(f"a metric is one of {', '.join(METRICS)}. Received: {metric!r}")
    return metric


def distances(
    queries: AnyFloats, gallery: AnyFloats, metric: str, *, max_bytes: int = DEFAULT_MAX_BYTES
) -> Floats:
    """All distances between two sets of vectors.

    Args:
        queries: shape (q, d).
        gallery: shape (n, d); may be memory-mapped.
        metric: one of :data:`METRICS`.
        max_bytes: working memory besides the arguments and the result, roughly.

    Returns:
        float32, shape (q, n), never negative; 0 for equal vectors (but see the module on zeros and cosine).
        The relative error is about 1e-5.

    Raises:
        ValueError: an unknown metric, vectors of different widths, or values that are not finite.

    Example:
        >>> x = np.array([[0.0, 3.0]]); y = np.array([[4.0, 0.0], [0.0, 1.0]])
        >>> [float(distances(x, y, metric)[0, 0]) for metric in METRICS]
        [7.0, 5.0, 1.0]
    """
    queries, gallery = _checked(queries, gallery, metric)
    n_queries, n_rows = len(queries), len(gallery)
    result = np.empty((n_queries, n_rows), dtype=np.float32)
    rough = _Rough(queries, metric)
    for start, stop in _blocks(n_rows, n_queries, queries.shape[1], max_bytes):
        block = np.asarray(gallery[start:stop], dtype=np.float32)
        part = result[:, start:stop]
        sizes = rough.fill(block, part)
        small = part < _REFINED_BELOW * rough.scale(sizes)
        np.maximum(part, 0, out=part)
        if metric == "l2":
            np.sqrt(part, out=part)
        rows, columns = np.nonzero(small)
        part[rows, columns] = _paired(queries, rows, block, columns, metric, max_bytes)
    return result


def nearest(
    queries: AnyFloats, gallery: AnyFloats, metric: str, k: int, *, max_bytes: int = DEFAULT_MAX_BYTES
) -> tuple[Slots, Floats]:
    """The k nearest vectors of the gallery for each query, exactly.

    Args:
        queries: shape (q, d).
        gallery: shape (n, d); may be memory-mapped.
        metric: one of :data:`METRICS`.
        k: how many; at most n are returned.
        max_bytes: working memory besides the arguments and the result, roughly.

    Returns:
        Row numbers of the gallery, int64, and distances, float32, both of shape (q, min(k, n)), sorted by
        distance and, where distances are equal, by row number.

    Raises:
        ValueError: k below 1, an unknown metric, vectors of different widths, or values that are not finite.

    Example:
        >>> gallery = np.array([[5.0], [1.0], [2.0], [1.0]])
        >>> nearest(np.array([[0.0]]), gallery, "l1", 3)[0]
        array([[1, 3, 2]])
    """
    queries, gallery = _checked(queries, gallery, metric)
    n_queries, k = len(queries), _clipped(k, len(gallery))
    slots = np.empty((n_queries, k), dtype=np.int64)
    values = np.empty((n_queries, k), dtype=np.float32)
    for first in range(0, n_queries, 256):
        part = queries[first : first + 256]
        rough = _Rough(part, metric)
        shortlists = [_Shortlist(k) for _ in part]
        for start, lower, upper in _bounds(rough, gallery, max_bytes):
            for shortlist, row_lower, row_upper in zip(shortlists, lower, upper, strict=True):
                shortlist.offer(start, row_lower, row_upper)
        for row, shortlist in enumerate(shortlists):
            found = shortlist.slots()
            own = np.full(len(found), row)
            exact = _paired(part, own, gallery, found, metric, max_bytes)
            order = np.lexsort((found, exact))[:k]
            slots[first + row], values[first + row] = found[order], exact[order]
    return slots, values


def nearest_to_any(
    queries: AnyFloats, gallery: AnyFloats, metric: str, k: int, *, max_bytes: int = DEFAULT_MAX_BYTES
) -> tuple[Slots, Floats, Slots]:
    """The k vectors of the gallery that are nearest to any of the queries, exactly.

    This is what several regions of one photo ask for: a picture is as far as from its nearest region.

    Args:
        queries: shape (q, d).
        gallery: shape (n, d); may be memory-mapped.
        metric: one of :data:`METRICS`.
        k: how many; at most n are returned, and none where there are no queries.
        max_bytes: working memory besides the arguments and the result, roughly.

    Returns:
        Row numbers of the gallery, int64; their smallest distances over the queries, float32; and which query
        that was, int64 (the first of equals). All of shape (min(k, n),), sorted by distance, then by row.

    Raises:
        ValueError: k below 1, an unknown metric, vectors of different widths, or values that are not finite.
    """
    queries, gallery = _checked(queries, gallery, metric)
    if not len(queries):
        return np.empty(0, np.int64), np.empty(0, np.float32), np.empty(0, np.int64)
    k = _clipped(k, len(gallery))
    rough = _Rough(queries, metric)
    shortlist = _Shortlist(k)
    for start, lower, upper in _bounds(rough, gallery, max_bytes):
        shortlist.offer(start, lower.min(axis=0), upper.min(axis=0))
    found = shortlist.slots()
    exact = np.full((len(queries), len(found)), np.inf, dtype=np.float32)
    chunk = max(1, max_bytes // (8 * (queries.shape[1] + len(queries))))
    for first in range(0, len(found), chunk):
        block = np.asarray(gallery[found[first : first + chunk]], dtype=np.float32)
        for _, lower, upper in _bounds(rough, block, max_bytes, whole=True):
            rows, columns = np.nonzero(lower <= upper.min(axis=0))
            exact[rows, first + columns] = _paired(queries, rows, block, columns, metric, max_bytes)
    row = exact.argmin(axis=0)
    smallest = exact[row, np.arange(len(found))]
    order = np.lexsort((found, smallest))[:k]
    return found[order], smallest[order], row[order].astype(np.int64)


class _Rough:
    """Fast distances (squared, for l2) from a few queries to blocks of rows, with a bound on their error."""

    def __init__(self, queries: Floats, metric: str) -> None:
        self.queries = queries
        self.metric = metric
        self._sizes = self._measure(queries)
        self._ones = np.ones(queries.shape[1], np.float32)
        self._sums = np.vecdot(queries, self._ones)
        self._transposed = np.ascontiguousarray(queries.T)
        # Rounding of a sum of d products: far above what BLAS shows, below the worst that could be built.
        self.tolerance = max(2e-6, queries.shape[1] * 2.0**-27)

    def scale(self, sizes: Floats) -> Floats:
        """For each pair the size that errors are relative to, shape (q, b)."""
        if self.metric == "cosine":
            return np.ones((len(self._sizes), len(sizes)), np.float32)
        return self._sizes[:, None] + sizes[None, :]

    def fill(self, block: Floats, out: Floats) -> Floats:
        """Writes distances to the b rows of ``block`` into ``out``, (q, b); returns the rows' sizes, (b,)."""
        sizes = np.empty(len(block), np.float32)
        step = max(1, _VALUES_PER_CALL // max(1, block.shape[1]))
        fill = self._fill_l1 if self.metric == "l1" else self._fill_by_products

        def part(start: int, stop: int) -> None:
            for first in range(start, stop, step):
                rows = slice(first, min(first + step, stop))
                sizes[rows] = self._measure(block[rows])
                fill(block[rows], sizes[rows], out[:, rows])

        cost = _COST_OF_L1 if self.metric == "l1" else 1
        share_rows(part, len(block), cost * block.shape[1] * len(out))
        return sizes

    def _measure(self, vectors: Floats) -> Floats:
        """The squared norm, or for l1 a bound of the sum of magnitudes; shape (rows,)."""
        sizes: Floats = np.vecdot(vectors, vectors)
        if not np.isfinite(sizes).all():
            raise ValueError("vectors have to be finite, and their squared norms too")
        return np.sqrt(sizes * np.float32(vectors.shape[1])) if self.metric == "l1" else sizes

    def _fill_by_products(self, rows: Floats, sizes: Floats, out: Floats) -> None:
        out[:] = products(rows, self._transposed).T
        if self.metric == "l2":
            out *= -2
            out += self._sizes[:, None]
            out += sizes
        else:
            out *= -_reciprocal_root(self._sizes)[:, None]
            out *= _reciprocal_root(sizes)
            out += 1

    def _fill_l1(self, rows: Floats, sizes: Floats, out: Floats) -> None:
        """|x - y| = 2 max(x, y) - x - y: one pass and one sum, where abs(x - y) takes two passes.

        The sums are dot products with ones, which are several times faster than ``sum(axis=1)``.
        """
        larger = np.empty_like(rows)
        for query, row in zip(self.queries, out, strict=True):
            np.maximum(rows, query, out=larger)
            np.vecdot(larger, self._ones, out=row)
        out *= 2
        out -= self._sums[:, None]
        out -= np.vecdot(rows, self._ones)


class _Shortlist:
    """Whatever can still be among the k nearest, given a lower and an upper bound for each distance."""

    def __init__(self, k: int) -> None:
        self._k = k
        self._slots = np.empty(0, np.int64)
        self._lower = np.empty(0, np.float32)
        self._upper = np.empty(0, np.float32)
        self._limit = np.float32(np.inf)

    def offer(self, start: int, lower: Floats, upper: Floats) -> None:
        """Looks at rows ``start``, ``start + 1``, ... with bounds of shape (b,)."""
        hopeful = np.flatnonzero(lower <= self._limit)
        if not len(hopeful):
            return
        slots = np.concatenate([self._slots, hopeful + start])
        lower = np.concatenate([self._lower, lower[hopeful]])
        upper = np.concatenate([self._upper, upper[hopeful]])
        if len(slots) > self._k:
            self._limit = np.partition(upper, self._k - 1)[self._k - 1]
            kept = np.flatnonzero(lower <= self._limit)
            slots, lower, upper = slots[kept], lower[kept], upper[kept]
        self._slots, self._lower, self._upper = slots, lower, upper

    def slots(self) -> Slots:
        """The rows that are left, ascending."""
        return self._slots


def usable_cores() -> int:
    """How many cores this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def share_rows(work: Callable[[int, int], None], n_rows: int, cost_of_a_row: int) -> None:
    """Runs ``work(start, stop)`` over all rows: in as many threads as there are cores, where that pays.

    Args:
        work: something that spends its time in NumPy, which lets go of the interpreter lock.
        n_rows: how many rows there are.
        cost_of_a_row: in multiplications, roughly.
    """
    n_threads = min(usable_cores(), n_rows, 1 + n_rows * cost_of_a_row // _WORTH_A_THREAD)
    nested = threading.current_thread().name.startswith(_HELPER)  # helpers do not wait for each other
    if n_threads < 2 or nested:
        work(0, n_rows)
        return
    edges = [n_rows * i // n_threads for i in range(n_threads + 1)]
    others = [_helpers().submit(work, *part) for part in itertools.pairwise(edges[1:])]
    try:
        work(edges[0], edges[1])
    finally:
        wait(others)  # whatever happens: nothing writes on after the return
    for other in others:
        other.result()


@functools.cache
def _helpers() -> ThreadPoolExecutor:
    """Threads that wait for parts: starting them anew for each search would take as long as a small one."""
    return ThreadPoolExecutor(max(1, usable_cores() - 1), thread_name_prefix=_HELPER)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_helpers.cache_clear)  # threads do not come along


def products(rows: Floats, transposed: Floats) -> Floats:
    """``rows @ transposed`` on one core: shapes (n, d) and (d, q) make (n, q), float32.

    A stack of products, each too small for BLAS to start its own threads; with many queries, where
    that is not to be had, an ordinary product.
    """
    n_rows, dim = rows.shape
    height = _PRODUCTS_PER_CALL // max(1, dim * transposed.shape[1])
    if height < 4 or n_rows <= height:
        return rows @ transposed
    whole = n_rows - n_rows % height
    result = np.empty((n_rows, transposed.shape[1]), np.float32)
    stacked = result[:whole].reshape(-1, height, transposed.shape[1])
    np.matmul(rows[:whole].reshape(-1, height, dim), transposed, out=stacked)
    np.matmul(rows[whole:], transposed, out=result[whole:])
    return result


def _checked(queries: AnyFloats, gallery: AnyFloats, metric: str) -> tuple[Floats, AnyFloats]:
    check_metric(metric)
    queries, gallery = np.ascontiguousarray(queries, dtype=np.float32), np.asarray(gallery)
    if queries.ndim != 2 or gallery.ndim != 2 or queries.shape[1] != gallery.shape[1]:
        raise ValueError(
            f"queries (q, d) and gallery (n, d) have to be of one width. "
            f"Received: {queries.shape} and {gallery.shape}"
        )
    return queries, gallery


def _clipped(k: int, n_rows: int) -> int:
    if k < 1:
        raise ValueError(f"k has to be 1 or more. Received: {k}")
    return min(k, n_rows)


def _blocks(n_rows: int, n_queries: int, dim: int, max_bytes: int) -> Iterator[tuple[int, int]]:
    """Ranges of rows that keep bounds, distances and a converted copy within ``max_bytes``."""
    step = max(1, min(8192, max_bytes // (4 * (dim + 4 * n_queries + 1))))
    for start in range(0, n_rows, step):
        yield start, min(start + step, n_rows)


def _bounds(
    rough: _Rough, gallery: AnyFloats, max_bytes: int, *, whole: bool = False
) -> Iterator[tuple[int, Floats, Floats]]:
    """For each block its first row, and lower and upper bounds of its distances, each (q, b)."""
    n_queries, dim = rough.queries.shape
    ranges = [(0, len(gallery))] if whole else _blocks(len(gallery), n_queries, dim, max_bytes)
    for start, stop in ranges:
        block = np.asarray(gallery[start:stop], dtype=np.float32)
        middle = np.empty((n_queries, stop - start), np.float32)
        slack = rough.scale(rough.fill(block, middle))
        slack *= rough.tolerance
        upper = middle + slack
        middle -= slack
        yield start, middle, upper


def _paired(
    left: Floats, left_rows: Slots, right: AnyFloats, right_rows: Slots, metric: str, max_bytes: int
) -> Floats:
    """Distances of pairs of rows, from their differences; each depends on its own pair only."""
    result = np.empty(len(left_rows), np.float32)
    step = max(1, max_bytes // (16 * left.shape[1] + 1))
    for start in range(0, len(result), step):
        x = left[left_rows[start : start + step]]
        y = np.asarray(right[right_rows[start : start + step]], dtype=np.float32)
        if metric == "cosine":
            x_norm, y_norm = (np.sqrt((vectors * vectors).sum(axis=1, keepdims=True)) for vectors in (x, y))
            x = np.divide(x, x_norm, out=np.zeros_like(x), where=x_norm > 0)
            y = np.divide(y, y_norm, out=np.zeros_like(y), where=y_norm > 0)
        difference = x - y
        part = result[start : start + step]
        if metric == "l1":
            np.abs(difference, out=difference).sum(axis=1, out=part)
            continue
        np.multiply(difference, difference, out=difference).sum(axis=1, out=part)
        if metric == "l2":
            np.sqrt(part, out=part)
        else:  # |x - y| ** 2 = 2 (1 - cos) for vectors of length one
            part /= 2
            np.minimum(part, 2, out=part)
            part[((x_norm == 0) | (y_norm == 0))[:, 0]] = 1
    return result


def _reciprocal_root(sizes: Floats) -> Floats:
    """1 / sqrt(sizes), and 0 for a size of 0, so that the product with a zero vector has cosine 0."""
    roots = np.sqrt(sizes)
    return np.divide(1, roots, out=np.zeros_like(roots), where=roots > 0)
