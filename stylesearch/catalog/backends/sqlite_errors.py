"""Translates the errors of SQLite, and of the files that it keeps, into those of this library."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NoReturn

from sqlalchemy.engine import ExceptionContext

from stylesearch.catalog.backends.base import BUSY_SECONDS
from stylesearch.errors import CatalogDamaged, CatalogError, CatalogLocked
from stylesearch.files import TEMPORARY_HINT

__all__ = ["explain", "explain_errors", "explain_sqlite", "unreadable_words"]

ALMOST_FULL: Final = 1 << 20
"""Free bytes below which a disk is what an error about space is about."""


@contextlib.contextmanager
def explain_errors(file: Path) -> Iterator[None]:
    """Translates errors of SQLite itself and of files as those that come through SQLAlchemy."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        explain_sqlite(error, file)
        raise CatalogError(f"SQLite failed on the catalog {file}: {error}") from error
    except OSError as error:
        raise CatalogError(f"cannot write beside the catalog {file}: {error}") from error


def unreadable_words(place: object, error: UnicodeDecodeError) -> CatalogDamaged:
    """The error where SQLite complains of a schema in words that are no UTF-8 themselves."""
    return CatalogDamaged(f"{place}: the schema has a name that is no UTF-8: {error.object[:60]!r}")


def explain(context: ExceptionContext, file: Path) -> None:
    """Turns an error of the database into one of this library; programming errors stay as they are."""
    original = context.original_exception
    if isinstance(original, sqlite3.DatabaseError):
        explain_sqlite(original, file, context.statement)
    elif isinstance(original, UnicodeDecodeError):
        raise unreadable_words(file, original) from original


_DAMAGE: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_FORMAT, sqlite3.SQLITE_TOOBIG)
"""What SQLite says of a file whose bytes make no sense to it."""

_SAYS_DAMAGE: Final = re.compile(
    "Could not decode to UTF-8|malformed|no such (table|column|index)|has no column named"
    "|unsupported file format|unknown encoding"
)
"""Errors without a code of their own; the schema is fixed, so that a table that is missing is damage."""


def explain_sqlite(error: sqlite3.DatabaseError, file: Path, statement: str | None = None) -> None:
    """Raises the error of this library that an error of SQLite stands for; returns if there is none."""
    extended = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK)
    code = extended & 0xFF  # the primary code is the lowest byte
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        raise CatalogLocked(
            f"another program has been writing to the catalog {file} for {BUSY_SECONDS:.0f} s",
            hint="wait until it is done, or end it, and try again",
        ) from error
    if code == sqlite3.SQLITE_NOTADB:
        raise CatalogDamaged(
            f"{file} is no SQLite database",
            hint="restore a backup, or move it away and ingest again, or give another path",
        ) from error
    if code in _DAMAGE or _SAYS_DAMAGE.search(str(error)):
        tables = sorted(set(re.findall(r"(?:FROM|JOIN|UPDATE|INTO) (\w+)", statement or "")))
        where = f" (read from {', '.join(tables)})" if tables else ""
        raise CatalogDamaged(f"{file}: {error}{where}") from error
    if code == sqlite3.SQLITE_FULL:
        if (temporary := _full_temporary_folder(file)) is not None:
            _fail(error, f"no space left for SQLite's temporary files in {temporary}", TEMPORARY_HINT)
        _fail(error, f"no space left for the catalog {file}", "free some space and run it again")
    if code == sqlite3.SQLITE_CANTOPEN:
        _fail(error, f"cannot open the catalog {file}", _why_not_opened(file))
    if code == sqlite3.SQLITE_READONLY and extended != sqlite3.SQLITE_READONLY:
        _fail(
            error,
            f"cannot open the catalog {file}: its folder may not be written to",
            "even readers write beside it, to agree with a writer: allow it, or copy it to read-only storage",
        )
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM):
        _fail(error, f"may not write to the catalog {file}", "check the permissions of file and folder")
    if code == sqlite3.SQLITE_IOERR:
        # A reader, too, writes beside the catalog; on some file systems a full disk is told like this.
        if shutil.disk_usage(file.parent).free < ALMOST_FULL:
            _fail(error, f"no space left beside the catalog {file}", "free some space and run it again")
        _fail(error, f"the disk failed under the catalog {file}: {error}", "check the disk, then try again")


def _full_temporary_folder(file: Path) -> Path | None:
    """The folder of SQLite's temporary files, if that is full and the catalog's disk is not."""
    chosen = (os.environ.get("SQLITE_TMPDIR"), os.environ.get("TMPDIR"), "/var/tmp", "/usr/tmp", "/tmp")
    folder = next((Path(one) for one in chosen if one and os.access(one, os.W_OK | os.X_OK)), None)
    if folder is None:
        return None
    beside, free = (shutil.disk_usage(one).free for one in (file.parent, folder))
    return folder if free < ALMOST_FULL <= beside else None


def _fail(error: Exception, message: str, hint: str) -> NoReturn:
    raise CatalogError(message, hint=hint) from error


def _why_not_opened(path: Path) -> str:
    if path.is_dir():
        return "that is a folder: give the path of a file"
    if not path.parent.is_dir():
        return f"there is no folder {path.parent}"
    if not path.exists() and os.access(path.parent, os.W_OK):
        return "there is no such file: run `stylesearch ingest` first"
    return "check the permissions of file and folder, or open it for reading only"
