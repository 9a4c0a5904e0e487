"""How a table of vectors is searched: by its index or by a scan, and how wide the index looks."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import sqlalchemy as sa

from stylesearch.array_types import Floats, Ids
from stylesearch.distance import nearest_to_any
from stylesearch.search.pgvector.table import MOST_IN_SIGHT

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection, Select

    from stylesearch.search.gallery_vectors import GalleryVectors
    from stylesearch.search.pgvector.table import VectorTable

__all__ = ["RECALL", "Calibration", "Calibrator", "n_compared", "width_for"]

RECALL: Final = 0.99
"""Share of the 20 nearest that the index has to find; else the table is scanned."""

N_NEAREST: Final = 20
N_QUERIES: Final = 40
WIDTHS: Final = (40, 80, 160, 320, 640)
"""What ``ef_search`` may be."""

# Microseconds: to visit one row of the index, for each query vector; in a scan to read a row of a thousand
# numbers, and to compare it with one query vector.
_VISIT = 28.0
_READ = 0.35
_COMPARE = 0.1


@dataclass(frozen=True, slots=True)
class Calibration:
    """The result of a calibration.

    Attributes:
        ef_search: how many candidates the index keeps in sight; 0 if the table is to be scanned.
        recall: share of the 20 nearest that are found so.
    """

    ef_search: int
    recall: float


@dataclass(frozen=True, slots=True)
class _Sample:
    """A query like those of customers, with its true neighbours.

    Attributes:
        vector: float32, shape (1, dim).
        category: the category that is searched; None for all.
        share: of the rows that are of that category.
        nearest: ids of the true neighbours.
    """

    vector: Floats
    category: str | None
    share: float
    nearest: Ids


def width_for(n_rows: int, n_matching: int, n: int, n_vectors: int, ef_search: int, dim: int) -> int:
    """The ``ef_search`` with which the index finds the ``n`` nearest; 0 if it would, or a scan is quicker.

    Where a category or a filter lets one row of three pass, three times as many are looked at.

    Args:
        n_rows: rows of the table.
        n_matching: rows of the category, or those that a filter lets pass.
        n: how many are wanted for each vector.
        n_vectors: vectors of the query.
        ef_search: of the index, without a filter; 0 if there is none.
        dim: width of the vectors.

    Example:
        >>> width_for(100_000, 100_000, 80, 1, 40, 620), width_for(100_000, 5_000, 80, 1, 40, 620)
        (80, 0)
    """
    if not ef_search or not n_matching:
        return 0
    visited = max(ef_search, n) * n_rows / n_matching
    scanned = n_matching * (_READ + _COMPARE * n_vectors * dim / 1000)
    quicker = visited <= MOST_IN_SIGHT and visited * n_vectors * _VISIT < scanned
    return math.ceil(visited) if quicker else 0


def n_compared(n: int) -> int:
    """How many candidates are compared exactly, so that 16 bits lose none of the ``n`` nearest."""
    return n + max(8, n // 4)


class Calibrator:
    """Tries an index out with queries whose neighbours are known from exact search.

    Half of the queries are vectors of the gallery. Half lie a third of the way to another one of their
    category, since photos are farther from everything than images of the shop are from each other. Each asks
    for all categories, and for its own one if the index would be asked for that.

    Args:
        connection: a transaction in which the table is filled and has an index.
        table: the table.
        vectors: vectors of the gallery.
        scale: of the table.
        name: name of the table, if that is another one for now.
    """

    def __init__(
        self,
        connection: Connection,
        table: VectorTable,
        vectors: GalleryVectors,
        scale: float,
        *,
        name: str = "",
    ) -> None:
        self._connection = connection
        self._table = table
        self._vectors = vectors
        self._scale = scale
        self._rows = table.rows_in(name or table.name)
        self._samples = list(self._draw())

    def calibrate(self) -> Calibration:
        """Finds the smallest ``ef_search`` that finds ``RECALL`` of the nearest; a scan if none does."""
        for ef_search in WIDTHS if self._samples else ():
            recall = self.recall(ef_search)
            if recall >= RECALL:
                return Calibration(ef_search, recall)
        return Calibration(0, 1.0)

    def recall(self, ef_search: int) -> float:
        """The share of the 20 nearest that the index finds; 1 where nothing would be asked of it."""
        shares = []
        n = n_compared(N_NEAREST)
        with self._connection.begin_nested() as settings:
            for sample in self._samples:
                self._table.use_index(self._connection, math.ceil(ef_search / sample.share))
                statement = self._table.by_index(1, n, n, self._where(sample.category), self._rows)
                found = self._ids(statement, sample.vector)
                shares.append(float(np.isin(sample.nearest, found).mean()))
            settings.rollback()  # nothing was written but settings
        return float(np.mean(shares)) if shares else 1.0

    def _draw(self) -> Iterator[_Sample]:
        counted = sa.select(self._rows.c.category, sa.func.count()).group_by(self._rows.c.category)
        sizes: dict[str, int] = dict(self._connection.execute(counted).all())
        drawn = (
            sa.select(self._rows.c.category, self._rows.c.id)
            .order_by(sa.func.hashint8(self._rows.c.id))
            .limit(N_QUERIES)
        )
        by_category: dict[str, list[int]] = {}
        for category, feature_id in self._connection.execute(drawn):
            by_category.setdefault(category, []).append(feature_id)
        for category, ids in by_category.items():
            _, found = self._vectors.of(np.array(ids, np.int64), category)
            moved = (2 * found + np.roll(found, 1, axis=0)) / 3
            share = sizes[category] / sum(sizes.values())
            for number in range(len(found)):
                asked = (moved if number % 2 else found)[number : number + 1].astype(np.float32)
                if self._vectors.transform.scales is None:
                    yield _Sample(asked, None, 1.0, self._nearest(asked, None))
                if WIDTHS[0] / share <= MOST_IN_SIGHT:
                    yield _Sample(asked, category, share, self._nearest(asked, category))

    def _nearest(self, asked: Floats, category: str | None) -> Ids:
        """The true neighbours: a scan of the table with some to spare, of which exact distances decide."""
        statement = self._table.by_scan(1, n_compared(N_NEAREST), self._where(category), self._rows)
        ids, found = self._vectors.of(self._ids(statement, asked), category)
        slots, _, _ = nearest_to_any(asked, found, self._table.metric, N_NEAREST)
        return ids[slots]

    def _where(self, category: str | None) -> list[ColumnElement[bool]]:
        return [] if category is None else [self._rows.c.category == category]

    def _ids(self, statement: Select[Any], asked: Floats) -> Ids:
        found = self._connection.execute(
            statement, self._table.parameters(self._connection, asked, self._scale)
        )
        return np.array([row[0] for row in found], np.int64)
