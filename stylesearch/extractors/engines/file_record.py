"""What is remembered of a file in the cache, to tell later whether it is still the one that was written."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stylesearch.storage import sha256_file

__all__ = ["is_unchanged", "record_of"]


def record_of(path: Path) -> dict[str, Any]:
    """Size, sha256 and identity of a finished file, as JSON values; the file is flushed to the disk first."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
    stat = path.stat()
    return {"size": stat.st_size, "sha256": sha256_file(path), "stat": [stat.st_mtime_ns, stat.st_ino]}


def is_unchanged(path: Path, record: Mapping[str, Any]) -> bool:
    """Whether ``path`` still holds the bytes that ``record`` was made of.

    A file that nobody has written to since is trusted: reading 500 MB again would cost more than the query
    that needs them. A copy of the file, or one that was touched, is hashed.
    """
    try:
        stat = path.stat()
    except FileNotFoundError:
        return False
    if stat.st_size != record["size"]:
        return False
    if [stat.st_mtime_ns, stat.st_ino] == list(record["stat"]):
        return True
    return sha256_file(path) == str(record["sha256"])
