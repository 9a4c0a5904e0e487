"""The lock of the one process that writes to an SQLite file: a file beside it.

The operating system drops the lock with its process.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from stylesearch.catalog.backends.base import SECONDS_BEFORE_SAYING_SO
from stylesearch.errors import CatalogError, CatalogLocked

if TYPE_CHECKING:
    from filelock import FileLock

__all__ = ["writer_lock"]

log = logging.getLogger(__name__)


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
