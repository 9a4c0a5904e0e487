"""Connects to the catalog's database: sets SQLite up, locks writers out, and translates errors.

One process writes at a time: it holds a lock file beside the database, which the operating system drops
with its process.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import shutil
import socket
import sqlite3
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, ExceptionContext, make_url
from sqlalchemy.exc import ArgumentError, InterfaceError, NoSuchModuleError, OperationalError
from sqlalchemy.pool import PoolProxiedConnection, QueuePool

from stylesearch.catalog.stored_types import parse_json
from stylesearch.errors import CatalogDamaged, CatalogError, CatalogLocked, MissingDependency
from stylesearch.files import TEMPORARY_HINT

if TYPE_CHECKING:
    from filelock import FileLock

__all__ = [
    "BUSY_SECONDS",
    "PAGE_BYTES",
    "SECONDS_BEFORE_SAYING_SO",
    "WRITE",
    "ChangeCounter",
    "Location",
    "explain_errors",
    "is_on_readonly_storage",
    "make_engine",
    "prepare_new_file",
    "reading_mode",
    "writer_lock",
]

log = logging.getLogger(__name__)

BUSY_SECONDS: Final = 10.0
"""How long a statement waits for another program's transaction."""

SECONDS_BEFORE_SAYING_SO = 1.0
"""How long a writer waits for another one before the log says so."""

PAGE_BYTES: Final = 16384
"""Twelve-hundred-wide float16 vectors fill these to 95 %; at SQLite's own 4096 a third would be empty."""

ALMOST_FULL: Final = 1 << 20
"""Free bytes below which a disk is what an error about space is about."""

WRITE: Final = {"stylesearch_write": True}
"""Execution options of a connection whose transactions will write: they take their turn when they begin,
where waiting is possible, not at the first change, where SQLite can only refuse."""

_PRAGMAS: Final = (
    f"PRAGMA busy_timeout = {round(BUSY_SECONDS * 1000)}",
    # Not NORMAL, which cannot corrupt either, but may lose the last transactions in a power cut: their
    # feature ids would then be used again while an index on the disk still has the old ones.
    "PRAGMA synchronous = FULL",
    "PRAGMA cache_size = -4000",  # KiB for each connection: the system caches the file anyway
    "PRAGMA journal_size_limit = 67108864",
)


class Location:
    """The location of a catalog: a file, or any SQLAlchemy URL.

    Attributes:
        url: the URL for SQLAlchemy.
        path: the SQLite file, absolute, links resolved; None for another database.

    Raises:
        CatalogError: not a URL, or an SQLite database in memory.

    Example:
        >>> Location("shop/100% cotton.db").path.name
        '100% cotton.db'
    """

    def __init__(self, url_or_path: str | os.PathLike[str]) -> None:
        text = os.fspath(url_or_path)
        if "://" in text:
            try:
                self.url = make_url(text)
            except (ArgumentError, ValueError) as error:
                raise CatalogError(
                    f"not a database URL: {error}", hint="for example sqlite:///shop/catalog.db, or a path"
                ) from error
        else:
            self.url = URL.create("sqlite", database=text)
        self.path: Path | None = None
        if self.url.get_backend_name() == "sqlite":
            name = self.url.database or ":memory:"
            if name == ":memory:" or name.startswith("file:"):
                raise CatalogError(
                    f"a catalog has to be a file on the disk. Received: {name}",
                    hint="give the path of the file",
                )
            self.path = Path(os.path.realpath(name))

    def __str__(self) -> str:
        return str(self.path) if self.path else self.url.render_as_string(hide_password=True)


def make_engine(location: Location, *, mode: str = "rw", foreign_keys: bool = True) -> Engine:
    """Makes an engine for ``location``; nothing is opened yet.

    Args:
        location: location of the database.
        mode: for SQLite: ``"rw"`` an existing file, ``"rwc"`` also a new one, ``"ro"`` nothing is
            written, ``"immutable"`` a file that nobody else writes to, on read-only storage.
        foreign_keys: whether SQLite enforces them; off while a migration rebuilds tables.

    Raises:
        MissingDependency: the database's driver is not installed.
    """
    if location.path is None:
        try:
            engine = create_engine(location.url, json_deserializer=parse_json)
        except (NoSuchModuleError, ModuleNotFoundError) as error:
            raise MissingDependency(
                f"no driver for {location}: {error}", hint="pip install the driver of that database"
            ) from error
    else:
        engine = create_engine(
            "sqlite://",
            creator=_opener(location.path, mode, foreign_keys),
            poolclass=QueuePool,
            json_deserializer=parse_json,
        )
        event.listen(engine, "begin", _begin)

    def explain(context: ExceptionContext) -> None:
        _explain(context, location)

    event.listen(engine, "handle_error", explain)
    return engine


def reading_mode(location: Location) -> str:
    """The mode of ``make_engine`` for a catalog that is only read: ``"ro"`` or ``"immutable"``."""
    # On read-only storage SQLite cannot create the file that coordinates readers and a writer, and need
    # not: nobody can write there.
    if location.path is None:
        return "ro"
    wal = location.path.with_name(location.path.name + "-wal")
    left_over = wal.exists() and wal.stat().st_size > 0
    return "immutable" if is_on_readonly_storage(location.path) and not left_over else "ro"


def is_on_readonly_storage(path: os.PathLike[str]) -> bool:
    """Whether nobody can write to the file system of ``path``."""
    return bool(os.statvfs(path).f_flag & os.ST_RDONLY)


def prepare_new_file(path: Path) -> None:
    """Creates an SQLite file of one page of our size, in WAL mode: readers continue while one writes.

    An existing file stays as it is, but for the mode. Both settings are stored in the file. It appears whole:
    a file without a page is one that was damaged.
    """
    if path.exists():
        _set_up(path)
        return
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
        new = Path(folder) / path.name
        _set_up(new)
        new.replace(path)


def _set_up(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        connection.execute("PRAGMA journal_mode = WAL")


class ChangeCounter:
    """Counts the commits to an SQLite file, by any process.

    Args:
        engine: engine of the database.
        location: location of the database.
    """

    def __init__(self, engine: Engine, location: Location) -> None:
        self._engine = engine
        self._location = location
        # SQLite counts for each connection the commits of all others; this connection never writes.
        self._connection: PoolProxiedConnection | None = None
        self._lock = threading.Lock()

    def count(self) -> int | None:
        """The current count; None for databases other than SQLite.

        Raises:
            CatalogError: the database cannot be read any more.
        """
        if self._location.path is None:
            return None
        with self._lock:
            if self._connection is None:
                self._connection = self._engine.raw_connection()
                self._connection.detach()
            cursor = self._connection.cursor()
            with explain_errors(self._location):
                cursor.execute("PRAGMA data_version")
                (version,) = cursor.fetchone() or (0,)
            return int(version)

    def close(self) -> None:
        """Closes the connection; ``count`` would open another one."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None


@contextlib.contextmanager
def explain_errors(location: Location) -> Iterator[None]:
    """Translates errors of SQLite itself and of files as those that come through SQLAlchemy."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        _explain_sqlite(error, location)
        raise CatalogError(f"SQLite failed on the catalog {location}: {error}") from error
    except OSError as error:
        raise CatalogError(f"cannot write beside the catalog {location}: {error}") from error


@contextlib.contextmanager
def writer_lock(database: Path, timeout: float) -> Iterator[None]:
    """Holds ``<database>.lock``; the file stays when the lock is released.

    Args:
        database: path of the SQLite file.
        timeout: seconds to wait for another writer.

    Raises:
        CatalogLocked: another writer has it; the message names its process.
        CatalogError: the lock's file cannot be made.
    """
    from filelock import FileLock, Timeout  # not imported by readers

    path = database.with_name(database.name + ".lock")
    lock = FileLock(path, timeout=timeout, thread_local=False)
    try:
        _acquire(lock, path, timeout)
    except Timeout as error:
        if not path.exists():  # some file systems report a lock that cannot be made as one that is held
            raise CatalogError(
                f"cannot make the lock {path}", hint="check that its folder can be written to"
            ) from error
        raise CatalogLocked(
            f"{_holder(path)} is writing to the catalog {database} (waited {timeout:g} s)",
            hint="wait until it is done, or end it; whatever it has committed stays",
        ) from error
    except (OSError, NotImplementedError) as error:
        raise CatalogError(
            f"cannot lock the catalog {database}: {error}", hint="check the permissions of its folder"
        ) from error
    try:
        path.write_text(f"process {os.getpid()} on {socket.gethostname()}", encoding="utf-8")
        yield
    finally:
        lock.release()


def _opener(path: Path, mode: str, foreign_keys: bool) -> Any:
    query = "mode=ro&immutable=1" if mode == "immutable" else f"mode={mode}"
    uri = f"file:{quote(os.fsencode(path))}?{query}"

    def open_connection() -> sqlite3.Connection:
        # isolation_level None: transactions begin and end where SQLAlchemy says, also around DDL.
        connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
        try:
            for pragma in _PRAGMAS:
                connection.execute(pragma)
            connection.execute(f"PRAGMA foreign_keys = {'ON' if foreign_keys else 'OFF'}")
        except UnicodeDecodeError as error:
            connection.close()
            raise _unreadable_words(path, error) from error
        except BaseException:
            connection.close()
            raise
        return connection

    return open_connection


def _unreadable_words(place: object, error: UnicodeDecodeError) -> CatalogDamaged:
    """The error where SQLite complains of a schema in words that are no UTF-8 themselves."""
    return CatalogDamaged(f"{place}: the schema has a name that is no UTF-8: {error.object[:60]!r}")


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("stylesearch_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _explain(context: ExceptionContext, location: Location) -> None:
    """Turns an error of the database into one of this library; programming errors stay as they are."""
    original = context.original_exception
    if isinstance(original, sqlite3.DatabaseError):
        _explain_sqlite(original, location, context.statement)
    elif isinstance(original, UnicodeDecodeError):
        raise _unreadable_words(location, original) from original
    elif isinstance(context.sqlalchemy_exception, OperationalError | InterfaceError):
        raise CatalogError(
            f"the database {location} failed: {original}", hint="check that it runs and that the URL is right"
        ) from original


_DAMAGE: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_FORMAT, sqlite3.SQLITE_TOOBIG)
"""What SQLite says of a file whose bytes make no sense to it."""

_SAYS_DAMAGE: Final = re.compile(
    "Could not decode to UTF-8|malformed|no such (table|column|index)|has no column named"
    "|unsupported file format|unknown encoding"
)
"""Errors without a code of their own; the schema is fixed, so that a table that is missing is damage."""


def _explain_sqlite(error: sqlite3.DatabaseError, location: Location, statement: str | None = None) -> None:
    extended = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK)
    code = extended & 0xFF  # the primary code is the lowest byte
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        raise CatalogLocked(
            f"another program has been writing to the catalog {location} for {BUSY_SECONDS:.0f} s",
            hint="wait until it is done, or end it, and try again",
        ) from error
    if code == sqlite3.SQLITE_NOTADB:
        raise CatalogDamaged(
            f"{location} is no SQLite database",
            hint="restore a backup, or move it away and ingest again, or give another path",
        ) from error
    if code in _DAMAGE or _SAYS_DAMAGE.search(str(error)):
        tables = sorted(set(re.findall(r"(?:FROM|JOIN|UPDATE|INTO) (\w+)", statement or "")))
        where = f" (read from {', '.join(tables)})" if tables else ""
        raise CatalogDamaged(f"{location}: {error}{where}") from error
    if code == sqlite3.SQLITE_FULL:
        if (temporary := _full_temporary_folder(location)) is not None:
            _fail(error, f"no space left for SQLite's temporary files in {temporary}", TEMPORARY_HINT)
        _fail(error, f"no space left for the catalog {location}", "free some space and run it again")
    if code == sqlite3.SQLITE_CANTOPEN:
        _fail(error, f"cannot open the catalog {location}", _why_not_opened(location))
    if code == sqlite3.SQLITE_READONLY and extended != sqlite3.SQLITE_READONLY:
        _fail(
            error,
            f"cannot open the catalog {location}: its folder may not be written to",
            "even readers write beside it, to agree with a writer: allow it, or copy it to read-only storage",
        )
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM):
        _fail(error, f"may not write to the catalog {location}", "check the permissions of file and folder")
    if code == sqlite3.SQLITE_IOERR:
        # A reader, too, writes beside the catalog; on some file systems a full disk is told like this.
        if location.path is not None and shutil.disk_usage(location.path.parent).free < ALMOST_FULL:
            _fail(error, f"no space left beside the catalog {location}", "free some space and run it again")
        _fail(
            error, f"the disk failed under the catalog {location}: {error}", "check the disk, then try again"
        )


def _full_temporary_folder(location: Location) -> Path | None:
    """The folder of SQLite's temporary files, if that is full and the catalog's disk is not."""
    chosen = (os.environ.get("SQLITE_TMPDIR"), os.environ.get("TMPDIR"), "/var/tmp", "/usr/tmp", "/tmp")
    folder = next((Path(one) for one in chosen if one and os.access(one, os.W_OK | os.X_OK)), None)
    if folder is None or location.path is None:
        return None
    beside, free = (shutil.disk_usage(one).free for one in (location.path.parent, folder))
    return folder if free < ALMOST_FULL <= beside else None


def _fail(error: Exception, message: str, hint: str) -> NoReturn:
    raise CatalogError(message, hint=hint) from error


def _why_not_opened(location: Location) -> str:
    path = location.path
    if path is None or path.is_dir():
        return "that is a folder: give the path of a file"
    if not path.parent.is_dir():
        return f"there is no folder {path.parent}"
    if not path.exists() and os.access(path.parent, os.W_OK):
        return "there is no such file: run `stylesearch ingest` first"
    return "check the permissions of file and folder, or open it for reading only"


def _acquire(lock: FileLock, path: Path, timeout: float) -> None:
    """Waits for the lock, and logs who holds it if that takes longer than a moment."""
    if timeout <= SECONDS_BEFORE_SAYING_SO:
        lock.acquire()
        return
    from filelock import Timeout

    try:
        lock.acquire(timeout=SECONDS_BEFORE_SAYING_SO)
    except Timeout:
        if path.exists():
            log.warning("waiting up to %g s for %s, which is writing to the catalog", timeout, _holder(path))
        lock.acquire(timeout=timeout - SECONDS_BEFORE_SAYING_SO)


def _holder(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8") or "another process"
    except OSError:  # its owner may be unreadable; then the message does without the name
        return "another process"
