"""Stores files from the API: images of products with a journal, and photos that were searched with.

File names are made from the content, never from a client's names.

The file of an image must be in ``uploads/`` before the catalog lists it, and is removed when the catalog no
longer does. A process that is killed in between leaves an unused file. So each change first writes a journal
with the files that it adds or may remove, and removes the journal at its end. A process that finds a journal
while no other writes removes those of its files that the catalog does not list.

Without a journal, every file that the catalog does not list would have to be removed. With a catalog other
than the one that these images were put into, or an empty one while the right one is being restored, that
would remove all of them, and there may be no copies.
"""

from __future__ import annotations

import contextlib
import glob
import json
import logging
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from stylesearch.data_files import read_json
from stylesearch.errors import CatalogLocked, StyleSearchError
from stylesearch.files import atomic_file, sha256_bytes, sha256_file
from stylesearch.images.formats import HEAD_BYTES, recognise
from stylesearch.images.upload_store import is_upload_of, open_upload_store, upload_folder

if TYPE_CHECKING:
    from stylesearch.catalog import Catalog
    from stylesearch.workspace.workspace import Workspace

__all__ = ["UploadFolder", "keep_upload", "remove_if_unused", "resume", "upload_journal"]

log = logging.getLogger(__name__)

_SUFFIXES: Final = {
    "AVIF": ".avif",
    "BMP": ".bmp",
    "GIF": ".gif",
    "HEIF": ".heic",
    "JPEG": ".jpg",
    "JPEG 2000": ".jp2",
    "PNG": ".png",
    "PPM": ".ppm",
    "TIFF": ".tif",
    "WebP": ".webp",
}


class UploadFolder:
    """The folder of images that were put over the API, each once, in files named by their digest.

    The catalog has their absolute paths, which are wrong after the workspace was moved, and differ when it
    was opened through a link: so a file is recognised by its real path and by its name.

    Of a store at a URL the folder has copies: a file that another machine has put is copied when it is
    looked for. The journal lies in the folder: in one that machines share, each finds what another has left.

    Args:
        home: the workspace folder; the files lie in its ``uploads/``.
        elsewhere: the setting ``uploads``: another folder, or a URL.

    Raises:
        MissingDependency, ConfigError: as ``open_upload_store``.
    """

    def __init__(self, home: Path, elsewhere: str = "") -> None:
        self.folder = Path(os.path.realpath(upload_folder(home, elsewhere)))
        self._store = open_upload_store(elsewhere)

    def path_of(self, data: bytes) -> Path:
        """Path of the file of an image, which need not exist yet."""
        digest = sha256_bytes(data)
        format = recognise(data[:HEAD_BYTES])
        suffix = _SUFFIXES[format.name] if format else ""
        return self.folder / digest[:2] / f"{digest}{suffix}"

    def store(self, data: bytes) -> None:
        """Writes an image, unless its file exists undamaged."""
        path = self.path_of(data)
        if not path.exists() or path.stat().st_size != len(data) or sha256_file(path) != sha256_bytes(data):
            with atomic_file(path) as file:
                file.write(data)
        if self._store is not None:
            self._store.put(path.name, data)

    def holds(self, path: str) -> bool:
        """Whether a file is in this folder."""
        return os.path.realpath(Path(path).parent.parent) == os.path.realpath(self.folder)

    def find(self, path: str, sha256: str) -> Path | None:
        """Finds the file of an image of the catalog; None for one that was not put over the API.

        Args:
            path: path of the image, as the catalog has it.
            sha256: hexadecimal digest of its bytes.
        """
        listed = Path(path)
        file = self.folder / sha256[:2] / listed.name
        if self._store is not None and is_upload_of(listed, sha256) and not file.exists():
            self._store.copy(file.name, file)
        if self.holds(path):
            return file
        has_moved = is_upload_of(listed, sha256) and not listed.exists() and file.exists()
        return file if has_moved else None

    def remove(self, path: str | Path) -> None:
        """Removes a file of this folder; a missing one is no error."""
        if not self.holds(str(path)):
            raise ValueError(f"not a file of {self.folder}: {path}")
        if self._store is not None:
            self._store.remove(Path(path).name)
        Path(path).unlink(missing_ok=True)


@contextlib.contextmanager
def upload_journal(
    catalog: Catalog, uploads: UploadFolder, files: Callable[[], Iterable[tuple[str, str]]]
) -> Iterator[None]:
    """Keeps a journal of the files of a change; if the change fails, its unused files are removed.

    Must be used under the writer's lock: then no other change is running, and an existing journal is that of
    a process that was killed.

    Args:
        catalog: the catalog that is changed.
        uploads: folder of the files.
        files: returns path, as the catalog has it, and sha256 of each file. Called after the leftovers of the
            last change have been removed, since one of them may be a new file of this change.
    """
    _remove_leftovers(catalog, uploads)
    journal = _journal_path(catalog, uploads)
    if entries := sorted(set(files())):
        journal.parent.mkdir(parents=True, exist_ok=True)
        with journal.open("w", encoding="utf-8") as file:
            json.dump(entries, file)
            file.flush()
            os.fsync(file.fileno())
    try:
        yield
    except BaseException:
        try:
            _remove_leftovers(catalog, uploads)
        except (OSError, StyleSearchError) as error:  # the journal is kept for the next change
            log.warning("what a change left behind stays for now: %s", error)
        raise
    journal.unlink(missing_ok=True)


def resume(workspace: Workspace, uploads: UploadFolder) -> None:
    """Removes the files that a killed process has left, unless another process is writing.

    Quick, and never waits: without a journal, the catalog is not opened. Files that cannot be removed now are
    removed before the next change.
    """
    if not any(uploads.folder.glob(_journal_name("*"))):
        return
    try:
        catalog = workspace.catalog
        if not catalog.readonly:
            with catalog.writing(timeout=0):
                _remove_leftovers(catalog, uploads)
    except CatalogLocked:
        log.info("what a change left behind is left to the process that is writing")
    except (OSError, StyleSearchError) as error:
        log.warning("what a change left behind stays for now: %s", error)


def remove_if_unused(catalog: Catalog, uploads: UploadFolder, path: str, sha256: str) -> None:
    """Removes an uploaded file that the catalog no longer lists, under any path.

    Args:
        catalog: the catalog.
        uploads: folder of uploaded files; files elsewhere are kept.
        path: path of the image, as the catalog had it.
        sha256: hexadecimal digest of its bytes.
    """
    file = uploads.find(path, sha256)
    if file is None or catalog.is_in_use(sha256, path):
        return
    same = catalog.images_with_digest(sha256, domain=None)
    if not any(uploads.find(other.path, other.sha256) == file for other in same):
        uploads.remove(file)


def _journal_name(catalog_id: str) -> str:
    """Name of the journal of a catalog, which has one since only one process writes to it."""
    return f"unfinished-{catalog_id}.json"


def _journal_path(catalog: Catalog, uploads: UploadFolder) -> Path:
    return uploads.folder / _journal_name(catalog.id)


def _remove_leftovers(catalog: Catalog, uploads: UploadFolder) -> None:
    """Removes the unused files of the last change, if it was not finished; under the writer's lock."""
    journal = _journal_path(catalog, uploads)
    for path, sha256 in _read_journal(journal):
        for partial in _partial_files(uploads, path, sha256):
            partial.unlink(missing_ok=True)
        remove_if_unused(catalog, uploads, path, sha256)
    journal.unlink(missing_ok=True)


def _read_journal(journal: Path) -> list[tuple[str, str]]:
    try:
        return [(str(path), str(sha256)) for path, sha256 in read_json(journal)]
    except FileNotFoundError:
        return []
    except (ValueError, TypeError):  # an incomplete journal: its change had not begun
        return []


def _partial_files(uploads: UploadFolder, path: str, sha256: str) -> list[Path]:
    """Finds files that ``stylesearch.files.atomic_file`` was writing when its process was killed."""
    folder, name = uploads.folder / sha256[:2], Path(path).name
    return list(folder.glob(f".{glob.escape(name)}.*"))


def keep_upload(folder: str, photo: bytes) -> None:
    """Writes a photo that was searched with into a folder, under its digest.

    A failure is only logged, and the search is answered.
    """
    format = recognise(photo[:HEAD_BYTES])
    if format is None:
        return
    path = Path(folder) / f"{sha256_bytes(photo)}{_SUFFIXES[format.name]}"
    try:
        if not path.exists():
            with atomic_file(path) as file:
                file.write(photo)
    except OSError as error:
        log.error("a photo could not be kept in %s: %s", folder, error)
