"""The catalog in a database of PostgreSQL, for several machines.

One session writes at a time: it holds an advisory lock of the server, which ends with the session. Commits
and the largest feature id are counted in the table ``counters``, in the writer's own transaction.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL, ExceptionContext

from stylesearch.catalog.backends.base import BACKEND, Damage, LooseEnd, PoolSettings
from stylesearch.catalog.backends.postgresql_errors import explain
from stylesearch.catalog.backends.postgresql_lock import OWN_SCHEMA, WriterLock, check_session
from stylesearch.catalog.backends.postgresql_pool import Pool, is_of_this_process, prepare_connections
from stylesearch.catalog.stored_types import parse_json
from stylesearch.catalog.tables import VECTOR_TABLES, metadata
from stylesearch.errors import (
    CatalogDamaged,
    CatalogError,
    CatalogLocked,
    ConfigError,
    MissingDependency,
)

__all__ = ["PostgresBackend"]

KEEPALIVE: Final = {
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,  # milliseconds: while a statement is on its way no keepalive is sent
}
"""When a connection to a machine that is gone is given up: after a minute."""

MOST_NAMED: Final = 3
"""Processes that have the database open, of which a message gives the names."""

OLDEST: Final = 140000
"""Oldest version of the server, as it gives its number."""

_ABOUT_SERVER: Final = text(
    "SELECT current_setting('server_encoding'), current_setting('server_version_num')::int, current_schema()"
)

_EXISTS: Final = text(
    f"SELECT EXISTS (SELECT FROM pg_class WHERE relnamespace = {OWN_SCHEMA} AND relkind IN ('r', 'p'))"
)

_IS_READONLY: Final = text(
    "SELECT pg_is_in_recovery() OR current_setting('default_transaction_read_only')::boolean "
    "OR NOT coalesce(has_table_privilege(to_regclass(quote_ident(current_schema()) || '.features'), "
    "'INSERT'), true)"
)

_HIGHEST: Final = text("SELECT value FROM counters WHERE name = 'highest_feature_id'")

_CHANGES: Final = "SELECT value FROM counters WHERE name = 'changes'"

_RAISE_IDS: Final = text(
    "SELECT setval(sequence, greatest(:least + 1, nextval(sequence)), false) "
    "FROM (SELECT pg_get_serial_sequence('features', 'id')::regclass AS sequence) AS of_features"
)
"""The next id is never smaller than it would be: ``nextval`` takes it, and ``false`` gives it back."""

_COUNT_CHANGE: Final = text("UPDATE counters SET value = value + 1 WHERE name = 'changes'")

_COUNT_FEATURES: Final = text(
    "UPDATE counters SET value = CASE name WHEN 'changes' THEN value + 1 "
    "ELSE greatest(value, pg_sequence_last_value(pg_get_serial_sequence('features', 'id')::regclass)) END "
    "WHERE name IN ('changes', 'highest_feature_id')"
)
"""For the writer alone: the sequence rises before the rows of another transaction are committed."""

_PROCESSES: Final = text(
    "SELECT DISTINCT application_name FROM pg_stat_activity WHERE datname = current_database() "
    "AND application_name LIKE 'process % on %' ORDER BY application_name"
)

_VECTOR_TABLES: Final = text(
    f"SELECT relname FROM pg_class WHERE relnamespace = {OWN_SCHEMA} AND relkind = 'r' "
    f"AND relname ~ '^{VECTOR_TABLES}[0-9a-f]+_[0-9a-z_]+$'"
)

_INDEXES: Final = text(
    "SELECT count(*) FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid "
    f"WHERE t.relnamespace = {OWN_SCHEMA}"
)

_INVALID: Final = text(
    "SELECT 'the index ' || c.relname || ' of ' || t.relname || ' is not valid', c.relname "
    "FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid "
    f"WHERE t.relnamespace = {OWN_SCHEMA} AND NOT i.indisvalid "
    "UNION ALL SELECT 'the constraint ' || o.conname || ' of ' || t.relname || ' was never checked', NULL "
    "FROM pg_constraint o JOIN pg_class t ON t.oid = o.conrelid "
    f"WHERE t.relnamespace = {OWN_SCHEMA} AND NOT o.convalidated LIMIT :limit"
)


class PostgresBackend:
    """A catalog on a server; ``stylesearch.catalog.backends.base.Backend`` says more of each method.

    Args:
        url: URL of the database, with psycopg or no driver.
        pool: how connections are kept.

    Raises:
        MissingDependency: psycopg is not installed.
    """

    advice_for_new = "give a database or a schema of its own, such as ?options=-csearch_path%3Dshop"

    def __init__(self, url: URL, pool: PoolSettings) -> None:
        try:
            import psycopg  # noqa: F401
        except ImportError as error:
            raise MissingDependency(
                f"a catalog on PostgreSQL needs psycopg: {error}", hint='pip install "stylesearch[postgres]"'
            ) from error
        self._url = url.set(drivername="postgresql+psycopg")
        self._pool = pool

    def __str__(self) -> str:
        return self.shown

    @functools.cached_property
    def shown(self) -> str:
        """The URL without passwords and other secrets."""
        hidden = {name: "***" for name in self._url.query if _is_secret(name)}
        shown = self._url.update_query_dict(hidden).set(drivername="postgresql")
        return shown.render_as_string(hide_password=True)

    @functools.cached_property
    def places(self) -> frozenset[str]:
        """The URL as it is shown, and the host."""
        return frozenset(one for one in (self.shown, self._url.host) if one)

    def exists(self) -> bool:
        """Whether there are tables in the schema that new ones would be made in."""
        with self._connect() as connection:
            return bool(connection.execute(_EXISTS).scalar())

    def is_readonly(self) -> bool:
        """Whether the server is a standby, or the role may not insert."""
        with self._connect() as connection:
            return bool(connection.execute(_IS_READONLY).scalar())

    def refusal_to_write(self) -> CatalogError:
        """Says that it was opened for reading only, or can only be read."""
        return CatalogError(
            f"the catalog {self} was opened for reading only",
            hint="the server is a standby, or the role may only read, or the program opened it so",
        )

    def engine(self, *, readonly: bool = False) -> Engine:
        """Makes an engine; a connection that has ended is made anew when it is used."""
        seconds = self._pool.connect_seconds
        options = {**KEEPALIVE, "connect_timeout": max(1, round(seconds)), "client_encoding": "utf8"}
        engine = create_engine(
            self._url,
            connect_args={name: value for name, value in options.items() if name not in self._url.query},
            json_deserializer=parse_json,
            poolclass=Pool,
            pool_size=self._pool.size,
            max_overflow=self._pool.overflow,
            pool_recycle=self._pool.recycle_seconds or -1,
            pool_timeout=seconds,
            # Not False where it may write: that would override a default of the role or the database.
            execution_options={BACKEND: self, **({"postgresql_readonly": True} if readonly else {})},
        )
        secrets = self._secrets()

        def explain_here(context: ExceptionContext) -> None:
            explain(context, self.shown, secrets)

        event.listen(engine, "handle_error", explain_here)
        prepare_connections(engine)
        return engine

    def reading(self, engine: Engine) -> Engine:
        """An engine whose statements need no transaction: to begin and end one asks the server twice more."""
        return engine.execution_options(isolation_level="AUTOCOMMIT")

    @contextlib.contextmanager
    def writing(self, engine: Engine, timeout: float) -> Iterator[Connection]:
        """Holds an advisory lock in the session of the connection; its temporary tables end with it."""
        with engine.connect() as connection:
            connection.detach()
            check_session(connection, engine, self.shown)
            with WriterLock(connection, self.shown).held(timeout):
                yield connection

    @contextlib.contextmanager
    def upgrading(self, timeout: float) -> Iterator[_Upgrading]:
        """Holds the writer's lock, until the transaction of the upgrade ends."""
        with self._connect() as connection:
            check_session(connection, connection.engine, self.shown)
            encoding, version, schema = connection.execute(_ABOUT_SERVER).one()
            if encoding != "UTF8" or version < OLDEST or schema is None:
                raise CatalogError(
                    f"a catalog needs PostgreSQL {OLDEST // 10000} or newer, the encoding UTF8, and a schema "
                    f"to make tables in. Found in {self}: {version // 10000}, {encoding}, schema {schema}",
                    hint="make a database with `createdb --encoding=UTF8 --template=template0`, and the "
                    "schema that search_path names",
                )
            connection.rollback()
            with WriterLock(connection, self.shown).held(timeout):
                yield _Upgrading(connection)

    @contextlib.contextmanager
    def snapshot(self, engine: Engine) -> Iterator[Connection]:
        """A connection whose transaction is REPEATABLE READ."""
        with engine.connect() as connection:
            yield connection.execution_options(isolation_level="REPEATABLE READ")

    @contextlib.contextmanager
    def replacing(self) -> Iterator[None]:
        """Looks for sessions of other processes: they would not notice that ids mean other rows."""
        with self._connect() as connection:
            names = connection.execute(_PROCESSES).scalars().all()
        others = [name for name in names if not is_of_this_process(name)]
        if others:
            raise CatalogLocked(
                f"{'; '.join(others[:MOST_NAMED])} has the database {self} open",
                hint="end `stylesearch serve` and whatever else uses it, and try again",
            )
        yield

    def changes(self, engine: Engine) -> _CommitCounter:
        """Reads the table of counters."""
        return _CommitCounter(self.reading(engine))

    def highest_feature_id(self, connection: Connection) -> int:
        """Reads the table of counters."""
        highest = connection.execute(_HIGHEST).scalar()
        if highest is None:
            raise CatalogDamaged("counters has no highest_feature_id")
        return int(highest)

    def raise_feature_ids(self, connection: Connection, least: int) -> None:
        """Raises the sequence of the table."""
        connection.execute(_RAISE_IDS, {"least": least})

    def raise_keys(self, connection: Connection) -> None:
        """Raises the sequences of all tables."""
        for table in metadata.sorted_tables:
            if (key := table.autoincrement_column) is None:
                continue
            sequence = f"pg_get_serial_sequence('{table.name}', '{key.name}')"
            connection.exec_driver_sql(
                f"SELECT setval({sequence}, greatest(max({key.name}), nextval({sequence}) - 1)) "
                f"FROM {table.name} HAVING max({key.name}) IS NOT NULL"
            )

    def drop_derived(self, connection: Connection) -> None:
        """Drops the tables of vectors of pgvector."""
        for name in connection.execute(_VECTOR_TABLES).scalars().all():
            connection.exec_driver_sql(f"DROP TABLE {name}")

    def analyze(self, connection: Connection) -> None:
        """Has the server gather statistics; it leaves out, with a warning, what another role owns."""
        connection.exec_driver_sql(f"ANALYZE {', '.join(metadata.tables)}")

    def begin_writing(self, connection: Connection) -> None:
        """Checks that the session still has the lock."""
        WriterLock(connection, self.shown).check()

    def end_writing(self, connection: Connection) -> None:
        """Raises both counters."""
        connection.execute(_COUNT_FEATURES)

    def note_change(self, connection: Connection) -> None:
        """Raises the counter of changes."""
        connection.execute(_COUNT_CHANGE)

    def refuse_emptied(self, connection: Connection) -> None:
        """Does nothing: a database without tables is a new one."""

    def damage(self, connection: Connection, limit: int) -> Damage:
        """Lists indexes and constraints that the server does not rely on itself."""
        n_indexes = int(connection.execute(_INDEXES).scalar_one())
        faults = [(row[0], row[1]) for row in connection.execute(_INVALID, {"limit": limit})]
        return Damage("indexes and constraints, as PostgreSQL knows them", n_indexes, "indexes", faults)

    def loose_ends(self, connection: Connection) -> list[LooseEnd] | None:
        """None: the server refuses such rows."""
        return None

    def rebuild_index(self, connection: Connection, name: str) -> None:
        """Makes an index anew."""
        connection.exec_driver_sql(f'REINDEX INDEX "{name}"')

    def read_texts_as(self, connection: Connection, kind: type[bytes]) -> None:
        """Does nothing: the server stores nothing but UTF-8."""

    def copy_to(self, folder: Path) -> Path:
        """Refuses: a server's database is upgraded, or copied by its own tools."""
        raise CatalogError(
            f"the catalog {self} has an older schema, and a copy of it cannot be made here",
            hint="run `stylesearch db upgrade` first",
        )

    def file_for(self, purpose: str) -> Path:
        """Refuses: there is no file."""
        raise ConfigError(
            f"{purpose} is for catalogs in a file of SQLite. Received: {self}",
            hint="pg_dump and pg_restore back up and restore a database of PostgreSQL, which vacuums itself; "
            "`stylesearch db export`, `db import` and `db copy` move a catalog between databases",
        )

    def _secrets(self) -> frozenset[str]:
        """What no message repeats of the URL: its password, and the values of parameters that are secret."""
        found = {str(self._url.password or "")}
        for name, values in self._url.normalized_query.items():
            found.update(values if _is_secret(name) else ())
        return frozenset(found - {""})

    @contextlib.contextmanager
    def _connect(self) -> Iterator[Connection]:
        engine = self.engine()
        try:
            with engine.connect() as connection:
                yield connection
        finally:
            engine.dispose()


def _is_secret(parameter: str) -> bool:
    """Whether a parameter of libpq has a value that nobody may see."""
    keys = ("scram_client_key", "scram_server_key")
    return "password" in parameter or "secret" in parameter or parameter in keys


class _Upgrading:
    """The right to upgrade a database, while its session holds the writer's lock.

    Args:
        connection: connection of that session.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def prepare(self, revision: str | None) -> Path | None:
        """Does nothing: an upgrade that fails is rolled back by the server, and pg_dump makes copies."""
        return None

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Begins a transaction in the session that holds the lock."""
        with self._connection.begin():
            yield self._connection


class _CommitCounter:
    """Reads how many transactions of writers were committed.

    Args:
        engine: engine of the database for statements on their own.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def count(self) -> int:
        """The current count; one quick statement."""
        with self._engine.connect() as connection:
            changes = connection.exec_driver_sql(_CHANGES).scalar()
        if changes is None:
            raise CatalogDamaged("counters has no count of changes")
        return int(changes)

    def close(self) -> None:
        """Does nothing: its connections are those of the engine."""
