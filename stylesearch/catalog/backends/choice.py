"""Chooses the database that keeps a catalog, by its path or URL."""

from __future__ import annotations

import os

from sqlalchemy import Connection
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from stylesearch.catalog.backends.base import BACKEND, Backend, PoolSettings
from stylesearch.catalog.backends.sqlite import SqliteBackend
from stylesearch.errors import ConfigError

__all__ = ["Backend", "PoolSettings", "backend_behind", "backend_of"]

EXAMPLES = "for example postgresql://user@host/name, or sqlite:////shop/catalog.db, or the path of a file"


def backend_of(place: str | os.PathLike[str] | Backend, pool: PoolSettings | None = None) -> Backend:
    """The database at a place; nothing is opened yet.

    Args:
        place: a path, which stands for an SQLite file, a URL, or a backend, which is returned.
        pool: how connections to a server are kept.

    Raises:
        ConfigError: not a URL, or one of another database.
        CatalogError: an SQLite database in memory.
        MissingDependency: the driver of PostgreSQL is not installed.

    Example:
        >>> backend_of("shop/100% cotton.db").file_for("this example").name
        '100% cotton.db'
    """
    if not isinstance(place, str | os.PathLike):
        return place
    text = os.fspath(place)
    if "://" not in text:
        return SqliteBackend(text)
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):  # these repeat the URL, and its password with it
        raise ConfigError(
            "not a database URL", hint=f"{EXAMPLES}; write special characters of a password as %40 for @"
        ) from None
    if url.get_backend_name() == "sqlite":
        return SqliteBackend(url.database or ":memory:")
    if url.drivername in ("postgresql", "postgresql+psycopg"):
        from stylesearch.catalog.backends.postgresql import PostgresBackend

        return PostgresBackend(url, pool or PoolSettings())
    if url.get_backend_name() == "postgresql":
        raise ConfigError(
            f"PostgreSQL is reached through psycopg. Received: {url.drivername}://...",
            hint="write postgresql://",
        )
    raise ConfigError(
        f"a catalog is kept by SQLite or PostgreSQL. Received: {url.drivername}://...", hint=EXAMPLES
    )


def backend_behind(connection: Connection) -> Backend:
    """The backend whose engine a connection is of."""
    backend: Backend = connection.get_execution_options()[BACKEND]
    return backend
