"""Telling from a file's metadata that it need not be read again."""

from __future__ import annotations

import os
import time
from typing import Final

__all__ = ["RACY_SECONDS", "stat_key"]

RACY_SECONDS: Final = 2.0
"""A file changed this shortly before it was looked at may change again within the same clock tick."""


def stat_key(status: os.stat_result, *, now: float | None = None) -> str | None:
    """What identifies the content of a file without reading it: size, times and inode, as text.

    A program can set the modification time back, but not the change time, so equal keys mean an unchanged
    file. Ask for the status *before* reading the file, and call this when it has been read: a file written
    to in between then has an old key, and will be read again.

    Args:
        status: of the file, from before it was read.
        now: the time in seconds since 1970; the clock's by default.

    Returns:
        The key, or None if the file changed within :data:`RACY_SECONDS` of ``now``, or after it: file
        systems count time in steps of up to two seconds, so such a file could change and keep its key.

    Example:
        >>> import os, tempfile
        >>> with tempfile.NamedTemporaryFile() as file:
        ...     stat_key(os.stat(file.name)) is None
        True
    """
    moment = time.time() if now is None else now
    if max(status.st_mtime, status.st_ctime) > moment - RACY_SECONDS:
        return None
    return f"{status.st_size}-{status.st_mtime_ns}-{status.st_ctime_ns}-{status.st_ino}"
