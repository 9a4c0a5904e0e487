"""A store of uploaded images that several machines share: a URL of ``fsspec``, such as ``s3://bucket/uploads``.

Which credentials are used is decided by the library of the store (``s3fs``, ``gcsfs``, ``adlfs``), as it is
for any other program on the machine. Files are named by the digest of their content, and never changed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from stylesearch.errors import ConfigError, MissingDependency
from stylesearch.files import atomic_file, sha256_bytes
from stylesearch.images.source import is_remote, without_secrets

__all__ = ["UploadStore", "is_upload_of", "open_upload_store", "upload_folder"]


def upload_folder(home: Path, uploads: str) -> Path:
    """The folder of images that were put over the API: of a store at a URL, that of its copies.

    Args:
        home: the workspace folder.
        uploads: the setting: empty for ``uploads/`` in the workspace folder, another folder, or a URL.
    """
    return home / "uploads" if not uploads or is_remote(uploads) else Path(uploads)


def open_upload_store(uploads: str) -> UploadStore | None:
    """Opens the store that the setting names; None where it is a folder.

    Raises:
        MissingDependency: what reads such URLs is not installed.
        ConfigError: it is no URL that can be used.
    """
    return UploadStore(uploads) if is_remote(uploads) else None


def is_upload_of(path: Path, sha256: str) -> bool:
    """Whether a path is one that an image put over the API gets: ``.../ab/abcd....jpg``."""
    return path.stem == sha256 and path.parent.name == sha256[:2]


class UploadStore:
    """The files of uploaded images at a URL, by their names.

    Whatever the store's library raises becomes an ``OSError``, as of a disk.

    Args:
        url: where they are.
    """

    def __init__(self, url: str) -> None:
        self.shown = without_secrets(url)
        try:
            from fsspec.core import url_to_fs

            self._store: Any
            self._store, self._root = url_to_fs(url)
        except ImportError as error:
            raise MissingDependency(
                f"{self.shown} is read with a library that is not installed ({error})",
                hint="pip install 'stylesearch[cloud]', and s3fs, gcsfs or adlfs",
            ) from error
        except ValueError as error:
            raise ConfigError(f"uploads: {self.shown} cannot be used: {error}") from error

    def put(self, name: str, data: bytes) -> None:
        """Writes a file, unless it is there."""
        place = self._place(name)
        with self._explained():
            if not self._store.exists(place) or self._store.size(place) != len(data):
                self._store.makedirs(place.rpartition("/")[0], exist_ok=True)
                self._store.pipe_file(place, data)

    def has(self, name: str) -> bool:
        """Whether there is a file."""
        with self._explained():
            return bool(self._store.exists(self._place(name)))

    def copy(self, name: str, target: Path) -> bool:
        """Copies a file; False where there is none, or it has other bytes than its name says."""
        with self._explained():
            try:
                data = self._store.cat_file(self._place(name))
            except FileNotFoundError:
                return False
        if sha256_bytes(data) != target.stem:
            return False
        with atomic_file(target) as file:
            file.write(data)
        return True

    def remove(self, name: str) -> None:
        """Removes a file; a missing one is no error."""
        if self.has(name):
            with self._explained():
                self._store.rm_file(self._place(name))

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError:
            raise
        except Exception as error:  # each store has errors of its own
            raise OSError(f"{self.shown} did not answer: {error or type(error).__name__}") from error

    def _place(self, name: str) -> str:
        return f"{self._root.rstrip('/')}/{name[:2]}/{name}"
