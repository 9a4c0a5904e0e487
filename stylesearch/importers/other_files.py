"""Knows kinds of files that are no source, but hold or were made of one, by their first bytes."""

from __future__ import annotations

import re
import zipfile
import zlib
from pathlib import Path
from typing import Final

from stylesearch.errors import DatasetError

__all__ = ["explain_other_file", "explain_url"]

_URL: Final = re.compile(r"(?:^|/)((?:https?|ftps?|sftp|s3|gs|az)):/+(.+)", re.IGNORECASE)
_KINDS: Final = (
    (b"\xd0\xcf\x11\xe0", "a workbook of an older Excel (.xls)", "save it as .xlsx, or as CSV"),
    (b"%PDF", "a PDF", "export the table itself, as CSV or .xlsx"),
    (b"\x1f\x8b", "packed with gzip", "unpack it first: gunzip --keep FILE"),
    (b"BZh", "packed with bzip2", "unpack it first: bunzip2 --keep FILE"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", "unpack it, and give the folder or the table that was in it"),
    (b"Rar!", "a RAR archive", "unpack it, and give the folder or the table that was in it"),
)


MIME_TYPE_BYTES: Final = 200
"""Of the file `mimetype` in an archive: more are no type, and may unpack to gigabytes."""


def explain_other_file(path: Path) -> DatasetError | None:
    """The error for a file that cannot be a source, with what to do; None if it may be one."""
    try:
        with path.open("rb") as file:
            start = file.read(8)
        if start.startswith(b"PK\x03\x04"):
            return _explain_archive(path)
    except (OSError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error):
        return None  # damaged, encrypted or packed as Python cannot unpack it: its reader says what is wrong
    found = next(((what, hint) for mark, what, hint in _KINDS if start.startswith(mark)), None)
    return DatasetError(f"{path} is {found[0]}", hint=found[1]) if found else None


def explain_url(path: Path) -> DatasetError | None:
    """The error for a URL that was given as a path; None if it is none."""
    found = _URL.search(str(path))
    if found is None:
        return None
    url = f"{found[1]}://{found[2]}"
    return DatasetError(
        f"a source is a file or a folder, and no URL. Received: {url}",
        hint=f"download it, and give the file: curl --location --output products.csv '{url}'",
    )


def _explain_archive(path: Path) -> DatasetError | None:
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        if "[Content_Types].xml" in names and any(name.startswith("xl/") for name in names):
            return None
        if "mimetype" in names:
            with archive.open("mimetype") as file:
                kind = file.read(MIME_TYPE_BYTES)
            if b"opendocument" in kind:
                return DatasetError(
                    f"{path} is an OpenDocument file (.ods)", hint="save it as .xlsx, or as CSV"
                )
    return DatasetError(
        f"{path} is a ZIP archive", hint="unpack it, and give the folder or the table that was in it"
    )
