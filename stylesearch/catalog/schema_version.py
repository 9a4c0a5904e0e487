"""Reads the schema revision by plain SQL, so that an up-to-date catalog opens without Alembic."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection, inspect, select, text

from stylesearch.catalog.backends import backend_behind
from stylesearch.catalog.tables import about
from stylesearch.errors import CatalogDamaged, CatalogTooNew

if TYPE_CHECKING:
    from stylesearch.catalog.records import FeatureSet

__all__ = [
    "CATALOG_ID",
    "HEAD",
    "NEEDS_STYLESEARCH",
    "REVISIONS",
    "complete_mark",
    "own_tables",
    "read_revision",
]

REVISIONS: Final = ("0001", "0002", "0003", "0004", "0005")
"""Every revision of the schema, oldest first; a test compares them with the migration scripts."""

HEAD: Final = REVISIONS[-1]

NEEDS_STYLESEARCH: Final = "needs_stylesearch"
"""Name of the row in ``about`` with the oldest version of the program that reads the schema."""

CATALOG_ID: Final = "catalog_id"
"""Name of the row in ``about`` with the random name of this catalog."""


def complete_mark(feature_set: FeatureSet) -> str:
    """Name of the row in ``about`` that is there once all shop images have features of this set."""
    return f"complete:{feature_set.fingerprint}"


def read_revision(connection: Connection, place: str) -> str | None:
    """Reads the revision of the schema; None for a database without any table.

    Args:
        connection: connection to the database.
        place: the database's name for messages.

    Raises:
        CatalogTooNew: the revision is unknown to this program.
        CatalogDamaged: the database is no catalog.
    """
    tables, backend = own_tables(connection), backend_behind(connection)
    if not {"alembic_version", about.name} <= tables:
        if tables:
            raise CatalogDamaged(
                f"{place} is a database without the tables of a catalog",
                hint=f"restore a backup, or {backend.advice_for_new}",
            )
        backend.refuse_emptied(connection)
        return None
    revision = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    if not isinstance(revision, str) or not re.fullmatch(r"\d{4}", revision) or revision < REVISIONS[0]:
        raise CatalogDamaged(
            f"alembic_version of {place} does not say which schema it has. Found: {revision!r}",
            hint="restore a backup",
        )
    if revision not in REVISIONS:
        needed = connection.execute(select(about.c.value).where(about.c.name == NEEDS_STYLESEARCH)).scalar()
        wanted = f"stylesearch {needed} or newer" if needed else "a newer stylesearch"
        raise CatalogTooNew(
            f"the catalog {place} needs {wanted} (schema {revision}). This is {_own_version()} ({HEAD})",
            hint="pip install --upgrade stylesearch",
        )
    return str(revision)


def own_tables(connection: Connection) -> frozenset[str]:
    """Names of the tables in the schema that a catalog is in, and not of those in others that are visible."""
    schema = inspect(connection)
    return frozenset(schema.get_table_names(schema=schema.default_schema_name))


def _own_version() -> str:
    try:
        return f"stylesearch {version('stylesearch')}"
    except PackageNotFoundError:
        return "an older one"
