"""The lock of a home's index builds: one process builds at a time, while others search and write products."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path

from stylesearch.errors import IndexesLocked, IndexingError
from stylesearch.files import hold_lock

__all__ = ["BUILD_LOCK", "building"]

BUILD_LOCK = "build.lock"


@contextlib.contextmanager
def building(indexes: Path, timeout: float) -> Iterator[None]:
    """Holds the right to build, fit and remove indexes; it ends with its process, even if that is killed.

    Two processes that build at once would remove each other's work. Whoever writes to the catalog does not
    wait for it: rows of features never change, and an index says up to which feature it knows.

    Args:
        indexes: folder of all indexes of a home; made if it is missing.
        timeout: seconds to wait for another process.

    Raises:
        IndexesLocked: another process is building; the message names it.
        IndexingError: the lock's file cannot be made.
    """
    path = indexes / BUILD_LOCK
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(hold_lock(path, timeout, IndexesLocked("")))
            path.write_text(f"process {os.getpid()} on {socket.gethostname()}", encoding="utf-8")
        except IndexesLocked as error:
            raise IndexesLocked(
                f"{_holder(path)} is building the indexes in {indexes} (waited {timeout:g} s)",
                hint="wait until it is done, or end it; searches go on with the indexes that are there",
            ) from error
        except (OSError, NotImplementedError) as error:
            raise IndexingError(
                f"cannot lock the indexes in {indexes}: {error}", hint="check the permissions of that folder"
            ) from error
        yield


def _holder(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8") or "another process"
    except OSError:  # its owner may be unreadable; then the message does without the name
        return "another process"
