"""Makes, upgrades and checks the schema of a catalog, with Alembic run from code.

Imported only when there is something to do: see ``stylesearch.catalog.schema_version``.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import alembic.command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection

from stylesearch.catalog.connections import (
    WRITE,
    Location,
    explain_errors,
    make_engine,
    prepare_new_file,
    writer_lock,
)
from stylesearch.catalog.schema_version import HEAD, read_revision
from stylesearch.catalog.tables import VECTOR_TABLES, metadata
from stylesearch.errors import CatalogError
from stylesearch.files import atomic_file

__all__ = [
    "HEAD",
    "Upgrade",
    "check_schema",
    "copy_database",
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


def upgrade(place: Location | str | os.PathLike[str], *, timeout: float = 10.0) -> Upgrade:
    """Upgrades a database to the newest schema, in one transaction; creates it if it is missing or empty.

    An SQLite file is copied beside itself first. When the upgrade fails the database is as it was.

    Args:
        place: a path, a URL, or a location.
        timeout: seconds to wait for another writer.

    Raises:
        CatalogTooNew, CatalogLocked, CatalogError: as for ``Catalog.open``.
    """
    location = place if isinstance(place, Location) else Location(place)
    with _hold_writer_lock(location, timeout):
        # Another process may have upgraded it while this one waited: read the revision again.
        before = current_revision(location)
        if before == HEAD:
            return Upgrade(before, HEAD, None)
        backup = None
        if location.path is not None:
            with explain_errors(location):
                prepare_new_file(location.path)
                backup = None if before is None else _back_up(location.path, before)
        _run_scripts(location, backup)
    return Upgrade(before, HEAD, backup)


def current_revision(place: Location | str | os.PathLike[str]) -> str | None:
    """Reads the revision of a database; None if it is missing or empty.

    Raises:
        CatalogTooNew, CatalogError: as for ``Catalog.open``.
    """
    location = place if isinstance(place, Location) else Location(place)
    if location.path is not None and not location.path.exists():
        return None
    with _connect(location) as connection:
        return read_revision(connection, str(location))


def check_schema(place: Location | str | os.PathLike[str]) -> list[str]:
    """Lists faults of a database, one sentence each: an old or altered schema, damage, broken references.

    Raises:
        CatalogTooNew, CatalogError: it cannot be checked.
    """
    location = place if isinstance(place, Location) else Location(place)
    revision = current_revision(location)
    if revision is None:
        return ["the database is missing or empty"]
    if revision != HEAD:
        return [f"the schema is {revision}, the newest is {HEAD}: run `stylesearch db upgrade`"]
    with _connect(location) as connection:
        found = [f"the schema differs from the models: {item}" for item in schema_drift(connection)]
        if location.path is not None:
            damage = connection.exec_driver_sql("PRAGMA integrity_check(20)").scalars().all()
            found += [f"damaged: {line}" for line in damage if line != "ok"]
            found += _loose_ends(connection)
    return found


def schema_drift(connection: Connection) -> list[str]:
    """Lists how a database differs from ``stylesearch.catalog.tables``; empty where they agree.

    Tables of vectors are no part of the schema: they are derived, and come and go with the fits of spaces.
    """
    context = MigrationContext.configure(
        connection, opts={"compare_type": True, "include_name": _is_of_the_schema}
    )
    return [str(difference) for difference in compare_metadata(context, metadata)]


def _is_of_the_schema(name: str | None, kind: str, parents: object) -> bool:
    return not (kind == "table" and name is not None and name.startswith(VECTOR_TABLES))


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


def _run_scripts(location: Location, backup: Path | None) -> None:
    # Foreign keys are off: a migration that rebuilds a table drops the old one, which would delete all rows
    # that refer to it. They are checked before anything is committed.
    with _connect(location, foreign_keys=False) as connection, connection.begin():
        try:
            alembic.command.upgrade(make_config(connection), HEAD)
        except CatalogError:
            raise
        except Exception as error:
            kept = f", a copy is {backup}" if backup else ""
            raise CatalogError(
                f"the upgrade of {location} to schema {HEAD} failed: {error}",
                hint=f"the catalog is as it was{kept}; please report this",
            ) from error
        if location.path is not None and (loose := _loose_ends(connection)):
            raise CatalogError(f"the upgrade of {location} would leave {loose[0]}", hint="please report this")


def _loose_ends(connection: Connection) -> list[str]:
    rows = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
    return [f"row {row[1]} of {row[0]} points to a row of {row[2]} that is missing" for row in rows[:20]]


@contextlib.contextmanager
def _connect(location: Location, *, foreign_keys: bool = True) -> Iterator[Connection]:
    engine = make_engine(location, foreign_keys=foreign_keys)
    try:
        with engine.connect() as connection:
            yield connection if foreign_keys else connection.execution_options(**WRITE)
    finally:
        engine.dispose()


@contextlib.contextmanager
def _hold_writer_lock(location: Location, timeout: float) -> Iterator[None]:
    if location.path is None:
        yield
        return
    try:
        location.path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CatalogError(
            f"cannot make the folder of {location}: {error}", hint="check the path and its permissions"
        ) from error
    with writer_lock(location.path, timeout):
        yield


def _back_up(path: Path, revision: str) -> Path:
    """Copies the database beside itself, under a name with its revision and the time."""
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    return copy_database(path, path.with_name(f"{path.name}.backup-{revision}-{stamp}"))


def copy_database(path: Path, copy: Path) -> Path:
    """Copies a database as of the last committed transaction; the copy is complete or absent."""
    with (
        atomic_file(copy) as file,
        contextlib.closing(sqlite3.connect(path)) as source,
        contextlib.closing(sqlite3.connect(file.name)) as target,
    ):
        source.backup(target)
    return copy
