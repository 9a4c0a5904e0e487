"""Names of files that are made from what is in them, never from what a client says."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from stylesearch.images.formats import HEAD_BYTES, recognise
from stylesearch.storage import atomic_file, sha256_bytes, sha256_file

__all__ = ["UploadFolder", "suffix_of"]

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
