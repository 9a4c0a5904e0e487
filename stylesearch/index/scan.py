"""Candidates by reading every reduced vector: for most shops quicker than walking trees, and it misses less.

A stored row is the reduced vector and its own squared length, so that one product with a prepared query gives
squared distances (less a constant of the query).
"""

from __future__ import annotations

import numpy as np

from stylesearch.index.base import Floats
from stylesearch.metrics import products, share_rows

__all__ = ["scan", "scan_min", "scan_rows"]

# Rows whose scores for all queries stay in the second-level cache until they are looked at.
_ROWS_PER_STEP = 4096


def scan_rows(reduced: Floats) -> Floats:
    """What is stored for scanning: ``reduced`` (n, width) with its squared lengths, (n, width + 1)."""
    return np.column_stack([reduced, np.vecdot(reduced, reduced)])


def scan(rows: Floats, query: Floats) -> Floats:
    """Squared distances of one reduced query (width,) to all rows, less a constant: float32, (n,)."""
    prepared = _prepared(query[None, :])[0]
    scores = np.empty(len(rows), np.float32)

    def part(start: int, stop: int) -> None:
        np.vecdot(rows[start:stop], prepared, out=scores[start:stop])

    share_rows(part, len(rows), rows.shape[1])
    return scores


def scan_min(rows: Floats, queries: Floats, offsets: Floats) -> Floats:
    """The smallest squared distance of each row to any of several reduced queries: float32, (n,).

    Args:
        rows: as :func:`scan_rows` makes them, (n, width + 1).
        queries: shape (q, width).
        offsets: added to each query's squared distances, (q,).
    """
    transposed = np.ascontiguousarray(_prepared(queries).T)
    constants = (np.vecdot(queries, queries) + offsets)[:, None]
    smallest = np.empty(len(rows), np.float32)

    def part(start: int, stop: int) -> None:
        for first in range(start, stop, _ROWS_PER_STEP):
            last = min(first + _ROWS_PER_STEP, stop)
            scores = np.ascontiguousarray(products(rows[first:last], transposed).T)
            scores += constants
            np.min(scores, axis=0, out=smallest[first:last])

    share_rows(part, len(rows), rows.shape[1] * len(queries))
    return smallest


def _prepared(queries: Floats) -> Floats:
    """|x - y| ** 2 - |y| ** 2 = |x| ** 2 - 2 x y, as one product."""
    return np.column_stack([-2 * queries, np.ones(len(queries), np.float32)])
