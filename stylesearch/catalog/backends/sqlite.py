"""The catalog in an SQLite file: the default, which needs no server."""

from __future__ import annotations

import contextlib
import os
import re
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.pool import PoolProxiedConnection, QueuePool

from stylesearch.catalog.backends.base import BACKEND, BUSY_SECONDS, WRITE, Damage, LooseEnd
from stylesearch.catalog.backends.sqlite_errors import explain, explain_errors, unreadable_words
from stylesearch.catalog.backends.sqlite_lock import writer_lock
from stylesearch.catalog.stored_types import parse_json
from stylesearch.errors import CatalogDamaged, CatalogError, CatalogLocked
from stylesearch.files import atomic_file, temporary_folder

__all__ = ["PAGE_BYTES", "SqliteBackend", "copy_database", "hold_alone", "prepare_new_file"]

PAGE_BYTES: Final = 16384
"""Twelve-hundred-wide float16 vectors fill these to 95 %; at SQLite's own 4096 a third would be empty."""

SECONDS_TO_CLOSE: Final = 2.0
"""How long a restore waits for others that have the catalog open: a query ends, a service does not."""

BROKEN: Final = (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT)
"""What SQLite says of a file that it cannot begin to read."""

_PRAGMAS: Final = (
    f"PRAGMA busy_timeout = {round(BUSY_SECONDS * 1000)}",
    # Not NORMAL, which cannot corrupt either, but may lose the last transactions in a power cut: their
    # feature ids would then be used again while an index on the disk still has the old ones.
    "PRAGMA synchronous = FULL",
    "PRAGMA cache_size = -4000",  # KiB for each connection: the system caches the file anyway
    "PRAGMA journal_size_limit = 67108864",
)

_SEQUENCE: Final = text("SELECT seq FROM sqlite_sequence WHERE name = 'features'")
_RAISE_SEQUENCE: Final = text("UPDATE sqlite_sequence SET seq = max(seq, :least) WHERE name = 'features'")
_BEGIN_SEQUENCE: Final = text("INSERT INTO sqlite_sequence (name, seq) VALUES ('features', :least)")

_INDEX: Final = re.compile(r"\bindex (\w+)")
"""The index that a line of SQLite's check names."""


class SqliteBackend:
    """A catalog in an SQLite file; ``stylesearch.catalog.backends.base.Backend`` says more of each method.

    Args:
        file: path of the file.

    Attributes:
        path: the file, absolute, links resolved.

    Raises:
        CatalogError: it would be a database in memory.
    """

    advice_for_new = "give the path of a new file"

    def __init__(self, file: str | os.PathLike[str]) -> None:
        name = os.fspath(file)
        if name == ":memory:" or name.startswith("file:"):
            raise CatalogError(
                f"a catalog has to be a file on the disk. Received: {name}", hint="give the path of the file"
            )
        self._given = name
        self.path = Path(os.path.realpath(name))

    def __str__(self) -> str:
        return self.shown

    @property
    def shown(self) -> str:
        """The path."""
        return str(self.path)

    @property
    def places(self) -> frozenset[str]:
        """The path, and as it was given: but not a single word, which could be part of any message."""
        return frozenset({self.shown, self._given} if os.sep in self._given else {self.shown})

    def exists(self) -> bool:
        """Whether there is a file."""
        return self.path.exists()

    def is_readonly(self) -> bool:
        """Whether there is a file that may not be written to."""
        return self.path.exists() and not os.access(self.path, os.W_OK)

    def refusal_to_write(self) -> CatalogError:
        """Says whether storage or opening is for reading only."""
        if is_on_readonly_storage(self.path):
            return CatalogError(
                f"the catalog {self} lies on read-only storage",
                hint="mount it for writing, or go on with a copy of the workspace elsewhere",
            )
        return CatalogError(
            f"the catalog {self} was opened for reading only", hint="open it without readonly"
        )

    def engine(self, *, readonly: bool = False, mode: str = "", foreign_keys: bool = True) -> Engine:
        """Makes an engine; nothing is opened yet.

        Args:
            readonly: whether nothing is written.
            mode: ``"rw"`` an existing file, ``"ro"`` nothing is written, ``"immutable"`` a file that nobody
                else writes to; by default what ``readonly`` says.
            foreign_keys: whether SQLite enforces them; off while a migration rebuilds tables.
        """
        engine = create_engine(
            "sqlite://",
            creator=_opener(self.path, mode or (self._reading_mode() if readonly else "rw"), foreign_keys),
            poolclass=QueuePool,
            json_deserializer=parse_json,
            execution_options={BACKEND: self},
        )

        def explain_here(context: ExceptionContext) -> None:
            explain(context, self.path)

        event.listen(engine, "begin", _begin)
        event.listen(engine, "handle_error", explain_here)
        return engine

    def reading(self, engine: Engine) -> Engine:
        """The same engine: there is no server to ask."""
        return engine

    @contextlib.contextmanager
    def writing(self, engine: Engine, timeout: float) -> Iterator[Connection]:
        """Holds the lock file; the connection's temporary tables end with it."""
        with writer_lock(self.path, timeout), engine.connect() as connection:
            connection.detach()
            yield connection.execution_options(**WRITE)

    @contextlib.contextmanager
    def upgrading(self, timeout: float) -> Iterator[_Upgrading]:
        """Holds the lock file, in a folder that is made where there is none."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CatalogError(
                f"cannot make the folder of {self}: {error}", hint="check the path and its permissions"
            ) from error
        with writer_lock(self.path, timeout):
            yield _Upgrading(self)

    @contextlib.contextmanager
    def snapshot(self, engine: Engine) -> Iterator[Connection]:
        """A connection; its first statement begins a transaction, which sees one state."""
        with engine.connect() as connection:
            yield connection

    @contextlib.contextmanager
    def replacing(self) -> Iterator[None]:
        """Checks that nobody has the file open."""
        if self.path.exists():
            with hold_alone(self.path):
                pass
        yield

    def changes(self, engine: Engine) -> _DataVersion:
        """Counts the commits that SQLite counts itself."""
        return _DataVersion(engine, self.path)

    def highest_feature_id(self, connection: Connection) -> int:
        """Reads the largest id from SQLite's table of sequences."""
        highest = connection.execute(_SEQUENCE).scalar() or 0
        if not isinstance(highest, int):
            raise CatalogDamaged(f"sqlite_sequence.seq of features is not a whole number. Found: {highest!r}")
        return highest

    def raise_feature_ids(self, connection: Connection, least: int) -> None:
        """Raises SQLite's sequence of the table."""
        if not connection.execute(_RAISE_SEQUENCE, {"least": least}).rowcount:
            connection.execute(_BEGIN_SEQUENCE, {"least": least})

    def raise_keys(self, connection: Connection) -> None:
        """Does nothing: SQLite numbers new rows after those that are there."""

    def drop_derived(self, connection: Connection) -> None:
        """Does nothing: indexes lie in files, and say which catalog they are of."""

    def analyze(self, connection: Connection) -> None:
        """Does nothing: SQLite plans without statistics."""

    def begin_writing(self, connection: Connection) -> None:
        """Does nothing: the lock file is held until the writer ends."""

    def end_writing(self, connection: Connection) -> None:
        """Does nothing: SQLite counts commits, and stores the largest id, by itself."""

    def note_change(self, connection: Connection) -> None:
        """Does nothing: SQLite counts commits by itself."""

    def refuse_emptied(self, connection: Connection) -> None:
        """Refuses a file that was not made by ``prepare_new_file``: a new one has a page."""
        n_pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        if n_pages != 1:
            what = "is empty" if not n_pages else "has no tables"
            raise CatalogDamaged(
                f"{self} {what}",
                hint="restore a backup; if nothing was in it, remove the file and ingest",
            )

    def damage(self, connection: Connection, limit: int) -> Damage:
        """Has SQLite check the pages of the file."""
        n_pages = int(connection.exec_driver_sql("PRAGMA page_count").scalar() or 0)
        lines = connection.exec_driver_sql(f"PRAGMA integrity_check({limit})").scalars()
        faults = [(line, _index_in(line)) for line in lines if line != "ok"]
        return Damage("file, as SQLite checks it", n_pages, "pages", faults)

    def loose_ends(self, connection: Connection) -> list[LooseEnd]:
        """Has SQLite look for references to missing rows."""
        found = connection.exec_driver_sql("PRAGMA foreign_key_check")
        return [LooseEnd(table, row, parent) for table, row, parent, _ in found]

    def rebuild_index(self, connection: Connection, name: str) -> None:
        """Makes an index anew, or all of a table."""
        connection.exec_driver_sql(f'REINDEX "{name}"')

    def read_texts_as(self, connection: Connection, kind: type[bytes]) -> None:
        """Has SQLite's driver give the bytes of texts."""
        driver_connection = connection.connection.driver_connection
        assert isinstance(driver_connection, sqlite3.Connection)
        driver_connection.text_factory = kind

    def copy_to(self, folder: Path) -> Path:
        """Copies the file as of the last committed transaction."""
        return copy_database(self.path, folder / self.path.name)

    def file_for(self, purpose: str) -> Path:
        """The path."""
        return self.path

    def _reading_mode(self) -> str:
        # On read-only storage SQLite cannot create the file that coordinates readers and a writer, and need
        # not: nobody can write there.
        wal = self.path.with_name(self.path.name + "-wal")
        left_over = wal.exists() and wal.stat().st_size > 0
        return "immutable" if is_on_readonly_storage(self.path) and not left_over else "ro"


class _Upgrading:
    """The right to upgrade an SQLite file, while its lock is held.

    Args:
        backend: the file.
    """

    def __init__(self, backend: SqliteBackend) -> None:
        self._backend = backend

    def prepare(self, revision: str | None) -> Path | None:
        """Makes a new file, or copies an older one beside itself, under a name with its revision and time."""
        path = self._backend.path
        with explain_errors(path):
            prepare_new_file(path)
            if revision is None:
                return None
            stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
            return copy_database(path, path.with_name(f"{path.name}.backup-{revision}-{stamp}"))

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Begins a transaction without foreign keys, which are checked before it is committed.

        A migration that rebuilds a table drops the old one, which would delete all rows that refer to it.
        """
        engine = self._backend.engine(foreign_keys=False)
        try:
            with engine.connect() as connection:
                writing = connection.execution_options(**WRITE)
                with writing.begin():
                    yield writing
                    if loose := self._backend.loose_ends(writing):
                        raise CatalogError(
                            f"the upgrade of {self._backend} would leave {loose[0]}",
                            hint="please report this",
                        )
        finally:
            engine.dispose()


class _DataVersion:
    """Counts the commits to an SQLite file, by any process.

    Args:
        engine: engine of the database.
        path: the file.
    """

    def __init__(self, engine: Engine, path: Path) -> None:
        self._engine = engine
        self._path = path
        # SQLite counts for each connection the commits of all others; this connection never writes.
        self._connection: PoolProxiedConnection | None = None
        self._lock = threading.Lock()

    def count(self) -> int:
        """The current count.

        Raises:
            CatalogError: the database cannot be read any more.
        """
        with self._lock:
            if self._connection is None:
                self._connection = self._engine.raw_connection()
                self._connection.detach()
            cursor = self._connection.cursor()
            with explain_errors(self._path):
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
def hold_alone(path: Path) -> Iterator[sqlite3.Connection | None]:
    """Opens a database so that nobody else has it open, in any process, or can open it meanwhile.

    Args:
        path: the SQLite file.

    Yields:
        the connection; None where the file is no database, which nobody can have open.

    Raises:
        CatalogLocked: others have it open, for reading or writing.
    """
    with explain_errors(path):
        connection: sqlite3.Connection | None = sqlite3.connect(path, isolation_level=None, timeout=0)
    assert connection is not None
    try:
        if not _lock_out_others(connection, path):
            connection.close()
            connection = None
        yield connection
    finally:
        if connection is not None:
            connection.close()


def copy_database(path: Path, copy: Path) -> Path:
    """Copies a database as of the last committed transaction; the copy is complete or absent."""
    with (
        atomic_file(copy) as file,
        contextlib.closing(sqlite3.connect(path)) as source,
        contextlib.closing(sqlite3.connect(file.name)) as target,
    ):
        source.backup(target)
    return copy


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
    with temporary_folder("stylesearch-new-catalog-") as folder:  # SQLite has files of its own beside it
        new = folder / path.name
        _set_up(new)
        with atomic_file(path) as file:
            file.write(new.read_bytes())


def _set_up(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        connection.execute("PRAGMA journal_mode = WAL")


def _index_in(line: str) -> str | None:
    """The index that a fault is in; of one of SQLite's own making, which has no name, the table."""
    found = _INDEX.search(line)
    return re.sub(r"^sqlite_autoindex_(\w+)_\d+$", r"\1", found[1]) if found else None


def _lock_out_others(connection: sqlite3.Connection, path: Path) -> bool:
    """Takes every lock of a database; returns False where it is no database.

    In WAL mode a connection has a shared lock from its first statement until it is closed, so this fails also
    while others have the database open and do nothing.
    """
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    give_up = time.monotonic() + SECONDS_TO_CLOSE
    while True:
        try:
            connection.execute("BEGIN EXCLUSIVE")
            connection.execute("COMMIT")
            return True
        except sqlite3.DatabaseError as error:
            code = error.sqlite_errorcode & 0xFF
            if code in BROKEN:
                return False
            if code not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise CatalogError(f"SQLite failed on the catalog {path}: {error}") from error
            if time.monotonic() > give_up:
                raise CatalogLocked(
                    f"another process has the catalog {path} open",
                    hint="end `stylesearch serve` and whatever else uses it, and try again",
                ) from error
        time.sleep(0.05)


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
            raise unreadable_words(path, error) from error
        except BaseException:
            connection.close()
            raise
        return connection

    return open_connection


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("stylesearch_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
