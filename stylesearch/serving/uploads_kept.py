"""Keeping the photos that were searched with, where the server's owner asks for it."""

from __future__ import annotations

import logging
from pathlib import Path

from stylesearch.images.formats import HEAD_BYTES, recognise
from stylesearch.serving.stored_files import suffix_of
from stylesearch.storage import atomic_file, sha256_bytes

__all__ = ["keep_upload"]

log = logging.getLogger(__name__)


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
