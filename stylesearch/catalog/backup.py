"""Copies a catalog's database to a file, checks such a copy, and puts it in the place of a catalog.

A copy is made in one read transaction, while others write. It is put in place by SQLite itself, in a
transaction of the database that is there: so a ``-wal`` file is never beside another database than its own,
and a process that is killed leaves the old content or the new one.
"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from sqlalchemy import Connection, func, select

from stylesearch.catalog.backends import Backend, backend_behind, backend_of
from stylesearch.catalog.backends.sqlite import SqliteBackend
from stylesearch.catalog.backends.sqlite_errors import explain_errors
from stylesearch.catalog.backends.sqlite_lock import writer_lock
from stylesearch.catalog.schema_version import CATALOG_ID, HEAD, read_revision
from stylesearch.catalog.tables import about, features, images, products
from stylesearch.errors import CatalogDamaged, CatalogError
from stylesearch.files import sync_folder

if TYPE_CHECKING:
    from stylesearch.types import ReportProgress

__all__ = [
    "Contents",
    "Vacuumed",
    "bytes_of_database",
    "check_copy",
    "check_original",
    "check_room",
    "count_contents",
    "give_new_id",
    "put_in_place",
    "read_contents",
    "vacuum",
    "warn_of_damaged_rows",
    "write_copy",
]

log = logging.getLogger(__name__)

PAGES_AT_ONCE: Final = 1024
"""Pages that are copied between two reports of progress."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What a catalog holds.

    Attributes:
        schema: revision of its schema.
        catalog_id: its id, or "" where it has none.
        products, images, features: how many there are.
        highest_feature_id: largest id of a feature that it ever used, or 0.
    """

    schema: str
    catalog_id: str
    products: int
    images: int
    features: int
    highest_feature_id: int


@dataclass(frozen=True, slots=True)
class Vacuumed:
    """What a vacuum did: size of the database before and after, in bytes, with its ``-wal`` file."""

    before: int
    after: int


def bytes_of_database(path: Path) -> int:
    """Size of an SQLite file with its ``-wal`` file; 0 where there is none."""
    both = (path, path.with_name(f"{path.name}-wal"))
    return sum(one.stat().st_size for one in both if one.exists())


def check_room(folder: Path, n_bytes: int, what: str) -> None:
    """Checks that a disk has room.

    Args:
        folder: folder on that disk; it need not exist yet.
        n_bytes: bytes that will be written.
        what: what they are, for the message.

    Raises:
        CatalogError: there are fewer bytes free.
    """
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    if free < n_bytes:
        raise CatalogError(
            f"no room for {what}: {n_bytes / 1e6:,.1f} MB are needed in {folder}, "
            f"{free / 1e6:,.1f} MB are free",
            hint="free some space on that disk, or use another one",
        )


def count_contents(connection: Connection, place: str) -> Contents | None:
    """Counts what a catalog of any schema holds; None for a database without tables.

    Raises:
        CatalogTooNew, CatalogError: as for ``Catalog.open``.
    """
    schema = read_revision(connection, place)
    if schema is None:
        return None
    n_products, n_images, n_features = (
        connection.execute(select(func.count()).select_from(table)).scalar_one()
        for table in (products, images, features)
    )
    named = select(about.c.value).where(about.c.name == CATALOG_ID)
    catalog_id = connection.execute(named).scalar() or ""
    last = connection.execute(select(func.max(features.c.id))).scalar() or 0
    highest = max(last, backend_behind(connection).highest_feature_id(connection))
    return Contents(schema, catalog_id, n_products, n_images, n_features, highest)


def read_contents(path: Path, *, mode: str = "") -> Contents | None:
    """Counts what the catalog in an SQLite file holds; None where the file is empty.

    Args:
        path: the file.
        mode: mode of ``SqliteBackend.engine``; by default that of one that is only read.

    Raises:
        CatalogTooNew, CatalogError: as for ``Catalog.open``.
    """
    backend = SqliteBackend(path)
    engine = backend.engine(readonly=True, mode=mode)
    try:
        with engine.connect() as connection:
            return count_contents(connection, backend.shown)
    finally:
        engine.dispose()


def write_copy(path: Path, copy: Path, progress: ReportProgress | None = None) -> Contents:
    """Copies a catalog to a file, as of the last transaction that was committed before; others may write.

    Args:
        path: the catalog's file, of any schema that this version knows.
        copy: file to be written; empty, or not there yet. It is left incomplete when this fails.
        progress: called as ``progress("copying the catalog", n_done, n_total)``, in MB.

    Returns:
        what the copy holds.

    Raises:
        CatalogTooNew: a newer stylesearch wrote the catalog.
        CatalogError: it cannot be read, or there is no room for the copy.
    """
    backend = SqliteBackend(path)
    engine = backend.engine(readonly=True)
    try:
        with engine.connect() as connection:
            # The first statement begins the read transaction, which all pages are copied in.
            contents = count_contents(connection, backend.shown)
            if contents is None:
                raise CatalogError(
                    f"there is nothing in {path} to copy", hint="run `stylesearch ingest` first"
                )
            page_bytes = connection.exec_driver_sql("PRAGMA page_size").scalar_one()
            n_pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
            check_room(copy.parent, n_pages * page_bytes, f"a copy of {path}")

            def report(status: int, n_left: int, n_total: int) -> None:
                if progress:
                    done, total = ((n * page_bytes) // 1_000_000 for n in (n_total - n_left, n_total))
                    progress("copying the catalog", done, total)

            source = connection.connection.driver_connection
            assert isinstance(source, sqlite3.Connection)
            with _explain_copying(copy), contextlib.closing(sqlite3.connect(copy)) as target:
                target.execute("PRAGMA synchronous = OFF")  # who calls this flushes the file at the end
                source.backup(target, pages=PAGES_AT_ONCE, progress=report)
    finally:
        engine.dispose()
    return contents


def check_copy(path: Path, name: Path) -> Contents:
    """Checks a copy of a catalog: its pages, its references, its schema.

    Args:
        path: file of the copy, which nobody else opens meanwhile.
        name: the file that it is of, for messages.

    Raises:
        CatalogTooNew: a newer stylesearch wrote it.
        CatalogError: it is damaged, or no catalog.
    """
    contents, damage = _examine(path, name)
    if contents is None or damage:
        raise CatalogError(
            f"the backup {name} is damaged: {damage}", hint="name another backup; nothing was changed"
        )
    return contents


def check_original(copy: Path, name: Path) -> None:
    """Checks the catalog that a copy was made of, as ``check_copy`` does.

    Args:
        copy: the copy, as ``write_copy`` made it.
        name: the catalog's file, for messages.

    Raises:
        CatalogDamaged: the catalog is damaged, and its copies are.
    """
    _, damage = _examine(copy, name)
    if damage:
        raise CatalogDamaged(damage, hint="older backups were not touched: restore the newest")


def _examine(path: Path, name: Path) -> tuple[Contents | None, str]:
    """Counts what a copy of a catalog holds, and says what is wrong with it, or nothing."""
    backend = SqliteBackend(path)
    engine = backend.engine(mode="immutable")
    try:
        with engine.connect() as connection:
            contents = count_contents(connection, str(name))
            if contents is None:
                return None, "it is an empty database"
            found = [fault for fault, _ in backend.damage(connection, 1).faults]
            found += [str(one) for one in backend.loose_ends(connection)[:1]]
            if not found and contents.schema == HEAD:
                from stylesearch.catalog.migrate import schema_drift

                found = [f"the schema differs: {one}" for one in schema_drift(connection)]
            return contents, found[0] if found else ""
    except CatalogDamaged as error:
        return None, error.what
    except CatalogError as error:
        if isinstance(error.__cause__, sqlite3.DatabaseError):
            return None, str(error.__cause__)
        raise
    finally:
        engine.dispose()


def warn_of_damaged_rows(path: Path, name: Path, advice: str) -> None:
    """Reads every row and vector of a copy with this version's schema; logs how many are damaged.

    Most of them can be mended, in the catalog or after a restore.

    Args:
        path: file of the copy, which nobody else opens meanwhile.
        name: the file that it is of, for messages.
        advice: what to do about it.
    """
    from stylesearch.catalog.check.rows import check_rows

    engine = SqliteBackend(path).engine(mode="immutable")
    try:
        with engine.connect() as connection:
            for one in check_rows(connection, None):
                if one.n_problems:
                    log.warning(
                        "%s: %d of %d %s are damaged, as %s; %s",
                        name,
                        one.n_problems,
                        one.n_checked,
                        one.check,
                        one.problems[0].what,
                        advice,
                    )
    finally:
        engine.dispose()


def give_new_id(path: Path) -> str:
    """Gives the catalog in a file a new random id, and returns it.

    What was derived from the catalog under the old id is not looked at any more: it may be of a later state.
    """
    catalog_id = secrets.token_hex(8)
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            "INSERT OR REPLACE INTO about (name, value) VALUES (?, ?)", (CATALOG_ID, catalog_id)
        )
    return catalog_id


def put_in_place(held: sqlite3.Connection | None, copy: Path, path: Path) -> None:
    """Puts a copy in the place of a catalog: at any moment there is the old content or the new one.

    Args:
        held: connection from ``hold_alone``; None where there is no database.
        copy: a copy that was checked, beside the catalog. It may be moved.
        path: the catalog's file.

    Raises:
        CatalogError: there is no room; then the catalog is as it was.
    """
    if held is None:
        # A database that cannot be read has no use for its logs, and the new one must not find them.
        for suffix in ("-wal", "-shm", "-journal"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        with copy.open("rb+") as file:
            os.fsync(file.fileno())
        copy.replace(path)
        sync_folder(path.parent)
        return
    with _explain_copying(path):
        if held.execute("PRAGMA page_count").fetchone()[0]:
            _match_pages(copy, held.execute("PRAGMA page_size").fetchone()[0])
        held.execute("PRAGMA synchronous = FULL")
        with contextlib.closing(sqlite3.connect(f"file:{quote(str(copy))}?immutable=1", uri=True)) as source:
            source.backup(held)
        held.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def vacuum(place: Backend | str | os.PathLike[str], *, timeout: float = 10.0) -> Vacuumed:
    """Writes a catalog's database anew, without the room that removed rows have left.

    Readers continue meanwhile. A process that is killed leaves the database as it was.

    Args:
        place: a path, a URL, or a backend.
        timeout: seconds to wait for another writer.

    Raises:
        CatalogLocked: another process is writing.
        CatalogError: there is none, or no room: a second and a third copy are written for a moment.
    """
    path = backend_of(place).file_for("`db vacuum`")
    if not path.exists():
        raise CatalogError(f"there is no catalog at {path}", hint="give the path of one")
    with writer_lock(path, timeout):
        read_contents(path, mode="rw")
        before = bytes_of_database(path)
        with (
            explain_errors(path),
            contextlib.closing(sqlite3.connect(path, isolation_level=None, timeout=timeout)) as connection,
        ):
            pages, free, page_bytes = (
                connection.execute(f"PRAGMA {name}").fetchone()[0]
                for name in ("page_count", "freelist_count", "page_size")
            )
            # The new content is written to SQLite's temporary files, then to the log beside the database.
            check_room(path.parent, 2 * (pages - free) * page_bytes, f"vacuuming {path}")
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return Vacuumed(before, bytes_of_database(path))


def _match_pages(copy: Path, page_bytes: int) -> None:
    """Writes a copy anew with pages of another size, if they are not of that size."""
    with contextlib.closing(sqlite3.connect(copy, isolation_level=None)) as connection:
        if connection.execute("PRAGMA page_size").fetchone()[0] == page_bytes:
            return
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute(f"PRAGMA page_size = {page_bytes}")
        connection.execute("VACUUM")
        connection.execute("PRAGMA journal_mode = WAL")


@contextlib.contextmanager
def _explain_copying(path: Path) -> Iterator[None]:
    """Translates errors of SQLite while a copy is written to ``path``."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK)
        if code & 0xFF in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
            raise CatalogError(
                f"cannot write {path}: {error}", hint="free some space on that disk; nothing was changed"
            ) from error
        raise CatalogError(f"cannot copy to {path}: {error}", hint="nothing was changed") from error
