"""Distances between two sets of vectors, and the nearest of one set to the other; smaller is always nearer.

| metric | distance of x and y | remarks |
|---|---|---|
| l1 | sum of abs(x - y) | the choice of the study of 2018 for raw features |
| l2 | square root of the sum of (x - y) ** 2 | Euclidean |
| cosine | 1 - cos(x, y), from 0 to 2 | 1 to everything, also to itself, where a vector is all zeros |

Both sets are read in blocks, so a memory-mapped gallery of any size will do. The bulk is computed in a
fast way that rounds coarsely where two vectors are nearly alike; distances that decide an order, or are
small, are then computed again from the differences themselves. This is done pair by pair, so the result of
``nearest`` depends neither on the block size nor on the rest of the gallery.

Values are computed in float32 and have to be finite, as do their squared norms.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from stylesearch.array_types import AnyFloats, Floats, Ids
from stylesearch.distance_kernels import FastDistances, exact_pairs, exact_to_any, take_rows

__all__ = [
    "METRICS",
    "check_metric",
    "distances",
    "nearest",
    "nearest_to_any",
]

METRICS = ("l1", "l2", "cosine")
DEFAULT_MAX_BYTES = 64 * 2**20

# A distance below this share of the vectors' size is computed again from the differences.
_EXACT_BELOW = 0.02


def check_metric(metric: str) -> str:
    """Returns ``metric`` if it is a known metric.

    Raises:
        ValueError: otherwise.
    """
    if metric not in METRICS:
        raise ValueError(f"a metric is one of {', '.join(METRICS)}. Received: {metric!r}")
    return metric


def distances(
    queries: AnyFloats, gallery: AnyFloats, metric: str, *, max_bytes: int = DEFAULT_MAX_BYTES
) -> Floats:
    """Computes all distances between two sets of vectors.

    Args:
        queries: shape (q, d).
        gallery: shape (n, d); may be memory-mapped.
        metric: one of ``METRICS``.
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
    queries, gallery = _check_vectors(queries, gallery, metric)
    n_queries, n_rows = len(queries), len(gallery)
    result = np.empty((n_queries, n_rows), dtype=np.float32)
    fast = FastDistances(queries, metric)
    for start, stop in _blocks(n_rows, n_queries, queries.shape[1], max_bytes):
        block = np.asarray(gallery[start:stop], dtype=np.float32)
        part = result[:, start:stop]
        sizes = fast.fill(block, part)
        small = part < _EXACT_BELOW * fast.scale(sizes)
        np.maximum(part, 0, out=part)
        if metric == "l2":
            np.sqrt(part, out=part)
        rows, columns = np.nonzero(small)
        part[rows, columns] = exact_pairs(queries, rows, block, columns, metric, max_bytes)
    return result


def nearest(
    queries: AnyFloats, gallery: AnyFloats, metric: str, k: int, *, max_bytes: int = DEFAULT_MAX_BYTES
) -> tuple[Ids, Floats]:
    """Finds the k nearest vectors of the gallery for each query, exactly.

    Args:
        queries: shape (q, d).
        gallery: shape (n, d); may be memory-mapped.
        metric: one of ``METRICS``.
        k: number of vectors; at most n are returned.
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
    queries, gallery = _check_vectors(queries, gallery, metric)
    n_queries, k = len(queries), _check_k(k, len(gallery))
    slots = np.empty((n_queries, k), dtype=np.int64)
    values = np.empty((n_queries, k), dtype=np.float32)
    for first in range(0, n_queries, 256):
        part = queries[first : first + 256]
        fast = FastDistances(part, metric)
        shortlists = [_Shortlist(k) for _ in part]
        for start, lower, upper in _bounds(fast, gallery, max_bytes):
            for shortlist, row_lower, row_upper in zip(shortlists, lower, upper, strict=True):
                shortlist.offer(start, row_lower, row_upper)
        for row, shortlist in enumerate(shortlists):
            found = shortlist.rows()
            own = np.full(len(found), row)
            exact = exact_pairs(part, own, gallery, found, metric, max_bytes)
            order = np.lexsort((found, exact))[:k]
            slots[first + row], values[first + row] = found[order], exact[order]
    return slots, values


def nearest_to_any(
    queries: AnyFloats,
    gallery: AnyFloats,
    metric: str,
    k: int,
    *,
    rows: Ids | None = None,
    max_bytes: int = DEFAULT_MAX_BYTES,
) -> tuple[Ids, Floats, Ids]:
    """Finds the k vectors of the gallery that are nearest to any of the queries, exactly.

    With several regions of one photo as queries, the distance of an image is that to the nearest region.

    Args:
        queries: shape (q, d).
        gallery: shape (n, d); may be memory-mapped.
        metric: one of ``METRICS``.
        k: number of vectors; at most n are returned, and none where there are no queries.
        rows: the rows of the gallery that are searched, int64, rising; all if not given.
        max_bytes: working memory besides the arguments and the result, roughly.

    Returns:
        Row numbers of the gallery, int64; their smallest distances over the queries, float32; and which query
        that was, int64 (the first of equals). All of shape (min(k, n),), with n the number of rows that are
        searched, sorted by distance, then by row.

    Raises:
        ValueError: k below 1, an unknown metric, vectors of different widths, or values that are not finite.
    """
    queries, gallery = _check_vectors(queries, gallery, metric)
    n_rows = len(gallery) if rows is None else len(rows)
    if not len(queries) or (rows is not None and not n_rows):
        return np.empty(0, np.int64), np.empty(0, np.float32), np.empty(0, np.int64)
    k = _check_k(k, n_rows)
    fast = FastDistances(queries, metric)
    shortlist = _Shortlist(k)
    for start, lower, upper in _bounds(fast, gallery, max_bytes, rows):
        shortlist.offer(start, lower.min(axis=0), upper.min(axis=0))
    found = shortlist.rows() if rows is None else rows[shortlist.rows()]
    smallest, row = exact_to_any(fast, gallery, found, max_bytes)
    order = np.lexsort((found, smallest))[:k]
    return found[order], smallest[order], row[order]


class _Shortlist:
    """Keeps the rows that can still be among the k nearest, given bounds of each distance."""

    def __init__(self, k: int) -> None:
        self._k = k
        self._rows = np.empty(0, np.int64)
        self._lower = np.empty(0, np.float32)
        self._upper = np.empty(0, np.float32)
        self._limit = np.float32(np.inf)

    def offer(self, start: int, lower: Floats, upper: Floats) -> None:
        """Adds those of the rows ``start``, ``start + 1``, ... that can be; bounds have the shape (b,)."""
        hopeful = np.flatnonzero(lower <= self._limit)
        if not len(hopeful):
            return
        slots = np.concatenate([self._rows, hopeful + start])
        lower = np.concatenate([self._lower, lower[hopeful]])
        upper = np.concatenate([self._upper, upper[hopeful]])
        if len(slots) > self._k:
            self._limit = np.partition(upper, self._k - 1)[self._k - 1]
            kept = np.flatnonzero(lower <= self._limit)
            slots, lower, upper = slots[kept], lower[kept], upper[kept]
        self._rows, self._lower, self._upper = slots, lower, upper

    def rows(self) -> Ids:
        """The rows that are left, ascending."""
        return self._rows


def _check_vectors(queries: AnyFloats, gallery: AnyFloats, metric: str) -> tuple[Floats, AnyFloats]:
    check_metric(metric)
    queries, gallery = np.ascontiguousarray(queries, dtype=np.float32), np.asarray(gallery)
    if queries.ndim != 2 or gallery.ndim != 2 or queries.shape[1] != gallery.shape[1]:
        raise ValueError(
            f"queries (q, d) and gallery (n, d) have to be of one width. "
            f"Received: {queries.shape} and {gallery.shape}"
        )
    return queries, gallery


def _check_k(k: int, n_rows: int) -> int:
    if k < 1:
        raise ValueError(f"k has to be 1 or more. Received: {k}")
    return min(k, n_rows)


def _blocks(n_rows: int, n_queries: int, dim: int, max_bytes: int) -> Iterator[tuple[int, int]]:
    """Yields ranges of rows for which bounds, distances and a converted copy fit into ``max_bytes``."""
    step = max(1, min(8192, max_bytes // (4 * (dim + 4 * n_queries + 1))))
    for start in range(0, n_rows, step):
        yield start, min(start + step, n_rows)


def _bounds(
    fast: FastDistances, gallery: AnyFloats, max_bytes: int, rows: Ids | None = None
) -> Iterator[tuple[int, Floats, Floats]]:
    """Yields for each block its first row, and lower and upper bounds of its distances, each (q, b).

    Where only some ``rows`` are read, the first row is a place among these.
    """
    n_queries, dim = fast.queries.shape
    n_rows = len(gallery) if rows is None else len(rows)
    for start, stop in _blocks(n_rows, n_queries, dim, max_bytes):
        some = gallery[start:stop] if rows is None else take_rows(gallery, rows[start:stop])
        block = np.asarray(some, dtype=np.float32)
        middle = np.empty((n_queries, stop - start), np.float32)
        slack = fast.scale(fast.fill(block, middle))
        slack *= fast.tolerance
        upper = middle + slack
        middle -= slack
        yield start, middle, upper
