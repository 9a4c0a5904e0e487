"""Digests of large files, remembered: hashing 500 MB takes longer than the query that wants the digest."""

from __future__ import annotations

import json
import logging
from pathlib import Path

from stylesearch.extractors.cache import cache_folder
from stylesearch.storage import sha256_bytes, sha256_file, write_json

__all__ = ["sha256_remembered"]

logger = logging.getLogger("stylesearch.extractors")

# Files below this are hashed faster than a note about them is read.
_SMALL = 1 << 20


def sha256_remembered(path: Path) -> str:
    """Hexadecimal sha256 of a file; taken from the cache if the file has not been written to since.

    "Not written to" is judged by path, size, time of the last change and inode number.
    """
    stat = path.stat()
    if stat.st_size < _SMALL:
        return sha256_file(path)
    identity = [str(path.resolve()), stat.st_size, stat.st_mtime_ns, stat.st_ino]
    note = cache_folder() / "digests" / f"{sha256_bytes(str(identity[0]).encode())[:20]}.json"
    try:
        known = json.loads(note.read_bytes())
        if known["identity"] == identity:
            return str(known["sha256"])
    except OSError as error:  # most often: there is no such note
        logger.debug("%s: %s", note, error)
    except (ValueError, TypeError, KeyError) as error:
        logger.warning("%s cannot be read (%s); hashing %s again", note, error, path)
    digest = sha256_file(path)
    try:
        write_json(note, {"identity": identity, "sha256": digest})
    except OSError as error:
        logger.debug("the digest of %s cannot be remembered: %s", path, error)
    return digest
