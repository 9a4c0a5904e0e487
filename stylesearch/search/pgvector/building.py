"""Fills tables of vectors: whole, or with what is new.

Each time is one transaction: a build that is killed leaves nothing behind, and searches see the table as it
was before or after it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import secrets
import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import psycopg
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from stylesearch.array_types import Floats, Ids
from stylesearch.errors import ConfigError, IndexingError
from stylesearch.search.pgvector.calibration import Calibration, Calibrator
from stylesearch.search.pgvector.extension import require_extension
from stylesearch.search.pgvector.halfvec import (
    COPY_END,
    COPY_START,
    MOST_INDEXED,
    MOST_STORED,
    copy_rows,
    scale_of,
    to_half,
)
from stylesearch.search.pgvector.table import TableRecord, VectorTable, tables_of
from stylesearch.types import Domain

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

    from stylesearch.search.gallery_vectors import GalleryVectors
    from stylesearch.types import ReportProgress

__all__ = ["INDEX_FROM", "TableBuilder", "drop_other_fits"]

log = logging.getLogger(__name__)

INDEX_FROM: Final = 2_000
"""Rows from which on a table gets an index: fewer are scanned in less time."""

LOCK_SECONDS: Final = 3600.0
"""How long a build waits for another one of the same table, by any machine."""

FEATURES_SECONDS: Final = 600
"""How long a build that is done waits for the end of a writer's transaction."""

_BIGGEST_IN_PAGE: Final = 3_500
"""Widest vectors that are kept in the rows themselves, as pages have 8 kB: a scan reads them much faster."""

_INDEX_MEMORY: Final = 1_000_000
"""Kilobytes for building an index, at most; one that does not fit into its memory takes many times longer."""

_READERS: Final = sa.text(
    "SELECT CASE WHEN grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END "
    "FROM pg_class, aclexplode(coalesce(relacl, acldefault('r', relowner))) "
    "WHERE pg_class.oid = 'features'::regclass AND privilege_type = 'SELECT'"
)
"""The roles that may read features: they may read the table too."""

GROWN: Final = 2.0
"""A table that would have so many times the rows of its last whole build is built whole: its index, and how
it is searched, were right for another size."""


class TableBuilder:
    """Builds one table of vectors.

    Args:
        engine: engine of the catalog's database.
        table: the table.
        vectors: what the table is filled with.
        index_from: rows from which on it gets an index.
    """

    def __init__(
        self, engine: Engine, table: VectorTable, vectors: GalleryVectors, *, index_from: int = INDEX_FROM
    ) -> None:
        self.engine = engine
        self.table = table
        self.vectors = vectors
        self.index_from = index_from

    def build(self, progress: ReportProgress | None = None) -> None:
        """Builds the table whole, and puts it in the place of the older one.

        One that another process has finished meanwhile is not built again.

        Raises:
            ConfigError: the vectors are too wide, or the server has no pgvector that is new enough.
            CatalogError: this role may not build it.
            IndexingError: another process does not finish building it.
        """
        self._check_width()
        with self._transaction() as connection:
            before = self._read_quietly(connection)
            catalog = self.vectors.location.catalog
            last_feature_id = catalog.highest_feature_id()
            self._lock(connection)
            record = self._read_quietly(connection)
            if record not in (None, before) and record.last_feature_id >= last_feature_id:
                log.info("%s was built by another process meanwhile", self.table.name)
                return
            self._build(connection, progress)

    def append(self, progress: ReportProgress | None = None) -> None:
        """Adds what is new to the table; builds it whole where that is quicker, or there is none.

        Raises:
            as ``build``.
        """
        self._check_width()
        catalog, feature_set = self.vectors.location.catalog, self.vectors.location.feature_set
        with self._transaction() as connection:
            self._lock(connection)
            record = self._read_quietly(connection)
            if record is None:
                self._build(connection, progress)
                return
            # Before the features are read: what is added meanwhile is found beside the table, or next time.
            last_feature_id = catalog.highest_feature_id()
            n_new = catalog.count_features(feature_set, after_id=record.last_feature_id, domain=Domain.SHOP)
            n_rows = connection.execute(sa.select(sa.func.count()).select_from(self.table.rows)).scalar_one()
            needs_index = not record.ef_search and n_rows + n_new >= self.index_from > record.n_rows
            if needs_index or n_rows + n_new > GROWN * max(record.n_rows, 1):
                self._build(connection, progress)
                return
            incoming = f"{self.table.name}_incoming"
            connection.exec_driver_sql(
                f"CREATE TEMPORARY TABLE {incoming} (LIKE {self.table.name}) ON COMMIT DROP"
            )
            after = record.last_feature_id
            self._fill(connection, incoming, after, last_feature_id, record.scale, n_new, progress)
            # Locked, so that none is removed between this and the check of the foreign key.
            connection.exec_driver_sql(
                f"INSERT INTO {self.table.name} (id, category, vector) "
                f"SELECT new.id, new.category, new.vector FROM {incoming} AS new "
                "JOIN features ON features.id = new.id FOR KEY SHARE OF features "
                "ON CONFLICT (id) DO NOTHING"
            )
            grown = dataclasses.replace(record, build=secrets.token_hex(8), last_feature_id=last_feature_id)
            self.table.write_record(connection, grown)

    def _build(self, connection: Connection, progress: ReportProgress | None) -> None:
        require_extension(connection)
        table, catalog = self.table, self.vectors.location.catalog
        last_feature_id = catalog.highest_feature_id()
        n_images = sum(self.vectors.location.counts().values())
        new = f"{table.name}_new"
        connection.exec_driver_sql(
            f"CREATE TABLE {new} (id bigint NOT NULL, category text NOT NULL, "
            f"vector halfvec({table.dim}) NOT NULL)"
        )
        storage = "PLAIN" if table.dim <= _BIGGEST_IN_PAGE else "EXTERNAL"
        connection.exec_driver_sql(f"ALTER TABLE {new} ALTER COLUMN vector SET STORAGE {storage}")
        first = next(self.vectors.blocks(), None)
        scale = 1.0 if first is None else scale_of(first[1], table.metric)
        n_rows = self._fill(connection, new, 0, last_feature_id, scale, n_images, progress)
        connection.exec_driver_sql(f"ALTER TABLE {new} ADD PRIMARY KEY (id)")
        connection.exec_driver_sql(f"CREATE INDEX ON {new} (category, id)")
        found = self._make_index(connection, new, n_rows, scale)
        # A foreign key keeps others from writing to the table that it refers to, so it comes last; by then
        # some of the features may be gone.
        _keep_writers_out(connection)
        connection.exec_driver_sql(
            f"DELETE FROM {new} AS old WHERE NOT EXISTS (SELECT 1 FROM features WHERE features.id = old.id)"
        )
        connection.exec_driver_sql(
            f"ALTER TABLE {new} ADD FOREIGN KEY (id) REFERENCES features (id) ON DELETE CASCADE"
        )
        for role in connection.execute(_READERS).scalars():
            connection.exec_driver_sql(f"GRANT SELECT ON {new} TO {role}")
        connection.exec_driver_sql(f"DROP TABLE IF EXISTS {table.name}")
        connection.exec_driver_sql(f"ALTER TABLE {new} RENAME TO {table.name}")
        record = TableRecord(
            space=table.key,
            version=table.version,
            build=secrets.token_hex(8),
            last_feature_id=last_feature_id,
            n_rows=n_rows,
            scale=scale,
            ef_search=found.ef_search,
            recall=found.recall,
        )
        table.write_record(connection, record)

    def _make_index(self, connection: Connection, name: str, n_rows: int, scale: float) -> Calibration:
        """Makes the HNSW index, if the table is large enough for one, and finds how to search it."""
        if n_rows < self.index_from or self.table.dim > MOST_INDEXED:
            connection.exec_driver_sql(f"ANALYZE {name}")
            return Calibration(0, 1.0)
        kilobytes = min(_INDEX_MEMORY, max(65_536, n_rows * (2 * self.table.dim + 400) // 800))
        connection.exec_driver_sql(f"SET LOCAL maintenance_work_mem = {kilobytes}")
        connection.exec_driver_sql(
            f"CREATE INDEX {_index_of(name)} ON {name} USING hnsw (vector {self.table.operator_class})"
        )
        connection.exec_driver_sql(f"ANALYZE {name}")
        found = Calibrator(connection, self.table, self.vectors, scale, name=name).calibrate()
        if not found.ef_search:
            log.warning("the HNSW index of %s finds too few of the nearest: it is scanned", self.table.name)
            connection.exec_driver_sql(f"DROP INDEX {_index_of(name)}")
        else:
            connection.exec_driver_sql(
                f"ALTER INDEX {_index_of(name)} RENAME TO {_index_of(name)}_{secrets.token_hex(4)}"
            )
        return found

    def _fill(
        self,
        connection: Connection,
        name: str,
        after_id: int,
        last_id: int,
        scale: float,
        n_total: int,
        progress: ReportProgress | None,
    ) -> int:
        """Copies the vectors of features after one id, up to another, into a table; returns their number."""
        n_done = 0
        if progress and n_total:
            progress("indexes", 0, n_total)
        driver: Any = connection.connection.driver_connection
        with (
            _explaining_errors(),
            driver.cursor() as cursor,
            cursor.copy(f"COPY {name} (id, category, vector) FROM STDIN (FORMAT BINARY)") as copy,
        ):
            copy.write(COPY_START)
            for category, ids, vectors in self._rows(after_id, last_id):
                copy.write(copy_rows(ids, category, to_half(vectors, self.table.metric, scale)))
                n_done += len(ids)
                if progress:
                    progress("indexes", min(n_done, n_total), n_total)
            copy.write(COPY_END)
        return n_done

    def _rows(self, after_id: int, last_id: int) -> Iterator[tuple[str, Ids, Floats]]:
        location = self.vectors.location
        for category in location.catalog.category_names(location.feature_set, domain=Domain.SHOP):
            for ids, vectors in self.vectors.blocks(category, after_id):
                n = int(np.searchsorted(ids, last_id, side="right"))
                if n:
                    yield category, ids[:n], vectors[:n]
                if n < len(ids):
                    break

    def _read_quietly(self, connection: Connection) -> TableRecord | None:
        """Reads the record; None also where it cannot be read, as the table is built anew then."""
        try:
            return self.table.read_record(connection)
        except ValueError as error:
            log.info("%s", error)
            return None

    def _check_width(self) -> None:
        if self.table.dim > MOST_STORED:
            raise ConfigError(
                f"pgvector stores vectors of up to {MOST_STORED:,} numbers. Received: {self.table.dim:,}",
                hint="set candidates = local, or use another extractor or space",
            )

    def _lock(self, connection: Connection) -> None:
        """Takes the right to build this table, until the end of the transaction.

        Raises:
            IndexingError: another process has it, and does not finish.
        """
        statement = sa.text("SELECT pg_try_advisory_xact_lock(hashtextextended(:name, 0))")
        until = time.monotonic() + LOCK_SECONDS
        has_waited = False
        while not connection.execute(statement.bindparams(name=self.table.name)).scalar_one():
            if not has_waited:
                log.warning("waiting for another process, which is building %s", self.table.name)
                has_waited = True
            if time.monotonic() > until:
                raise IndexingError(
                    f"another process has been building {self.table.name} for {LOCK_SECONDS:.0f} s",
                    hint="look for it in pg_stat_activity, and end it if it hangs",
                )
            time.sleep(0.1)

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[Connection]:
        with _explaining_errors(), self.engine.begin() as connection:
            yield connection


def drop_other_fits(engine: Engine, key: str, kept: Iterable[str]) -> None:
    """Drops the tables of a space whose names are not among those that are kept."""
    with _explaining_errors(), engine.begin() as connection:
        names = sorted(set(tables_of(connection, key)).difference(kept))
        if names:
            _keep_writers_out(connection)
        for name in names:
            connection.exec_driver_sql(f"DROP TABLE IF EXISTS {name}")


def _keep_writers_out(connection: Connection) -> None:
    """Waits for writers to the table of features, and lets no other one begin until the transaction ends.

    To drop a table that refers to another one locks both. A writer that removes features locks them in the
    other order: without this, one of the two would be ended.
    """
    connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{FEATURES_SECONDS}s'")
    connection.exec_driver_sql("LOCK TABLE features IN SHARE ROW EXCLUSIVE MODE")


@contextlib.contextmanager
def _explaining_errors() -> Iterator[None]:
    """Turns errors of COPY and of foreign keys into those of this library, as the catalog does all others."""
    try:
        yield
    except (DBAPIError, psycopg.Error) as error:
        original = error.orig if isinstance(error, DBAPIError) else error
        raise IndexingError(
            f"PostgreSQL failed while a table of vectors was built: {_first_line(original)}",
            hint="searches go on without it; run `stylesearch index build` again",
        ) from error


def _first_line(error: BaseException | None) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


def _index_of(name: str) -> str:
    return f"{name}_hnsw"
