"""The advisory lock of the one session that writes to a catalog on PostgreSQL."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Iterator
from typing import Any, Final

from sqlalchemy import Connection, Engine, text

from stylesearch.catalog.backends.base import BUSY_SECONDS, SECONDS_BEFORE_SAYING_SO
from stylesearch.errors import CatalogError, CatalogLocked

__all__ = ["OWN_SCHEMA", "WriterLock", "check_session"]

log = logging.getLogger(__name__)

LOCK: Final = 0x5374796C
"""Upper half of the lock's number; the lower one is that of the schema that the catalog is in."""

SESSION_SETTINGS: Final = (
    # The lock of a machine that is gone ends when the server notices, which would take it two hours.
    "SET tcp_keepalives_idle = 30",
    "SET tcp_keepalives_interval = 10",
    "SET tcp_keepalives_count = 3",
    "SET tcp_user_timeout = '60s'",
    f"SET lock_timeout = {round(BUSY_SECONDS * 1000)}",
)

OWN_SCHEMA: Final = "quote_ident(current_schema())::regnamespace"
"""SQL for the schema that a catalog is in: the first of ``search_path`` that there is.

What is in the others is visible too, and may be another program's.
"""

_SCHEMA: Final = text(f"SELECT {OWN_SCHEMA}::oid::bigint")

_TRY: Final = text("SELECT pg_try_advisory_lock(:key)")
_WAIT: Final = text("SELECT pg_advisory_lock(:key)")
_RELEASE: Final = text("SELECT pg_advisory_unlock(:key)")

_HOLDERS: Final = text(
    "SELECT l.pid, l.pid = pg_backend_pid(), a.application_name, a.usename, host(a.client_addr) "
    "FROM pg_locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid "
    "WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 AND l.classid::bigint = :upper "
    "AND l.objid::bigint = :lower "
    "AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)

_POOLER: Final = (
    "a pooler that gives each transaction another session, as PgBouncer does with pool_mode = transaction"
)


class WriterLock:
    """The lock of the writer of one catalog: of the schema of the database that its tables are in.

    Args:
        connection: connection of the session that holds it or will.
        place: where the database is, for messages.
    """

    def __init__(self, connection: Connection, place: str) -> None:
        self._connection = connection
        self._place = place

    @contextlib.contextmanager
    def held(self, timeout: float) -> Iterator[None]:
        """Holds the lock.

        Args:
            timeout: seconds to wait for another writer.

        Raises:
            CatalogLocked: another session has it; the message names its process.
        """
        self._set_session()
        key = self._key()
        self._acquire(key, timeout)
        try:
            yield
        finally:
            self._release(key)

    def check(self) -> None:
        """Checks, in a transaction, that this session holds the lock.

        Raises:
            CatalogError: it does not: the session is another one than the one that took it, which has ended.
        """
        if any(row[1] for row in self._holders(self._key())):
            return
        hint = "run it again: what was committed is kept, and nothing of a transaction that was cut"
        if self._connection.connection.info.get("behind_pooler"):
            hint += f"; if that does not help, write without {_POOLER}"
        raise CatalogError(
            f"the session that writes to {self._place} does not hold the writer's lock any more: it has "
            "ended, perhaps with the server",
            hint=hint,
        )

    def _set_session(self) -> None:
        with self._connection.begin():
            for setting in SESSION_SETTINGS:
                self._connection.exec_driver_sql(setting)

    def _key(self) -> int:
        in_transaction = self._connection.in_transaction()
        schema = self._connection.execute(_SCHEMA).scalar_one()
        if not in_transaction:
            self._connection.rollback()
        return (LOCK << 32) | int(schema)

    def _acquire(self, key: int, timeout: float) -> None:
        give_up = time.monotonic() + timeout
        with self._connection.begin():
            if self._connection.execute(_TRY, {"key": key}).scalar():
                return
        if timeout > SECONDS_BEFORE_SAYING_SO:
            if self._waits(key, SECONDS_BEFORE_SAYING_SO):
                return
            log.warning(
                "waiting up to %g s for %s, which is writing to the catalog", timeout, self._holder(key)
            )
        left = give_up - time.monotonic()
        if left > 0 and self._waits(key, left):
            return
        raise CatalogLocked(
            f"{self._holder(key)} is writing to the catalog {self._place} (waited {timeout:g} s)",
            hint="wait until it is done, or end it; whatever it has committed stays",
        )

    def _waits(self, key: int, seconds: float) -> bool:
        """Waits for the lock; the server gives it to those that wait in their order."""
        try:
            with self._connection.begin():
                self._connection.exec_driver_sql(f"SET LOCAL lock_timeout = {max(1, round(seconds * 1000))}")
                self._connection.execute(_WAIT, {"key": key})
        except CatalogLocked:
            return False
        return True

    def _release(self, key: int) -> None:
        """Releases the lock; a session that is gone has lost it already."""
        if self._connection.closed or self._connection.invalidated:
            return
        with contextlib.suppress(CatalogError):
            self._connection.rollback()
            self._connection.execute(_RELEASE, {"key": key})
            self._connection.commit()

    def _holders(self, key: int) -> list[Any]:
        numbers = {"upper": key >> 32, "lower": key & 0xFFFFFFFF}
        return list(self._connection.execute(_HOLDERS, numbers).all())

    def _holder(self, key: int) -> str:
        """The process that holds the lock, as it calls itself; of programs of others, their session."""
        with self._connection.begin():
            rows = self._holders(key)
        if not rows:  # it has just ended
            return "another process"
        pid, _, name, user, address = rows[0]
        return str(name) if name else f"the session {pid} of {user or 'a user'} at {address or 'a socket'}"


def check_session(connection: Connection, engine: Engine, place: str) -> None:
    """Checks that a session stays the same from one transaction to the next, as the lock needs it.

    Behind a pooler, a second session is opened: where both turn out to be one, or one turns out to be two,
    sessions are shared.

    Raises:
        CatalogError: it does not.
    """
    if not connection.connection.info.get("behind_pooler"):
        return
    with engine.connect() as other:
        seen = [(_session_of(connection), _session_of(other)) for _ in range(3)]
    if len(set(seen)) > 1 or seen[0][0] == seen[0][1]:
        raise CatalogError(
            f"cannot write to {place} through {_POOLER}: its writer needs one session from begin to end",
            hint="give a URL of the server itself, or of a pool with pool_mode = session; reading works",
        )


def _session_of(connection: Connection) -> int:
    """Number of the server's process that runs a transaction of a connection."""
    with connection.begin():
        return int(connection.execute(text("SELECT pg_backend_pid()")).scalar_one())
