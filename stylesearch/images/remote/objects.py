"""Fetches one picture of an object store: S3, Google Cloud Storage, Azure, through ``fsspec``.

Which credentials are used is decided by the library of the store (``s3fs``, ``gcsfs``, ``adlfs``), as it is
for any other program on the machine. Which buckets may be read: ``stylesearch.images.remote.buckets``.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from stylesearch.errors import MissingDependency, NotAnImage
from stylesearch.images.remote.buckets import OBJECT_SCHEMES
from stylesearch.images.remote.hosts import Job, Retry, RetryKind
from stylesearch.images.remote.values import Fetched, FetchOptions, NotFetched

if TYPE_CHECKING:
    from stylesearch.images.remote.cache import PictureCache

__all__ = ["ObjectReader"]

_BLOCK: Final = 2**18
_DATES: Final = ("last_modified", "LastModified", "mtime", "updated", "created")


class ObjectReader:
    """Fetches pictures of object stores into a cache, for any number of threads.

    Args:
        cache: where pictures are stored.
        options: limits.
    """

    def __init__(self, cache: PictureCache, options: FetchOptions) -> None:
        self._cache = cache
        self._options = options
        self._stores: dict[str, Any] = {}
        self._lock = threading.Lock()

    def open(self, scheme: str) -> None:
        """Loads what reads URLs of a scheme.

        Raises:
            MissingDependency: it is not installed.
        """
        with self._lock:
            if scheme in self._stores:
                return
            package = OBJECT_SCHEMES[scheme]
            try:
                import fsspec

                self._stores[scheme] = fsspec.filesystem(scheme)
            except ImportError as error:
                raise MissingDependency(
                    f"pictures behind {scheme}:// are read with {package}, which is not installed ({error})",
                    hint=f"pip install 'stylesearch[cloud]' {package}",
                ) from error

    def fetch(self, job: Job) -> Fetched | NotFetched | Retry:
        """Fetches the picture of a job, or learns from its store that it has not changed.

        Raises:
            OSError: the picture cannot be stored.
        """
        scheme = job.host.partition("://")[0]
        store = self._stores[scheme]
        try:
            info = store.info(job.url)
            if info.get("type") == "directory":
                return NotFetched(job.url, "a folder, not a picture", is_gone=True)
            if (size := info.get("size") or 0) > self._options.max_bytes:
                limit = self._options.max_bytes
                return NotFetched(job.url, f"it has {size:,} bytes; {limit:,} are the limit")
            version = _version_of(info)
            if job.cached is not None and version is not None and job.cached.etag == version:
                self._cache.touch(job.url)
                return Fetched(job.url, job.cached.path, job.cached.sha256, is_new=False)
            opened = store.open(job.url, "rb")
        except FileNotFoundError:
            return NotFetched(job.url, "the store has no such picture", is_gone=True)
        except (PermissionError, ValueError) as error:
            return NotFetched(job.url, f"the store refuses it: {error}")
        except Exception as error:  # each store has errors of its own
            return Retry(f"the store did not answer: {error or type(error).__name__}", RetryKind.CONNECTION)
        pieces = _Pieces(opened, self._options.max_bytes)
        try:
            with opened:
                picture = self._cache.store(job.url, pieces, etag=version)
        except NotAnImage as error:
            return NotFetched(job.url, f"not a picture: {error}")
        except Exception as error:
            if pieces.error is not error:
                raise
            if isinstance(error, _TooLong):
                return NotFetched(job.url, str(error))
            return Retry(f"the picture was cut off: {error or type(error).__name__}", RetryKind.ANSWER)
        is_new = job.cached is None or job.cached.sha256 != picture.sha256
        return Fetched(job.url, picture.path, picture.sha256, is_new)


class _TooLong(Exception):
    """An object with more bytes than are allowed."""


class _Pieces:
    """The bytes of an open object; remembers the error that reading it ended with."""

    def __init__(self, opened: Any, limit: int) -> None:
        self._opened = opened
        self._limit = limit
        self.error: BaseException | None = None

    def __iter__(self) -> Iterator[bytes]:
        n_bytes = 0
        try:
            while piece := self._opened.read(_BLOCK):
                n_bytes += len(piece)
                if n_bytes > self._limit:
                    raise _TooLong(f"it has more than {self._limit:,} bytes")
                yield piece
        except Exception as error:
            self.error = error
            raise


def _version_of(info: dict[str, Any]) -> str | None:
    """Text that changes with an object: its ETag, or else its date and size. None where neither is known."""
    etag = info.get("ETag") or info.get("etag") or info.get("md5Hash")
    if etag:
        return str(etag)
    date = next((info[name] for name in _DATES if info.get(name)), None)
    return None if date is None else json.dumps([str(date), info.get("size")])
