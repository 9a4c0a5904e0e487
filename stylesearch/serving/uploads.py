"""Names of files that are made from what is in them, never from what a client says."""

from __future__ import annotations

import contextlib
import glob
import json
import logging
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from stylesearch.errors import CatalogLocked, StyleSearchError
from stylesearch.files import atomic_file, sha256_bytes, sha256_file
from stylesearch.images.formats import HEAD_BYTES, recognise

if TYPE_CHECKING:
    from stylesearch.catalog import Catalog
    from stylesearch.workspace.workspace import Workspace


__all__ = [
    "UploadFolder",
    "change_noted",
    "keep_upload",
    "remove_if_unused",
    "suffix_of",
    "tidy_up",
]

FOLDER: Final = "uploads"
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


def suffix_of(format_name: str) -> str:
    """How names of files of a picture format end."""
    return _SUFFIXES[format_name]


class UploadFolder:
    """Pictures that were put in over the API, each once, by the digest of its bytes.

    The catalog has their absolute paths. These lead nowhere when the workspace has moved, and differ in
    their text when it was reached through a link: a file is recognised by what it really is, and by its name.

    Args:
        home: the workspace folder; they lie in ``uploads/`` of it.
    """

    def __init__(self, home: Path) -> None:
        self.folder = Path(os.path.realpath(home)) / FOLDER

    def path_of(self, data: bytes) -> Path:
        """Where a picture lies, or will."""
        digest = sha256_bytes(data)
        picture_format = recognise(data[:HEAD_BYTES])
        suffix = suffix_of(picture_format.name) if picture_format else ""
        return self.folder / digest[:2] / f"{digest}{suffix}"

    def store(self, data: bytes) -> None:
        """Writes a picture, unless it is there already, undamaged."""
        path = self.path_of(data)
        if not path.exists() or path.stat().st_size != len(data) or sha256_file(path) != sha256_bytes(data):
            with atomic_file(path) as file:
                file.write(data)

    def holds(self, path: str) -> bool:
        """Whether a file is one of these."""
        return os.path.realpath(Path(path).parent.parent) == os.path.realpath(self.folder)

    def place_of(self, path: str, sha256: str) -> Path | None:
        """Where a picture of the catalog lies here, or None for one that did not come over the API.

        Args:
            path: of the picture, as the catalog has it.
            sha256: hexadecimal digest of its bytes.
        """
        written = Path(path)
        place = self.folder / sha256[:2] / written.name
        if self.holds(path):
            return place
        has_moved = (
            written.stem == sha256
            and written.parts[-3:-1] == (FOLDER, sha256[:2])
            and not written.exists()
            and place.exists()
        )
        return place if has_moved else None

    def remove(self, path: str | Path) -> None:
        """Removes one of these files; that it has gone already is no error."""
        if not self.holds(str(path)):
            raise ValueError(f"not a file of {self.folder}: {path}")
        Path(path).unlink(missing_ok=True)


# Files of a change that was not finished, since its process was killed: a note tells which they are.
#
# The file of a picture has to lie in ``uploads/`` before the catalog lists it, and is removed when the
# catalog does so no more. What is killed in between leaves a file that nobody wants. The note of a change
# lists the files that it brings or may remove; it is written first, and is gone when the change is done. Who
# finds one while nobody writes knows what was left, and removes of it what the catalog does not list.
#
# Without notes everything would have to go that the catalog does not list. When it is another catalog than
# the one these pictures were put into, or an empty one while the right one is being restored, that would be
# all of them, and there may be no copies.

log = logging.getLogger(__name__)


@contextlib.contextmanager
def change_noted(
    catalog: Catalog, uploads: UploadFolder, files: Callable[[], Iterable[tuple[str, str]]]
) -> Iterator[None]:
    """Keeps a note of what a change may leave behind; of one that fails, nothing is left behind.

    Use it under the lock of a writer: then no other change goes on, and a note is of one that was killed.

    Args:
        catalog: is changed.
        uploads: where the files lie, or will.
        files: path, as the catalog has it, and sha256 of each. Called when what the last change left has been
            cleared away: a file of that one may be wanted by this one, and is then new again.
    """
    _finish(catalog, uploads)
    note = _note_of(catalog, uploads)
    if noted := sorted(set(files())):
        note.parent.mkdir(parents=True, exist_ok=True)
        with note.open("w", encoding="utf-8") as file:
            json.dump(noted, file)
            file.flush()
            os.fsync(file.fileno())
    try:
        yield
    except BaseException:
        try:
            _finish(catalog, uploads)
        except (OSError, StyleSearchError) as error:  # the note stays, for whoever writes next
            log.warning("what a change left behind stays for now: %s", error)
        raise
    note.unlink(missing_ok=True)


def tidy_up(workspace: Workspace, uploads: UploadFolder) -> None:
    """Removes what a change of a process that was killed has left, unless another process is writing now.

    Quick, and never waits: where there is no note, the catalog is not even opened. What cannot be done now is
    done before the next change.
    """
    if not any(uploads.folder.glob(_note_name("*"))):
        return
    try:
        catalog = workspace.catalog
        if not catalog.readonly:
            with catalog.writing(timeout=0):
                _finish(catalog, uploads)
    except CatalogLocked:
        log.info("what a change left behind is left to the process that is writing")
    except (OSError, StyleSearchError) as error:
        log.warning("what a change left behind stays for now: %s", error)


def remove_if_unused(catalog: Catalog, uploads: UploadFolder, path: str, sha256: str) -> None:
    """Removes a file of these uploads that the catalog lists no more, under whatever name.

    Args:
        catalog: may list it.
        uploads: may have it; what lies elsewhere stays.
        path: of the picture, as the catalog had it.
        sha256: hexadecimal digest of its bytes.
    """
    place = uploads.place_of(path, sha256)
    if place is None or catalog.is_in_use(sha256, path):
        return
    same = catalog.images_with_digest(sha256, domain=None)
    if not any(uploads.place_of(other.path, other.sha256) == place for other in same):
        uploads.remove(place)


def _note_name(catalog_id: str) -> str:
    """One for each catalog: a writer is alone, so it has the only change."""
    return f"unfinished-{catalog_id}.json"


def _note_of(catalog: Catalog, uploads: UploadFolder) -> Path:
    return uploads.folder / _note_name(catalog.id)


def _finish(catalog: Catalog, uploads: UploadFolder) -> None:
    """Clears away what the last change has left, if it was not finished; under the lock of a writer."""
    note = _note_of(catalog, uploads)
    for path, sha256 in _read(note):
        for partial in _partial_files(uploads, path, sha256):
            partial.unlink(missing_ok=True)
        remove_if_unused(catalog, uploads, path, sha256)
    note.unlink(missing_ok=True)


def _read(note: Path) -> list[tuple[str, str]]:
    try:
        return [(str(path), str(sha256)) for path, sha256 in json.loads(note.read_bytes())]
    except FileNotFoundError:
        return []
    except ValueError:  # cut short: its change had not begun
        return []


def _partial_files(uploads: UploadFolder, path: str, sha256: str) -> list[Path]:
    """What :func:`stylesearch.files.atomic_file` was writing to when it was killed."""
    folder, name = uploads.folder / sha256[:2], Path(path).name
    return list(folder.glob(f".{glob.escape(name)}.*"))


# Keeping the photos that were searched with, where the server's owner asks for it.


def keep_upload(folder: str, photo: bytes) -> None:
    """Writes a photo that was searched with into a folder, under its digest.

    Where that fails the search is answered all the same, and the log says so.
    """
    picture_format = recognise(photo[:HEAD_BYTES])
    if picture_format is None:
        return
    path = Path(folder) / f"{sha256_bytes(photo)}{suffix_of(picture_format.name)}"
    try:
        if not path.exists():
            with atomic_file(path) as file:
                file.write(photo)
    except OSError as error:
        log.error("a photo could not be kept in %s: %s", folder, error)
