"""What the catalog asks of the database that keeps it; SQLite and PostgreSQL answer, each in its module."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from sqlalchemy import Connection, Engine

from stylesearch.errors import CatalogError

__all__ = [
    "BACKEND",
    "BUSY_SECONDS",
    "SECONDS_BEFORE_SAYING_SO",
    "WRITE",
    "Backend",
    "ChangeCounter",
    "Damage",
    "LooseEnd",
    "PoolSettings",
    "Upgrading",
]

BUSY_SECONDS: Final = 10.0
"""How long a statement waits for another program's transaction."""

SECONDS_BEFORE_SAYING_SO: Final = 1.0
"""How long a writer waits for another one before the log says so."""

BACKEND: Final = "stylesearch_backend"
"""Name of the execution option of an engine that has its ``Backend``."""


WRITE: Final = {"stylesearch_write": True}
"""Execution options of a connection whose transactions will write: they take their turn when they begin,
where waiting is possible, not at the first change, where SQLite can only refuse."""


@dataclass(frozen=True, slots=True)
class PoolSettings:
    """How connections to a server are kept; a file has no use for these.

    Attributes:
        size: connections that are kept open.
        overflow: connections that may be opened beside them when all are in use.
        recycle_seconds: age at which a connection is closed and another one made; 0 for never.
        connect_seconds: seconds to wait for a server to answer, and for a connection to become free.
    """

    size: int = 5
    overflow: int = 10
    recycle_seconds: float = 1800.0
    connect_seconds: float = 10.0


@dataclass(frozen=True, slots=True)
class Damage:
    """What a database says of its own state.

    Attributes:
        check: name of the check.
        n_checked: number of things that were looked at.
        counted: what these are.
        faults: what is wrong, each with the name of the index that would mend it when made anew, or None.
    """

    check: str
    n_checked: int
    counted: str
    faults: Sequence[tuple[str, str | None]]


@dataclass(frozen=True, slots=True)
class LooseEnd:
    """A row that refers to one that is missing; ``row`` is None in a table without row numbers."""

    table: str
    row: int | None
    parent: str

    def __str__(self) -> str:
        row = "a row" if self.row is None else f"row {self.row}"
        return f"{row} of {self.table} points to a row of {self.parent} that is missing"


class ChangeCounter(Protocol):
    """Counts the commits to a database, by any process."""

    def count(self) -> int:
        """The current count: the same number as before where nothing was committed meanwhile.

        Raises:
            CatalogError: the database cannot be read any more.
        """

    def close(self) -> None:
        """Closes what it keeps open; ``count`` would open it again."""


class Upgrading(Protocol):
    """The right to upgrade a database, which one process has at a time."""

    def prepare(self, revision: str | None) -> Path | None:
        """Readies a database of this revision, None for a new one; returns the copy that was made first."""

    def transaction(self) -> AbstractContextManager[Connection]:
        """A transaction for the scripts; nothing is committed that refers to missing rows."""


class Backend(Protocol):
    """A database that can keep a catalog, and the way to it. ``str`` of it is ``shown``."""

    @property
    def shown(self) -> str:
        """Where the database is, for people: without a password."""

    @property
    def places(self) -> frozenset[str]:
        """Texts that tell where the database is, which no answer of the service repeats."""

    def exists(self) -> bool:
        """Whether there is a catalog, or a damaged one.

        Raises:
            CatalogError: the server cannot be reached.
        """

    def is_readonly(self) -> bool:
        """Whether there is one that this process may read but not write."""

    def refusal_to_write(self) -> CatalogError:
        """Why nothing can be written through an engine that only reads."""

    def engine(self, *, readonly: bool = False) -> Engine:
        """Makes an engine; nothing is opened yet. Its errors are those of ``stylesearch.errors``.

        Raises:
            MissingDependency: the database's driver is not installed.
        """

    def reading(self, engine: Engine) -> Engine:
        """An engine for reading with the same connections; each statement may see a newer state.

        Where reading in a transaction costs nothing, it is the engine that was given.
        """

    def writing(self, engine: Engine, timeout: float) -> AbstractContextManager[Connection]:
        """Gives a connection of its own to one writer at a time, in all processes.

        Args:
            engine: an engine of this backend that writes.
            timeout: seconds to wait for another writer.

        Raises:
            CatalogLocked: another process is writing; the message names it.
            CatalogError: the lock cannot be taken.
        """

    def upgrading(self, timeout: float) -> AbstractContextManager[Upgrading]:
        """Gives the right to make or upgrade the tables to one process at a time; no other writes then.

        Raises:
            CatalogLocked, CatalogError: as ``writing``.
        """

    def snapshot(self, engine: Engine) -> AbstractContextManager[Connection]:
        """A connection whose statements all see one state of the catalog."""

    def replacing(self) -> AbstractContextManager[None]:
        """Checks that all rows can be replaced by others with the same ids.

        Raises:
            CatalogLocked: others have the catalog open, who would not notice.
        """

    def changes(self, engine: Engine) -> ChangeCounter:
        """Makes a counter of commits."""

    def highest_feature_id(self, connection: Connection) -> int:
        """The largest id of a feature that was ever committed, of removed ones too, or 0.

        Raises:
            CatalogDamaged: it is not stored as a number.
        """

    def raise_feature_ids(self, connection: Connection, least: int) -> None:
        """Makes the ids that are given next larger than ``least``; larger ones stay what they are."""

    def raise_keys(self, connection: Connection) -> None:
        """Makes new rows of all tables come after rows that were inserted with their keys."""

    def drop_derived(self, connection: Connection) -> None:
        """Drops tables that were made of features, beside those of the catalog, when all of these go.

        Emptied, they would still say that they have all features up to some id.
        """

    def analyze(self, connection: Connection) -> None:
        """Has the database look at how large its tables are, where it plans by that and would do so later."""

    def begin_writing(self, connection: Connection) -> None:
        """Begins a transaction of the writer's.

        Raises:
            CatalogError: the writer does not have the catalog for itself any more.
        """

    def end_writing(self, connection: Connection) -> None:
        """Notes, in a transaction of the writer's, that it changes the catalog: its last statement."""

    def note_change(self, connection: Connection) -> None:
        """Notes that a transaction changes the catalog, but no features: its last statement.

        It is for transactions without the writer's lock: they must not publish ids of features that a writer
        has not committed yet.
        """

    def refuse_emptied(self, connection: Connection) -> None:
        """Refuses a database without tables that had some once, where that can be told.

        Raises:
            CatalogDamaged: it had.
        """

    @property
    def advice_for_new(self) -> str:
        """What to give instead of a database that has other tables."""

    def damage(self, connection: Connection, limit: int) -> Damage:
        """Has the database check itself; at most ``limit`` faults."""

    def loose_ends(self, connection: Connection) -> list[LooseEnd] | None:
        """Rows that refer to missing ones; None where the database never has any."""

    def rebuild_index(self, connection: Connection, name: str) -> None:
        """Makes an index anew that ``damage`` names."""

    def read_texts_as(self, connection: Connection, kind: type[bytes]) -> None:
        """Has the connection give texts as bytes of that kind, where they need not be UTF-8."""

    def copy_to(self, folder: Path) -> Path:
        """Copies the database to a file in a folder.

        Raises:
            CatalogError: it cannot be copied.
        """

    def file_for(self, purpose: str) -> Path:
        """The file of the database.

        Args:
            purpose: what it is for, for the message.

        Raises:
            ConfigError: there is no file: a server keeps the database, and has tools of its own.
        """
