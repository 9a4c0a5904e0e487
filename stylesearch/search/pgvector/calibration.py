"""How a table of vectors is searched: by its index or by a scan, and how wide the index looks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import sqlalchemy as sa

from stylesearch.array_types import Floats, Ids
from stylesearch.distance import nearest_to_any

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection

    from stylesearch.search.gallery_vectors import GalleryVectors
    from stylesearch.search.pgvector.table import VectorTable

__all__ = ["RECALL", "Calibration", "calibrate", "index_is_quicker", "measure_recall", "n_compared"]

RECALL: Final = 0.99
"""Share of the 20 nearest that the index has to find; else the table is scanned."""

N_NEAREST: Final = 20
N_QUERIES: Final = 40
WIDTHS: Final = (40, 80, 160, 320, 640, 1000)
"""What ``ef_search`` may be; 1,000 is the most that pgvector allows."""

# Microseconds: to visit one row of the index, for each query vector; in a scan to read a row of a thousand
# numbers, and to compare it with one query vector.
_VISIT = 28.0
_READ = 0.35
_COMPARE = 0.1

MOST_VISITED: Final = 15_000
"""Rows of the index that a search may look at; pgvector ends at 20,000 and may have found too few."""


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
    """A query like those of customers, with its true neighbours among all rows, or those of a category."""

    vector: Floats
    category: str | None
    nearest: Ids


def index_is_quicker(n_rows: int, n_matching: int, n: int, n_vectors: int, ef_search: int, dim: int) -> bool:
    """Whether the index finds the ``n`` nearest in less time than a scan of the rows that match.

    Args:
        n_rows: rows of the table.
        n_matching: rows of the category, or those that a filter lets pass.
        n: how many are wanted for each vector.
        n_vectors: vectors of the query.
        ef_search: of the index; 0 if there is none.
        dim: width of the vectors.
    """
    if not ef_search or n >= n_matching / 4:
        return False
    visited = max(ef_search, n) * n_rows / n_matching
    scanned = n_matching * (_READ + _COMPARE * n_vectors * dim / 1000)
    return visited < MOST_VISITED and visited * n_vectors * _VISIT < scanned


def n_compared(n: int) -> int:
    """How many candidates are compared exactly, so that 16 bits lose none of the ``n`` nearest."""
    return n + max(8, n // 4)


def calibrate(
    connection: Connection, table: VectorTable, vectors: GalleryVectors, scale: float, *, name: str
) -> Calibration:
    """Finds the smallest ``ef_search`` that finds ``RECALL`` of the nearest, by exact search.

    Half of the queries are vectors of the gallery, half lie midway between two of a category, since photos
    are farther from everything than images of the shop are from each other.

    Args:
        connection: a transaction in which the table is filled and has an index.
        table: the table.
        vectors: vectors of the gallery.
        scale: of the table.
        name: name of the table for now.
    """
    samples = _draw(connection, table, vectors, scale, name)
    for ef_search in WIDTHS:
        recall = _recall(connection, table, samples, scale, ef_search, name)
        if recall >= RECALL:
            return Calibration(ef_search, recall)
    return Calibration(0, 1.0)


def measure_recall(
    connection: Connection, table: VectorTable, vectors: GalleryVectors, scale: float, ef_search: int
) -> float:
    """The share of the 20 nearest that a table's index finds now."""
    samples = _draw(connection, table, vectors, scale, table.name)
    return _recall(connection, table, samples, scale, ef_search, table.name)


def _draw(
    connection: Connection, table: VectorTable, vectors: GalleryVectors, scale: float, name: str
) -> list[_Sample]:
    rows = table.rows_in(name)
    drawn = connection.execute(
        sa.select(rows.c.category, rows.c.id).order_by(sa.func.hashint8(rows.c.id)).limit(N_QUERIES)
    ).all()
    by_category: dict[str, list[int]] = {}
    for category, feature_id in drawn:
        by_category.setdefault(category, []).append(feature_id)
    samples = []
    for category, ids in by_category.items():
        _, found = vectors.of(np.array(ids, np.int64), category)
        midway = (found + np.roll(found, 1, axis=0)) / 2
        for vector in np.where(np.arange(len(found))[:, None] % 2, midway, found):
            asked = vector[None].astype(np.float32)
            scopes = [category] if vectors.transform.scales is not None else [category, None]
            for scope in scopes:
                where = [] if scope is None else [rows.c.category == scope]
                nearest = _truth(connection, table, vectors, asked, scale, where, scope, name)
                samples.append(_Sample(asked, scope, nearest))
    return samples


def _truth(
    connection: Connection,
    table: VectorTable,
    vectors: GalleryVectors,
    asked: Floats,
    scale: float,
    where: Sequence[ColumnElement[bool]],
    category: str | None,
    name: str,
) -> Ids:
    statement = table.by_scan(len(asked), n_compared(N_NEAREST), where, name=name)
    ids = _ids(connection.execute(statement, table.parameters(asked, scale)).all())
    ids, found = vectors.of(ids, category)
    slots, _, _ = nearest_to_any(asked, found, table.metric, N_NEAREST)
    return ids[slots]


def _recall(
    connection: Connection,
    table: VectorTable,
    samples: Sequence[_Sample],
    scale: float,
    ef_search: int,
    name: str,
) -> float:
    rows = table.rows_in(name)
    shares = []
    with connection.begin_nested() as settings:
        table.prepare_search(connection, ef_search)
        for sample in samples:
            where = [] if sample.category is None else [rows.c.category == sample.category]
            statement = table.by_index(1, n_compared(N_NEAREST), n_compared(N_NEAREST), where, name=name)
            found = connection.execute(statement, table.parameters(sample.vector, scale)).all()
            shares.append(float(np.isin(sample.nearest, _ids(found)).mean()))
        settings.rollback()  # of the transaction's settings only: nothing was written
    return float(np.mean(shares))


def _ids(rows: Sequence[Any]) -> Ids:
    return np.array([row[0] for row in rows], np.int64)
