"""Connections of a process to PostgreSQL: their names, and what happens when they end or all are in use."""

from __future__ import annotations

import logging
import os
import select
import socket
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine, event
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool

from stylesearch.errors import CatalogError

if TYPE_CHECKING:
    import psycopg

__all__ = ["Pool", "is_of_this_process", "prepare_connections"]


class Pool(QueuePool):
    """A pool whose error says which settings make it larger."""

    def _do_get(self) -> ConnectionPoolEntry:
        try:
            return super()._do_get()
        except PoolTimeout as error:
            raise CatalogError(
                f"all {self.size() + self._max_overflow} connections to the database are in use",
                hint="make db_pool_size or db_pool_overflow larger, or ask less at once",
            ) from error


# SQLAlchemy would report each engine's pool at the level "info", under this module's name.
logging.getLogger(f"{__name__}.{Pool.__name__}").setLevel(logging.WARNING)


def prepare_connections(engine: Engine) -> None:
    """Has the connections of an engine named, looked for a pooler, and made anew when they are dead."""

    def replace_dead(connection: psycopg.Connection[Any], record: Any, proxy: Any) -> None:
        # A server that stops closes its connections, or tells them that it does: asking the socket takes
        # microseconds, asking the server before every statement doubles the time of the short ones.
        if not _has_news(connection):
            return
        try:
            engine.dialect.do_ping(connection)  # type: ignore[arg-type]
        except engine.dialect.loaded_dbapi.Error as error:
            raise InvalidatePoolError from error

    event.listen(engine, "do_connect", _name_process)
    event.listen(engine, "connect", _look_for_pooler)
    event.listen(engine, "checkout", replace_dead)


def name_of_process(given: str = "") -> str:
    """The name of this process, with that of its connections in the URL; the server keeps 63 bytes of it."""
    name = f"process {os.getpid()} on {socket.gethostname()}"
    return f"{name}, {given}"[:63] if given else name[:63]


def is_of_this_process(name: str) -> bool:
    """Whether ``name_of_process`` made a name here, for a URL with any name of its own."""
    own = name_of_process()
    return name == own or name.startswith(f"{own}, "[:63])


def _has_news(connection: psycopg.Connection[Any]) -> bool:
    """Whether a connection on which nothing was asked has something to read, or has ended."""
    if connection.closed:
        return True
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))


def _name_process(dialect: Any, record: Any, arguments: list[Any], options: dict[str, Any]) -> None:
    """Has the server show the process that a connection is of; in a process that was forked too."""
    options["application_name"] = name_of_process(options.get("application_name", ""))


def _look_for_pooler(connection: psycopg.Connection[Any], record: ConnectionPoolEntry) -> None:
    """Prepares no statements behind a pooler such as PgBouncer, which may change the session in between."""
    before, connection.autocommit = connection.autocommit, True
    row = connection.execute("SELECT pg_backend_pid()").fetchone()
    connection.autocommit = before
    # A pooler tells its clients a process number of its own making.
    record.info["behind_pooler"] = row is None or row[0] != connection.info.backend_pid
    if record.info["behind_pooler"]:
        connection.prepare_threshold = None
