"""Files of a change that was not finished, since its process was killed: a note tells which they are.

The file of a picture has to lie in ``uploads/`` before the catalog lists it, and is removed when the
catalog does so no more. What is killed in between leaves a file that nobody wants. The note of a change
lists the files that it brings or may remove; it is written first, and is gone when the change is done. Who
finds one while nobody writes knows what was left, and removes of it what the catalog does not list.

Without notes everything would have to go that the catalog does not list. When it is another catalog than
the one these pictures were put into, or an empty one while the right one is being restored, that would be
all of them, and there may be no copies.
"""

from __future__ import annotations

import contextlib
import glob
import json
import logging
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from stylesearch.errors import CatalogLocked, StyleSearchError

if TYPE_CHECKING:
    from stylesearch.catalog import Catalog
    from stylesearch.serving.stored_files import UploadFolder
    from stylesearch.workspace import Workspace

__all__ = ["change_noted", "remove_if_unused", "tidy_up"]

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
    """What :func:`stylesearch.storage.atomic_file` was writing to when it was killed."""
    folder, name = uploads.folder / sha256[:2], Path(path).name
    return list(folder.glob(f".{glob.escape(name)}.*"))
