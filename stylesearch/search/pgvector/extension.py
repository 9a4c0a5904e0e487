"""pgvector in a database: whether it is there, new enough, and may be put there."""

from __future__ import annotations

import re
from typing import Final

import sqlalchemy as sa
from sqlalchemy import Connection

from stylesearch.errors import CatalogError, ConfigError

__all__ = ["LEAST_VERSION", "find_version", "require_extension"]

LEAST_VERSION: Final = (0, 8)
"""The first version whose index goes on looking when a filter has let too few pass."""

_FIND: Final = sa.text(
    "SELECT default_version, installed_version, current_database(), current_user "
    "FROM (SELECT 1) AS one LEFT JOIN pg_available_extensions ON name = 'vector'"
)


def require_extension(connection: Connection) -> None:
    """Makes the extension in the database of a connection, unless it is there already.

    Raises:
        ConfigError: the server has no pgvector, or an older one than ``LEAST_VERSION``.
        CatalogError: this role may not make it; the hint has the command for an administrator.
    """
    available, installed, database, role = connection.execute(_FIND).one()
    if available is None and installed is None:
        raise ConfigError(
            f"the PostgreSQL server of the database {database} has no pgvector",
            hint="install it on the server (Debian: postgresql-17-pgvector; image pgvector/pgvector), "
            "or set candidates = local",
        )
    version = installed or available
    if _numbers(version) < LEAST_VERSION:
        wanted = ".".join(map(str, LEAST_VERSION))
        raise ConfigError(
            f"the database {database} has pgvector {version}; {wanted} or newer is needed for filters",
            hint="install a newer one on the server, then, as an administrator of the database: "
            "ALTER EXTENSION vector UPDATE",
        )
    if installed is not None:
        return
    try:
        with connection.begin_nested():
            connection.exec_driver_sql("CREATE EXTENSION IF NOT EXISTS vector")
    except CatalogError as error:
        raise CatalogError(
            f"the role {role} may not make the extension vector in the database {database}: {error}",
            hint=f"an administrator runs: psql -d {database} -c 'CREATE EXTENSION vector'",
        ) from error


def find_version(connection: Connection) -> str | None:
    """The version of the extension in the database of a connection; None where it was not made."""
    installed: str | None = connection.execute(_FIND).one()[1]
    return installed


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version))
