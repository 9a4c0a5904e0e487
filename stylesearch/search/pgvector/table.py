"""A table of vectors: its name, its record, and the statements that find the nearest in it.

The table has the columns ``id`` (of a feature), ``category`` and ``vector``. What is known of it is stored as
its comment, so that it comes and goes with it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa
from pgvector import HalfVector
from sqlalchemy import Connection, Select

from stylesearch.array_types import Floats
from stylesearch.catalog.backends.postgresql_lock import OWN_SCHEMA
from stylesearch.catalog.tables import VECTOR_TABLES
from stylesearch.data_files import check_fields
from stylesearch.search.pgvector.halfvec import Half, send_in_binary, to_half

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement

__all__ = ["MOST_IN_SIGHT", "TableRecord", "VectorTable", "table_name", "tables_of"]

_OPERATORS: Final = {"cosine": "<=>", "l2": "<->", "l1": "<+>"}

_OPERATOR_CLASSES: Final = {
    "cosine": "halfvec_cosine_ops",
    "l2": "halfvec_l2_ops",
    "l1": "halfvec_l1_ops",
}

MOST_IN_SIGHT: Final = 1_000
"""Largest value of ``hnsw.ef_search``."""

_COMMENT: Final = "obj_description(oid, 'pg_class')"
_TABLE: Final = f"FROM pg_class WHERE relname = :name AND relkind = 'r' AND relnamespace = {OWN_SCHEMA}"
"""Not ``to_regclass``: that may miss what another transaction has committed since this one began."""

_SEARCH: Final = {
    "plan_cache_mode": "force_custom_plan",  # one for each statement, for its own filter and numbers
    "jit": "off",
    "work_mem": "32MB",  # for what it has seen of an index, and what a filter lets pass
}
"""Settings of PostgreSQL for a search."""

_BY_INDEX: Final = {
    "hnsw.iterative_scan": "relaxed_order",  # goes on in the index until enough rows pass the filter
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    "enable_sort": "off",
}
"""Settings for a search by the index, besides."""


@dataclass(frozen=True, slots=True)
class TableRecord:
    """What is known of a table, from when it was built.

    Attributes:
        space: key of the space.
        version: version of the fit.
        build: random name of the build: another one has other rows.
        last_feature_id: the largest feature id when it was filled; newer features are not in it.
        n_rows: number of rows when ``ef_search`` was found.
        scale: see ``halfvec.scale_of``.
        ef_search: how many candidates the HNSW index keeps in sight; 0 if there is no index, and the table is
            scanned.
        recall: share of the 20 nearest that a search found then.
    """

    space: str
    version: str
    build: str
    last_feature_id: int
    n_rows: int
    scale: float
    ef_search: int
    recall: float


class VectorTable:
    """The name and the statements of a table of vectors, whether there is one or not.

    Args:
        key: key of the space.
        version: version of the fit.
        metric: ``l1``, ``l2`` or ``cosine``.
        dim: width of the vectors.
    """

    def __init__(self, key: str, version: str, metric: str, dim: int) -> None:
        self.key = key
        self.version = version
        self.metric = metric
        self.dim = dim
        self.name = table_name(key, version, metric)
        self.rows = self.rows_in(self.name)
        self.operator_class = _OPERATOR_CLASSES[metric]

    def rows_in(self, name: str) -> sa.TableClause:
        """The columns of a table of this kind by another name."""
        return sa.table(
            name,
            sa.column("id", sa.BigInteger),
            sa.column("category", sa.Text),
            sa.column("vector", Half(self.dim)),
        )

    def read_record(self, connection: Connection) -> TableRecord | None:
        """Reads what is known of the table; None if there is none.

        Raises:
            ValueError: there is one without a record of this version of stylesearch.
        """
        return self._select_record(connection, _COMMENT)

    def write_record(self, connection: Connection, record: TableRecord, *, name: str = "") -> None:
        """Stores what is known of the table, or of one by another name."""
        text = json.dumps(asdict(record)).replace("'", "''").replace("%", "%%")
        connection.exec_driver_sql(f"COMMENT ON TABLE {name or self.name} IS '{text}'")

    def begin_search(self, connection: Connection) -> TableRecord | None:
        """Sets up the transaction of a search, and reads the record; as ``read_record``."""
        return self._select_record(connection, f"{_COMMENT}, {_settings(_SEARCH)}")

    def use_index(self, connection: Connection, ef_search: int) -> None:
        """Lets ``by_index`` use the index, until the end of the transaction.

        Args:
            connection: the transaction.
            ef_search: how many candidates the index keeps in sight, up to ``MOST_IN_SIGHT``.
        """
        sight = {"hnsw.ef_search": str(min(MOST_IN_SIGHT, ef_search))}
        connection.execute(sa.text(f"SELECT {_settings(_SEARCH | _BY_INDEX | sight)}"))

    def by_scan(
        self, n_vectors: int, n: int, where: Sequence[ColumnElement[bool]], rows: sa.TableClause | None = None
    ) -> Select[Any]:
        """Selects the ids of the ``n`` rows nearest to any of several vectors, by comparing all rows."""
        rows = self.rows if rows is None else rows
        distances = [self._distance(rows, _query_vector(number, self.dim)) for number in range(n_vectors)]
        # An index finds the order of a distance alone: not that of a sum.
        nearest = (sa.func.least(*distances) if n_vectors > 1 else distances[0]) + 0.0
        return (
            sa.select(rows.c.id, nearest.label("distance"))
            .where(*where)
            .order_by(sa.text("distance"))
            .limit(sa.literal_column(str(n)))
        )

    def by_index(
        self,
        n_vectors: int,
        n: int,
        most: int,
        where: Sequence[ColumnElement[bool]],
        rows: sa.TableClause | None = None,
    ) -> Select[Any]:
        """Selects ids of rows near to any of several vectors: the ``n`` nearest to each, by the index.

        Returns:
            a statement of the columns ``id``; ``distance`` to the nearest vector; and how many rows were
            found for all vectors together. It ends after the ``most`` nearest.
        """
        rows = self.rows if rows is None else rows
        asked = sa.union_all(
            *(sa.select(_query_vector(number, self.dim).label("vector")) for number in range(n_vectors))
        ).subquery("asked")
        distance = self._distance(rows, asked.c.vector)
        near = (
            sa.select(rows.c.id, distance.label("distance"))
            .where(*where)
            .order_by(distance)
            .limit(sa.literal_column(str(n)))
            .lateral("near")
        )
        smallest = sa.func.min(near.c.distance)
        return (
            sa.select(near.c.id, smallest.label("distance"), sa.func.sum(sa.func.count()).over())
            .select_from(asked.join(near, sa.true()))
            .group_by(near.c.id)
            .order_by(smallest)
            .limit(sa.literal_column(str(most)))
        )

    def parameters(self, connection: Connection, vectors: Floats, scale: float) -> Mapping[str, HalfVector]:
        """The parameters of both statements for the vectors of a query, shape (q, dim)."""
        send_in_binary(connection)
        halves = to_half(vectors, self.metric, scale)
        return {f"vector_{number}": HalfVector(row) for number, row in enumerate(halves)}

    def _select_record(self, connection: Connection, columns: str) -> TableRecord | None:
        """Selects from the table's row of the system catalog, its comment first; see ``read_record``."""
        statement = sa.text(f"SELECT {columns} {_TABLE}").bindparams(name=self.name)
        row = connection.execute(statement).one_or_none()
        if row is None:
            return None
        try:
            stored = json.loads(row[0] or "")
            check_fields(TableRecord, stored)
            record = TableRecord(**stored)
        except (ValueError, TypeError, AttributeError) as error:
            raise ValueError(f"the table {self.name} has no record: {error}") from error
        if (record.space, record.version) != (self.key, self.version):
            raise ValueError(f"the table {self.name} is of another fit or space: {record.space}")
        return record

    def _distance(self, rows: sa.TableClause, vector: ColumnElement[Any]) -> ColumnElement[float]:
        return rows.c.vector.op(_OPERATORS[self.metric], return_type=sa.Float())(vector)


def _prefix_of(key: str) -> str:
    """With this begin the names of all tables of a space."""
    return f"{VECTOR_TABLES}{hashlib.sha256(key.encode()).hexdigest()[:12]}_"


def table_name(key: str, version: str, metric: str) -> str:
    """Name of the table of a space, in a fit and a metric."""
    return f"{_prefix_of(key)}{version[:12]}_{metric}"


def tables_of(connection: Connection, key: str) -> list[str]:
    """Names of all tables of a space beside those of the catalog, sorted."""
    statement = sa.text(
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND starts_with(relname, :prefix) "
        f"AND relnamespace = {OWN_SCHEMA} ORDER BY relname"
    )
    return list(connection.execute(statement.bindparams(prefix=_prefix_of(key))).scalars())


def _settings(values: Mapping[str, str]) -> str:
    """Calls that change settings of PostgreSQL until the end of the transaction."""
    return ", ".join(f"set_config('{name}', '{value}', true)" for name, value in values.items())


def _query_vector(number: int, dim: int) -> ColumnElement[Any]:
    return sa.cast(sa.bindparam(f"vector_{number}", type_=Half(dim)), Half(dim))
