"""Computes distances in two ways, on all cores: fast with a bound on the error, and exactly pair by pair.

``stylesearch.distance`` and the ranking of an evaluation are built on these.
"""

from __future__ import annotations

import numpy as np

from stylesearch.array_types import AnyFloats, Floats, Ids
from stylesearch.parallel import parallel_rows

__all__ = [
    "FastDistances",
    "exact_pairs",
    "exact_to_any",
    "matrix_product",
    "take_rows",
]

# Numbers of the gallery that are compared with all queries before the next are read: they fit into the cache.
_VALUES_PER_CALL = 240_000
# Numbers per call of a ufunc.
_VALUES_PER_TILE = 60_000
# Above this many multiplications OpenBLAS starts its own threads. They wait for each other in a busy loop,
# which is many times slower than one thread as soon as anything else runs on the machine.
_PRODUCTS_PER_CALL = 2**18
# Cost of an l1 difference, in multiplications.
_COST_OF_L1 = 4
# Multiplications that take as long as fetching a number of a row that is not next to the last one.
_COST_OF_FETCHING = 16


def matrix_product(rows: Floats, transposed: Floats) -> Floats:
    """Computes ``rows @ transposed`` on one core: shapes (n, d) and (d, q) to (n, q), float32.

    It is computed as a stack of products, each too small for BLAS to start its own threads; with many
    queries, where that cannot be done, as an ordinary product.
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


def take_rows(gallery: AnyFloats, rows: Ids, out: AnyFloats | None = None) -> AnyFloats:
    """Copies some rows of a table, on all cores: shape (len(rows), d), of the table's own type."""
    block = np.empty((len(rows), gallery.shape[1]), gallery.dtype) if out is None else out

    def fetch(start: int, stop: int) -> None:
        np.take(gallery, rows[start:stop], axis=0, out=block[start:stop], mode="clip")

    parallel_rows(fetch, len(rows), _COST_OF_FETCHING * gallery.shape[1])
    return block


class FastDistances:
    """Computes fast distances (squared, for l2) from queries to blocks of rows, with a bound on the error."""

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
        """Computes for each pair the size that errors are relative to, shape (q, b)."""
        if self.metric == "cosine":
            return np.ones((len(self._sizes), len(sizes)), np.float32)
        return self._sizes[:, None] + sizes[None, :]

    def fill(self, block: Floats, out: Floats) -> Floats:
        """Writes distances to the b rows of ``block`` into ``out``, (q, b); returns the rows' sizes, (b,)."""
        work = max(1, len(out) * block.shape[1])
        if self.metric != "l1" and _PRODUCTS_PER_CALL // work < 4:
            # Many queries: one large product, for which BLAS uses all cores well by itself.
            sizes = self._measure(block)
            self._finish_products(np.matmul(self.queries, block.T, out=out), sizes)
            return sizes
        sizes = np.empty(len(block), np.float32)
        step = max(1, _VALUES_PER_CALL // max(1, block.shape[1]))
        fill = self._fill_l1 if self.metric == "l1" else self._fill_by_products

        def part(start: int, stop: int) -> None:
            for first in range(start, stop, step):
                rows = slice(first, min(first + step, stop))
                sizes[rows] = self._measure(block[rows])
                fill(block[rows], sizes[rows], out[:, rows])

        cost = _COST_OF_L1 if self.metric == "l1" else 1
        parallel_rows(part, len(block), cost * block.shape[1] * len(out))
        return sizes

    def _measure(self, vectors: Floats) -> Floats:
        """Computes squared norms, or for l1 a bound of the sum of magnitudes; shape (rows,)."""
        sizes: Floats = np.vecdot(vectors, vectors)
        if not np.isfinite(sizes).all():
            raise ValueError("vectors have to be finite, and their squared norms too")
        return np.sqrt(sizes * np.float32(vectors.shape[1])) if self.metric == "l1" else sizes

    def _fill_by_products(self, rows: Floats, sizes: Floats, out: Floats) -> None:
        out[:] = matrix_product(rows, self._transposed).T
        self._finish_products(out, sizes)

    def _finish_products(self, out: Floats, sizes: Floats) -> None:
        """Turns dot products into distances."""
        if self.metric == "l2":
            out *= -2
            out += self._sizes[:, None]
            out += sizes
        else:
            out *= -_reciprocal_root(self._sizes)[:, None]
            out *= _reciprocal_root(sizes)
            out += 1

    def _fill_l1(self, rows: Floats, sizes: Floats, out: Floats) -> None:
        """Computes |x - y| as 2 max(x, y) - x - y: one pass and one sum, where abs(x - y) takes two passes.

        The sums are dot products with ones, which are several times faster than ``sum(axis=1)``. A query is
        laid out once for a tile of rows: then ``maximum`` runs through the whole tile in one go instead of
        beginning anew with each row.
        """
        height = max(1, min(len(rows), _VALUES_PER_TILE // max(1, rows.shape[1])))
        tiled = np.empty((height, rows.shape[1]), np.float32)
        larger = np.empty_like(tiled)
        for query, row in zip(self.queries, out, strict=True):
            tiled[:] = query
            for first in range(0, len(rows), height):
                tile = rows[first : first + height]
                n = len(tile)
                np.maximum(tile, tiled[:n], out=larger[:n])
                np.vecdot(larger[:n], self._ones, out=row[first : first + n])
        out *= 2
        out -= self._sums[:, None]
        out -= np.vecdot(rows, self._ones)


def exact_to_any(fast: FastDistances, gallery: AnyFloats, rows: Ids, max_bytes: int) -> tuple[Floats, Ids]:
    """Computes exact distances of some rows to the nearest of several queries.

    Args:
        fast: the fast distances of q queries.
        gallery: shape (n, d); may be memory-mapped.
        rows: rows of the gallery, shape (m,).
        max_bytes: working memory, roughly.

    Returns:
        The smallest distance of each row, float32 (m,), and the query that it is from, int64 (m,), the first
        of equals. Each depends only on its own row.
    """
    queries, metric = fast.queries, fast.metric
    if len(queries) == 1:
        nearest_query = np.zeros(len(rows), np.int64)
        return exact_pairs(queries, nearest_query, gallery, rows, metric, max_bytes), nearest_query
    exact = np.full((len(queries), len(rows)), np.inf, dtype=np.float32)
    chunk = max(1, max_bytes // (8 * (queries.shape[1] + len(queries))))
    for first in range(0, len(rows), chunk):
        block = np.asarray(gallery[rows[first : first + chunk]], dtype=np.float32)
        middle = np.empty((len(queries), len(block)), np.float32)
        slack = fast.scale(fast.fill(block, middle)) * np.float32(fast.tolerance)
        # Only where the fast distances do not decide which query is nearest.
        which, columns = np.nonzero(middle - slack <= (middle + slack).min(axis=0))
        exact[which, first + columns] = exact_pairs(queries, which, block, columns, metric, max_bytes)
    nearest_query = exact.argmin(axis=0)
    return exact[nearest_query, np.arange(len(rows))], nearest_query.astype(np.int64)


def exact_pairs(
    left: Floats, left_rows: Ids, right: AnyFloats, right_rows: Ids, metric: str, max_bytes: int
) -> Floats:
    """Computes distances of pairs of rows from their differences; each depends only on its own pair.

    Args:
        left: shape (q, d).
        left_rows: row of ``left`` of each pair, shape (m,).
        right: shape (n, d); may be memory-mapped.
        right_rows: row of ``right`` of each pair, shape (m,).
        metric: ``l1``, ``l2`` or ``cosine``.
        max_bytes: working memory, roughly.

    Returns:
        float32, shape (m,).
    """
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
