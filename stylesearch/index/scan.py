"""Candidates by reading every reduced vector: for most shops quicker than walking trees, and it misses less.

Reduced vectors lie in panels of 64, each panel with its coordinates as rows: a product with several queries
then comes out as one row of scores for each query, ready for the smallest to be taken. The last row of a
panel holds the vectors' own squared lengths, so that the product gives squared distances (less a constant of
the query).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stylesearch.cores import share_rows
from stylesearch.index.base import Floats

__all__ = ["PANEL", "n_panels", "scan_min", "scan_panels"]

PANEL = 64
"""Reduced vectors in a panel: few enough for BLAS to stay on one core with up to some hundred queries."""

_PANELS_A_STEP = 64


def n_panels(count: int) -> int:
    """How many panels hold ``count`` vectors."""
    return -(-count // PANEL)


def scan_panels(reduced: Floats) -> Floats:
    """What is stored for scanning: ``reduced`` (n, width) as panels, (n_panels(n), width + 1, 64).

    What the last panel has no vectors for is left zero, and its scores are never looked at.
    """
    count, width = reduced.shape
    padded = np.zeros((n_panels(count) * PANEL, width + 1), np.float32)
    padded[:count, :width] = reduced
    padded[:count, width] = np.vecdot(reduced, reduced)
    return np.ascontiguousarray(padded.reshape(-1, PANEL, width + 1).transpose(0, 2, 1))


def scan_min(panels: Floats, count: int, queries: Floats, offsets: npt.ArrayLike = 0.0) -> Floats:
    """The smallest squared distance of each vector to any of several reduced queries: float32, (count,).

    Args:
        panels: as :func:`scan_panels` makes them.
        count: how many vectors they hold.
        queries: shape (q, width), q >= 1.
        offsets: added to each query's squared distances, (q,).
    """
    # |x - y| ** 2 = |x| ** 2 - 2 x y + |y| ** 2, all but the first as one product.
    prepared = np.column_stack([-2 * queries, np.ones(len(queries), np.float32)])
    constants = np.asarray(np.vecdot(queries, queries) + offsets, dtype=np.float32)[:, None]
    smallest = np.empty((len(panels), PANEL), np.float32)

    def part(start: int, stop: int) -> None:
        for first in range(start, stop, _PANELS_A_STEP):
            step = slice(first, min(first + _PANELS_A_STEP, stop))
            scores = np.matmul(prepared, panels[step])
            scores += constants
            np.min(scores, axis=1, out=smallest[step])

    share_rows(part, len(panels), panels.shape[1] * PANEL * len(queries))
    return smallest.reshape(-1)[:count]
