"""Atomic files, locks between processes, content hashes, vectors as bytes, and the user's cache folder."""

from __future__ import annotations

import contextlib
import errno
import functools
import hashlib
import json
import logging
import math
import os
import re
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
    "LEFT_BEHIND_SECONDS",
    "NO_ROOM",
    "RACY_SECONDS",
    "TEMPORARY_HINT",
    "atomic_file",
    "cache_folder",
    "digest_of",
    "expand_user",
    "find_partials",
    "has_digest",
    "hold_lock",
    "md5_file",
    "pack_vectors",
    "remove_partials",
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

LEFT_BEHIND_SECONDS: Final = 3600.0
"""A file that nobody has written to for so long belongs to a process that has ended."""

_PARTIAL: Final = re.compile(r"\..+\.[0-9a-f]{12}\.partial")
_CAN_MOVE_OPEN_FILES: Final = os.name != "nt"
_LOOK_AGAIN_SECONDS: Final = 600.0
_looked_at: Final[dict[Path, float]] = {}
"""Folders that were looked through for partial files, and when."""

RACY_SECONDS: Final = 2.0
"""A file changed this shortly before it was looked at may change again within the same clock tick."""


@contextlib.contextmanager
def atomic_file(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """Writes a file that appears under ``path`` only when it is complete.

    It is written beside ``path``, flushed to the disk and then renamed to it, so a reader sees the old file
    or the new one, and a power cut leaves one of the two. An exception inside the block removes it. What a
    process that was killed has left is removed by a later write in that folder: see ``remove_partials``.

    Raises:
        OSError: it cannot be written. The error of a full disk has the file's name, which the system leaves
            out.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    _remove_partials_sometimes(target.parent)
    partial, file = _new_partial(target)
    try:
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
            if _CAN_MOVE_OPEN_FILES:  # while it is locked
                partial.replace(target)
        if not _CAN_MOVE_OPEN_FILES:
            partial.replace(target)
    except BaseException as error:
        partial.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno in NO_ROOM and error.filename is None:
            error.filename = str(target)
        raise


def find_partials(folder: Path) -> list[Path]:
    """Lists files that ``atomic_file`` was writing in a folder when its process was killed.

    Those of a process that is still writing are left out: it holds a lock on each, which the system takes
    back when the process ends. Where the file system has no such locks, one that nobody has written to for
    an hour counts as left.
    """
    return [path for path in _partials(folder) if _is_left(path, remove=False)]


def remove_partials(folder: Path) -> None:
    """Removes what ``find_partials`` finds."""
    for path in _partials(folder):
        _is_left(path, remove=True)


def _remove_partials_sometimes(folder: Path) -> None:
    """Removes partial files at the first write to a folder and once in a while, since it lists the folder."""
    now = time.monotonic()
    if now - _looked_at.get(folder, -math.inf) > _LOOK_AGAIN_SECONDS:
        _looked_at[folder] = now
        remove_partials(folder)


def _partials(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            return [Path(entry.path) for entry in entries if _PARTIAL.fullmatch(entry.name)]
    except OSError:  # gone, or not to be listed
        return []


def _new_partial(target: Path) -> tuple[Path, IO[bytes]]:
    """Creates the file that becomes ``target``, and locks it for as long as it is open."""
    while True:
        partial = target.with_name(f".{target.name}.{secrets.token_hex(6)}.partial")
        file = partial.open("xb")
        if _lock(file) is not False and os.fstat(file.fileno()).st_nlink:
            return partial, file
        file.close()  # another process took it for one that was left, between its creation and its lock


def _is_left(path: Path, *, remove: bool) -> bool:
    """Whether nobody is writing to a partial file; then removes it if wanted, before anybody can lock it."""
    try:
        with path.open("r+b") as file:
            locked = _lock(file)
            if locked is None:
                locked = time.time() - os.fstat(file.fileno()).st_mtime > LEFT_BEHIND_SECONDS
            if locked and remove and _CAN_MOVE_OPEN_FILES:
                path.unlink(missing_ok=True)
        if locked and remove and not _CAN_MOVE_OPEN_FILES:
            path.unlink(missing_ok=True)
    except OSError as error:  # gone meanwhile, or another user's
        log.debug("%s is left where it is: %s", path, error)
        return False
    return locked


def _lock(file: IO[bytes]) -> bool | None:
    """Locks a file until it is closed; False where somebody else holds it, None without such locks."""
    try:
        import fcntl
    except ImportError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


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


def has_digest(path: Path, sha256: str) -> bool:
    """Whether a file can be read, and has a digest."""
    try:
        return sha256_file(path) == sha256
    except OSError:
        return False


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
