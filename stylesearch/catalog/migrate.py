"""Makes and upgrades the schema of a catalog, and compares it with the models, with Alembic run from code.

Imported only when there is something to do: see ``stylesearch.catalog.schema_version``.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import alembic.command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection

from stylesearch.catalog.backends import Backend, backend_of
from stylesearch.catalog.schema_version import HEAD, own_tables, read_revision
from stylesearch.catalog.tables import VECTOR_TABLES, metadata
from stylesearch.errors import CatalogError

__all__ = [
    "HEAD",
    "Upgrade",
    "current_revision",
    "make_config",
    "schema_drift",
    "script_location",
    "upgrade",
]


@dataclass(frozen=True, slots=True)
class Upgrade:
    """Result of an upgrade.

    Attributes:
        before: the revision it found; None for a new database.
        after: the revision it left.
        backup: the copy that was made first; None where there was nothing to copy or to do, and for
            databases other than SQLite.
    """

    before: str | None
    after: str
    backup: Path | None


def upgrade(place: Backend | str | os.PathLike[str], *, timeout: float = 10.0) -> Upgrade:
    """Upgrades a database to the newest schema, in one transaction; creates it if it is missing or empty.

    An SQLite file is copied beside itself first. When the upgrade fails the database is as it was.

    Args:
        place: a path, a URL, or a backend.
        timeout: seconds to wait for another writer.

    Raises:
        CatalogTooNew, CatalogLocked, CatalogError: as for ``Catalog.open``.
    """
    backend = backend_of(place)
    with backend.upgrading(timeout) as upgrading:
        # Another process may have upgraded it while this one waited: read the revision again.
        before = current_revision(backend)
        if before == HEAD:
            return Upgrade(before, HEAD, None)
        backup = upgrading.prepare(before)
        with upgrading.transaction() as connection:
            _run_scripts(connection, backend, backup)
    return Upgrade(before, HEAD, backup)


def current_revision(place: Backend | str | os.PathLike[str]) -> str | None:
    """Reads the revision of a database; None if it is missing or empty.

    Raises:
        CatalogTooNew, CatalogError: as for ``Catalog.open``.
    """
    backend = backend_of(place)
    if not backend.exists():
        return None
    with _connect(backend) as connection:
        return read_revision(connection, backend.shown)


def schema_drift(connection: Connection) -> list[str]:
    """Lists how a database differs from ``stylesearch.catalog.tables``; empty where they agree.

    Tables of vectors are no part of the schema: they are derived, and come and go with the fits of spaces.
    Nor are those of other programs in other schemas that ``search_path`` names.
    """
    own = own_tables(connection)

    def is_of_the_schema(name: str | None, kind: str, parents: object) -> bool:
        return kind != "table" or name is None or (name in own and not name.startswith(VECTOR_TABLES))

    context = MigrationContext.configure(
        connection, opts={"compare_type": True, "include_name": is_of_the_schema}
    )
    return [str(difference) for difference in compare_metadata(context, metadata)]


def make_config(connection: Connection) -> Config:
    """Makes Alembic's configuration for an open connection, without any file."""
    config = Config()
    config.set_main_option("script_location", str(script_location()).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def script_location() -> Path:
    """The folder of the migration scripts: the package ``stylesearch.migrations``.

    Raises:
        CatalogError: it is missing.
    """
    spec = importlib.util.find_spec("stylesearch.migrations")
    folders = list(spec.submodule_search_locations or ()) if spec else []
    # A checkout that is not installed keeps the package beside this one.
    folders += [str(Path(__file__).parents[2] / "migrations")]
    for folder in map(Path, folders):
        if (folder / "env.py").is_file():
            return folder
    raise CatalogError("the package stylesearch.migrations is missing", hint="install stylesearch again")


def _run_scripts(connection: Connection, backend: Backend, backup: Path | None) -> None:
    try:
        alembic.command.upgrade(make_config(connection), HEAD)
    except CatalogError:
        raise
    except Exception as error:
        kept = f", a copy is {backup}" if backup else ""
        raise CatalogError(
            f"the upgrade of {backend} to schema {HEAD} failed: {error}",
            hint=f"the catalog is as it was{kept}; please report this",
        ) from error


@contextlib.contextmanager
def _connect(backend: Backend) -> Iterator[Connection]:
    engine = backend.engine()
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()
