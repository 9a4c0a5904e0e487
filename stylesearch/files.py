"""Atomic files, locks between processes, content hashes, vectors as bytes, and the user's cache folder."""

from __future__ import annotations

import contextlib
import errno
import functools
import hashlib
import json
import logging
import os
import secrets
import stat
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
import numpy.typing as npt

from stylesearch.errors import ConfigError, StyleSearchError

__all__ = [
    "NO_ROOM",
    "RACY_SECONDS",
    "TEMPORARY_HINT",
    "atomic_file",
    "cache_folder",
    "digest_of",
    "expand_user",
    "hold_lock",
    "md5_file",
    "pack_vectors",
    "sha256_bytes",
    "sha256_file",
    "stat_key",
    "sync_files",
    "sync_folder",
    "temporary_folder",
    "unpack_vectors",
    "write_json",
]

log = logging.getLogger(__name__)

NO_ROOM: Final = frozenset(getattr(errno, name) for name in ("ENOSPC", "EDQUOT") if hasattr(errno, name))
"""Numbers of the errors of a disk, or of a user's share of it, that is full."""

TEMPORARY_HINT: Final = "free some space there, or set TMPDIR to a folder on another disk"
"""What to do where the folder for temporary files is full."""

RACY_SECONDS: Final = 2.0
"""A file changed this shortly before it was looked at may change again within the same clock tick."""


@contextlib.contextmanager
def atomic_file(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """Writes a file that appears under ``path`` only when it is complete.

    It is written beside ``path``, flushed to the disk and then renamed to it, so a reader sees the old file
    or the new one, and a power cut leaves one of the two. An exception inside the block removes it.

    Raises:
        OSError: it cannot be written. The error of a full disk has the file's name, which the system leaves
            out.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.{secrets.token_hex(6)}")
    try:
        with partial.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(target)
    except BaseException as error:
        partial.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno in NO_ROOM and error.filename is None:
            error.filename = str(target)
        raise


@contextlib.contextmanager
def temporary_folder(prefix: str) -> Iterator[Path]:
    """Makes a folder for temporary files, which is gone at the end of the block.

    Args:
        prefix: beginning of its name.

    Raises:
        ConfigError: it cannot be made.
    """
    import tempfile

    try:
        folder = tempfile.TemporaryDirectory(prefix=prefix)
    except OSError as error:
        # Python looks for a folder that can be written once, and names all of them if there is none.
        reason = f"{error.filename}: {error.strerror}" if error.filename else error.strerror or str(error)
        raise ConfigError(f"temporary files cannot be written: {reason}", hint=TEMPORARY_HINT) from error
    with folder as name:
        yield Path(name)


def sync_files(folder: Path) -> None:
    """Flushes every file in a folder of files to the disk."""
    for path in folder.iterdir():
        with path.open("r+b") as file:
            os.fsync(file.fileno())
    sync_folder(folder)


def sync_folder(folder: Path) -> None:
    """Flushes the names in a folder to the disk, on systems that can."""
    with contextlib.suppress(OSError):  # Windows opens no folder, and some network drives flush none
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def write_json(path: str | os.PathLike[str], value: Any) -> None:
    """Writes ``value`` as readable JSON, atomically."""
    with atomic_file(path) as file:
        file.write(json.dumps(value, indent=2, sort_keys=True).encode() + b"\n")


def sha256_bytes(data: bytes | memoryview) -> str:
    """Hexadecimal sha256 of ``data``."""
    return hashlib.sha256(data).hexdigest()


def sha256_file(path: str | os.PathLike[str]) -> str:
    """Hexadecimal sha256 of a file's bytes, read in blocks."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def md5_file(path: str | os.PathLike[str]) -> str:
    """Hexadecimal md5 of a file's bytes, read in blocks: to notice damage only, md5 protects from no one."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def stat_key(status: os.stat_result, *, now: float | None = None) -> str | None:
    """Makes a key that identifies the content of a file without reading it: size, times and inode, as text.

    A program can set the modification time back, but not the change time, so equal keys mean an unchanged
    file. Get the status *before* reading the file, and call this after reading: a file that is written to in
    between then has an old key, and will be read again.

    Args:
        status: status of the file, from before it was read.
        now: the time in seconds since 1970; the clock's by default.

    Returns:
        The key; None if the file changed within ``RACY_SECONDS`` of ``now``, or after it: file systems
        count time in steps of up to two seconds, so such a file could change and keep its key.

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


def digest_of(value: Mapping[str, Any]) -> str:
    """Hexadecimal sha256 of a mapping of JSON values, whatever the order of its keys.

    Example:
        >>> digest_of({"a": 1, "b": 2}) == digest_of({"b": 2, "a": 1})
        True
    """
    return sha256_bytes(json.dumps(value, sort_keys=True, separators=(",", ":")).encode())


def pack_vectors(vectors: npt.NDArray[np.floating[Any]], dtype: str = "<f4") -> list[bytes]:
    """Converts each row of ``vectors``, shape (n, dim), to little-endian bytes of ``dtype``."""
    rows = np.ascontiguousarray(vectors, dtype=np.dtype(dtype))
    return [row.tobytes() for row in rows]


def unpack_vectors(blobs: list[bytes], dim: int, dtype: str = "<f4") -> npt.NDArray[np.float32]:
    """Converts bytes of ``pack_vectors`` to a new array of shape (len(blobs), dim), float32.

    Raises:
        ValueError: if the bytes are not rows of ``dim`` numbers.
    """
    flat = np.frombuffer(b"".join(blobs), dtype=np.dtype(dtype))
    return flat.reshape(len(blobs), dim).astype(np.float32)


@contextlib.contextmanager
def hold_lock(path: Path, timeout: float, too_long: StyleSearchError) -> Iterator[None]:
    """Holds a lock between processes, which is released when its holder ends, even if it is killed.

    Args:
        path: the file that is locked; it is kept, and its folder is created.
        timeout: seconds to wait for another holder.
        too_long: the error that is raised after that time.
    """
    from filelock import FileLock, Timeout  # not needed by readers, which must start quickly

    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    try:
        lock.acquire(timeout=timeout)
    except Timeout as error:
        raise too_long from error
    try:
        yield
    finally:
        lock.release()


def expand_user(path: str | os.PathLike[str]) -> Path:
    """Replaces ``~`` at the beginning of a path by the user's home folder, and ``~NAME`` by that of NAME.

    Raises:
        ConfigError: the system knows no such folder: ``HOME`` is not set, and the user has no account.
    """
    try:
        return Path(path).expanduser()
    except (RuntimeError, KeyError) as error:
        raise ConfigError(
            f"there is no home folder for the path {os.fspath(path)!r}",
            hint="set HOME, or write the path without ~",
        ) from error


def cache_folder() -> Path:
    """Returns ``$STYLESEARCH_CACHE``, or the platform's folder for caches. It may not exist yet.

    For a user without a home folder it is one in the folder for temporary files, made here and readable to no
    one else.

    Raises:
        ConfigError: there is no home folder, and somebody else has made the folder that stands in for it.
    """
    chosen = os.environ.get("STYLESEARCH_CACHE")
    if chosen:
        return expand_user(chosen)
    import platformdirs

    try:
        return Path(platformdirs.user_cache_dir("stylesearch", appauthor=False))
    except (RuntimeError, KeyError):
        return _homeless_cache_folder(os.getuid() if hasattr(os, "getuid") else 0)


@functools.cache
def _homeless_cache_folder(user: int) -> Path:
    """Makes the folder for caches of a user without a home folder; logs once where it is."""
    import tempfile

    folder = Path(tempfile.gettempdir()) / f"stylesearch-{user}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        status = folder.lstat()
    except OSError as error:
        raise ConfigError(
            f"this user has no home folder, and {folder} cannot hold caches: {error.strerror or error}",
            hint="set STYLESEARCH_CACHE to a folder that can be written",
        ) from error
    # Everybody may make folders among temporary files, and networks are loaded from this one.
    if hasattr(os, "getuid") and not (
        stat.S_ISDIR(status.st_mode) and status.st_uid == user and not status.st_mode & 0o022
    ):
        raise ConfigError(
            f"this user has no home folder, and {folder}, which stands in for its caches, is open to others",
            hint="set STYLESEARCH_CACHE to a folder of your own",
        )
    log.warning(
        "this user has no home folder: caches are kept in %s; set STYLESEARCH_CACHE to a folder that lasts",
        folder,
    )
    return folder
