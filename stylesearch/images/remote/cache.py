"""A folder of fetched pictures: a file for each content, and an index by URL.

```text
pictures/
├── ab/ab3f... .jpg    a picture, under the sha256 of its bytes
├── incoming/          files that are being written
├── index.sqlite       which URL has which picture, and what its server said of it; with -wal and -shm
└── index.lock         locked while the index is set up, or deleted
```

A file gets its name when it is complete and on the disk, and a URL is entered after that. So a process that
is killed leaves at most a file in ``incoming/``, which is removed later. The index can be deleted at any
time: pictures are then fetched again.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import itertools
import logging
import os
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from stylesearch.errors import NotAnImage, StyleSearchError
from stylesearch.files import hold_lock, sha256_file
from stylesearch.images.formats import HEAD_BYTES, describe_unreadable, recognise

__all__ = ["CacheStatus", "CachedPicture", "PictureCache"]

EXTENSIONS: Final = {
    "AVIF": "avif",
    "BMP": "bmp",
    "GIF": "gif",
    "HEIF": "heic",
    "JPEG": "jpg",
    "JPEG 2000": "jp2",
    "PNG": "png",
    "PPM": "ppm",
    "TIFF": "tif",
    "WebP": "webp",
}
"""Ending of a file by the format of its content."""

INDEX: Final = "index.sqlite"
INCOMING: Final = "incoming"
SCHEMA: Final = 1
ASKED_AT_ONCE: Final = 500
LEFT_BEHIND_SECONDS: Final = 3600.0
"""A file that nobody has written to for so long belongs to a process that has ended."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CachedPicture:
    """A picture of the cache.

    Attributes:
        url: where it was fetched from.
        path: its file, which was there when the cache was asked.
        sha256: hexadecimal digest of its bytes.
        size: number of its bytes.
        etag, last_modified: what the server said of it, as it said it; None where it said nothing.
        checked_at: when the server last said that this is the picture, in seconds since 1970.
    """

    url: str
    path: Path
    sha256: str
    size: int
    etag: str | None
    last_modified: str | None
    checked_at: float


@dataclass(frozen=True, slots=True)
class CacheStatus:
    """What a cache holds, or what was removed from it.

    Attributes:
        n_files: number of pictures.
        n_bytes: their bytes.
        n_urls: number of URLs that have one.
    """

    n_files: int
    n_bytes: int
    n_urls: int


class PictureCache:
    """Pictures by URL, for any number of threads and processes; a context manager that closes it.

    Nothing is created before the first picture is stored.

    Args:
        folder: the folder of the cache.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self._lock = threading.Lock()
        self._index: sqlite3.Connection | None = None

    def __enter__(self) -> PictureCache:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the index; it is opened again when it is needed."""
        with self._lock:
            self._disconnect()

    def find(self, url: str) -> CachedPicture | None:
        """Finds the picture of a URL; None where there is none, or its file is missing."""
        return self.find_many([url]).get(url)

    def find_many(self, urls: Iterable[str]) -> dict[str, CachedPicture]:
        """Finds the pictures of many URLs, by URL; those without a picture are left out."""
        if not self._has_index():
            return {}
        found: dict[str, CachedPicture] = {}
        iterator = iter(urls)
        while some := list(itertools.islice(iterator, ASKED_AT_ONCE)):
            query = (
                "SELECT url, file, sha256, size, etag, last_modified, checked_at FROM pictures "
                f"WHERE url IN ({','.join('?' * len(some))})"
            )
            for url, file, *rest in self._execute(query, some):
                path = self.folder / file
                if _size_of(path) == rest[1]:
                    found[url] = CachedPicture(url, path, *rest)
        return found

    def store(
        self, url: str, chunks: Iterable[bytes], *, etag: str | None = None, last_modified: str | None = None
    ) -> CachedPicture:
        """Stores a picture.

        Args:
            url: where it comes from.
            chunks: its bytes, in pieces of any size. An error that is raised while they are read leaves
                the cache as it was.
            etag, last_modified: headers of the answer.

        Raises:
            NotAnImage: the bytes are empty, or not a picture of a known format.
            OSError: the disk is full, or the folder cannot be written to.
        """
        iterator = iter(chunks)
        head = b""
        for chunk in iterator:
            head += chunk
            if len(head) >= HEAD_BYTES:
                break
        kind = recognise(head[:HEAD_BYTES])
        if kind is None:
            raise NotAnImage(describe_unreadable(head[:HEAD_BYTES]) if head else "empty")
        digest = hashlib.sha256()
        size = 0
        is_stored = False
        partial = self._incoming / f"{secrets.token_hex(8)}.part"
        try:
            with partial.open("xb", buffering=0) as file:
                for chunk in itertools.chain([head], iterator):
                    digest.update(chunk)
                    file.write(chunk)
                    size += len(chunk)
                sha256 = digest.hexdigest()
                path = self.folder / sha256[:2] / f"{sha256}.{EXTENSIONS[kind.name]}"
                if _size_of(path) != size or sha256_file(path) != sha256:
                    os.fsync(file.fileno())
                    try:
                        partial.replace(path)
                    except FileNotFoundError:
                        path.parent.mkdir(exist_ok=True)
                        partial.replace(path)
                    is_stored = True
        finally:
            if not is_stored:
                partial.unlink(missing_ok=True)
        picture = CachedPicture(url, path, sha256, size, etag, last_modified, time.time())
        self._execute(
            "INSERT OR REPLACE INTO pictures (url, file, sha256, size, etag, last_modified, checked_at) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            [url, f"{path.parent.name}/{path.name}", sha256, size, etag, last_modified, picture.checked_at],
        )
        return picture

    def touch(self, url: str) -> None:
        """Notes that the server of a URL has just said that its picture has not changed."""
        self._execute("UPDATE pictures SET checked_at = ? WHERE url = ?", [time.time(), url])

    def forget(self, url: str) -> None:
        """Forgets a URL, behind which there is no picture any more; the file stays until ``clear``."""
        self._execute("DELETE FROM pictures WHERE url = ?", (url,))

    def status(self) -> CacheStatus:
        """Counts pictures and URLs."""
        sizes = [size for _, size in self._pictures()]
        n_urls = self._execute("SELECT count(*) FROM pictures", [])[0][0] if self._has_index() else 0
        return CacheStatus(len(sizes), sum(sizes), n_urls)

    def clear(self, keep: Collection[str] | Callable[[str], bool] = ()) -> CacheStatus:
        """Removes pictures and the URLs that have them.

        Args:
            keep: sha256 of pictures that stay, or a function that tells it of each.

        Returns:
            What was removed.
        """
        stays = keep if callable(keep) else frozenset(keep).__contains__
        gone = [(path, size) for path, size in self._pictures() if not stays(path.stem)]
        urls: list[str] = []
        if self._has_index():  # first the URLs: an entry never points to a file that is not there
            entries = self._execute("SELECT url, sha256 FROM pictures", [])
            urls = [url for url, sha256 in entries if not stays(sha256)]
            for start in range(0, len(urls), ASKED_AT_ONCE):
                some = urls[start : start + ASKED_AT_ONCE]
                self._execute(f"DELETE FROM pictures WHERE url IN ({','.join('?' * len(some))})", some)
        for path, _ in gone:
            path.unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # other pictures are in it
                path.parent.rmdir()
        return CacheStatus(len(gone), sum(size for _, size in gone), len(urls))

    def _pictures(self) -> Iterator[tuple[Path, int]]:
        """Lists the files of pictures, with their sizes."""
        for path in self.folder.glob("[0-9a-f][0-9a-f]/*.*"):
            size = _size_of(path)
            if size is not None:
                yield path, size

    @functools.cached_property
    def _incoming(self) -> Path:
        """The folder of files that are being written, which is created."""
        folder = self.folder / INCOMING
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _remove_left_behind(self) -> None:
        """Removes files of processes that ended while they wrote them."""
        oldest = time.time() - LEFT_BEHIND_SECONDS
        for path in self._incoming.glob("*.part"):
            with contextlib.suppress(OSError):
                if path.stat().st_mtime < oldest:
                    path.unlink()

    def _has_index(self) -> bool:
        return self._index is not None or (self.folder / INDEX).exists()

    def _execute(self, statement: str, values: Sequence[object]) -> list[tuple[Any, ...]]:
        """Executes a statement in a transaction of its own; a damaged index is begun anew."""
        with self._lock:
            for last in (False, True):
                try:
                    if self._index is None:
                        self._index = self._connect()
                    return self._index.execute(statement, values).fetchall()
                except sqlite3.Error as error:
                    self._disconnect()
                    if last or not _means_damage(error):
                        raise StyleSearchError(
                            f"the index of fetched pictures, {self.folder / INDEX}, cannot be used: {error}",
                            hint="see whether the disk is full, the folder can be written to, and no other "
                            "process holds the file",
                        ) from error
                    log.warning("the index of fetched pictures is damaged and begun anew: %s", error)
                    self._delete_index()
        raise AssertionError("unreachable")

    def _connect(self) -> sqlite3.Connection:
        """Opens the index, and sets it up if it is new."""
        self._remove_left_behind()
        index = self._open()
        try:
            if _schema_of(index) != SCHEMA:
                with self._hold_index():  # SQLite refuses, without waiting, one of two that set it up at once
                    _set_up(index)
            index.execute("PRAGMA synchronous = NORMAL")
        except BaseException:
            index.close()
            raise
        return index

    def _open(self) -> sqlite3.Connection:
        return sqlite3.connect(
            self.folder / INDEX, timeout=60.0, isolation_level=None, check_same_thread=False
        )

    def _hold_index(self) -> contextlib.AbstractContextManager[None]:
        """Keeps other processes and threads from setting the index up, or deleting it, meanwhile."""
        too_long = StyleSearchError(
            f"another process holds the index of pictures in {self.folder}",
            hint="wait until it has ended, and try again",
        )
        return hold_lock(self.folder / "index.lock", 60.0, too_long)

    def _disconnect(self) -> None:
        if self._index is not None:
            self._index.close()
            self._index = None

    def _delete_index(self) -> None:
        """Deletes the index, unless another process has just replaced it with one that is whole."""
        with self._hold_index():
            try:
                with contextlib.closing(self._open()) as index:
                    _set_up(index)
            except sqlite3.Error as error:
                if _means_damage(error):
                    for ending in ("", "-wal", "-shm"):
                        (self.folder / f"{INDEX}{ending}").unlink(missing_ok=True)


def _schema_of(index: sqlite3.Connection) -> int:
    """The schema of an index; 0 where it is new.

    Raises:
        sqlite3.DatabaseError: it is of another version, which counts as damage.
    """
    version: int = index.execute("PRAGMA user_version").fetchone()[0]
    if version not in (0, SCHEMA):
        raise sqlite3.DatabaseError(f"it has the schema {version}, of another version of stylesearch")
    return version


def _set_up(index: sqlite3.Connection) -> None:
    """Creates what an index lacks.

    Raises:
        sqlite3.DatabaseError: it is damaged, or of another version.
    """
    _schema_of(index)
    index.execute("PRAGMA journal_mode = WAL")
    index.execute(
        "CREATE TABLE IF NOT EXISTS pictures (url TEXT PRIMARY KEY, file TEXT NOT NULL, "
        "sha256 TEXT NOT NULL, size INTEGER NOT NULL, etag TEXT, last_modified TEXT, "
        "checked_at REAL NOT NULL) WITHOUT ROWID"
    )
    index.execute(f"PRAGMA user_version = {SCHEMA}")


def _size_of(path: Path) -> int | None:
    """Number of bytes of a file; None where there is no such file."""
    try:
        return path.stat().st_size
    except OSError:
        return None


def _means_damage(error: sqlite3.Error) -> bool:
    """Whether a database is damaged or not one, rather than locked, full or not to be written to."""
    return isinstance(error, sqlite3.DatabaseError) and (
        type(error) is sqlite3.DatabaseError
        or any(said in str(error) for said in ("no such table", "no such column", "malformed"))
    )
