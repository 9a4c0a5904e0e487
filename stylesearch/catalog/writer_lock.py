"""One writer at a time: a lock beside the database that the operating system drops with its process."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from stylesearch.errors import CatalogError, CatalogLocked

__all__ = ["writer_lock"]

log = logging.getLogger(__name__)

SECONDS_BEFORE_SAYING_SO = 1.0


@contextlib.contextmanager
def writer_lock(database: Path, timeout: float) -> Iterator[None]:
    """Holds ``<database>.lock``; the file stays when the lock is let go.

    Args:
        database: path of the SQLite file.
        timeout: seconds to wait for another writer.

    Raises:
        CatalogLocked: another writer has it; the message names its process.
        CatalogError: the lock's file cannot be made.
    """
    path = database.with_name(database.name + ".lock")
    lock = FileLock(path, timeout=timeout, thread_local=False)
    try:
        _acquire(lock, path, timeout)
    except Timeout as error:
        if not path.exists():  # some file systems answer that it cannot be made as if somebody had it
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


def _acquire(lock: FileLock, path: Path, timeout: float) -> None:
    """Waits for the lock, and says whom it waits for once that takes longer than a blink."""
    if timeout <= SECONDS_BEFORE_SAYING_SO:
        lock.acquire()
        return
    try:
        lock.acquire(timeout=SECONDS_BEFORE_SAYING_SO)
    except Timeout:
        if path.exists():
            log.warning("waiting up to %g s for %s, which is writing to the catalog", timeout, _holder(path))
        lock.acquire(timeout=timeout - SECONDS_BEFORE_SAYING_SO)


def _holder(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8") or "another process"
    except OSError:  # its owner may hide it from us; the name is a courtesy, the refusal stands
        return "another process"
