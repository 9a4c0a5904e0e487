"""Where the pictures of a table are: beside it, unless the user allows more."""

from __future__ import annotations

import functools
import os
import re
import stat
from pathlib import Path
from typing import Final

from stylesearch.catalog.importers.table_text import BadRow

__all__ = ["PicturePaths"]

_REMOTE: Final = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]+:)?//|data:", re.IGNORECASE)


class PicturePaths:
    """Turns what a table says into the path of a file that is there and may be read.

    A table may come from somebody else, so without ``allow_outside`` it cannot reach beyond its own folder:
    not by an absolute path, not by ``..``, not through links.
    """

    def __init__(self, folder: Path, *, allow_outside: bool) -> None:
        self._folder = str(folder)
        self._allow_outside = allow_outside
        self._inside = os.path.realpath(folder).rstrip("/") + "/"
        self._real_folder = functools.lru_cache(maxsize=1024)(os.path.realpath)

    def locate(self, cell: str) -> str:
        """The absolute path of the picture that ``cell`` names.

        Raises:
            BadRow: it is remote, outside, missing, or not a file.
        """
        if _REMOTE.match(cell):
            raise BadRow(f"pictures must be local files in this version. Received: {cell}")
        path = os.path.join(self._folder, cell)  # noqa: PTH118 - an absolute cell replaces the folder
        if "\\" in cell and not os.path.lexists(path):
            path = os.path.join(self._folder, cell.replace("\\", "/"))  # noqa: PTH118 - written on Windows
        real = self._real(path)
        if not self._allow_outside and not real.startswith(self._inside):
            raise BadRow(
                "the picture is outside the folder of the table (--allow-outside lets it in). "
                f"Received: {cell}"
            )
        try:
            mode = os.stat(path).st_mode  # noqa: PTH116 - five million of them: no Path for each
        except FileNotFoundError:
            raise BadRow(f"no such picture: {path}") from None
        except OSError as error:
            raise BadRow(f"cannot look at the picture {path}: {error.strerror}") from error
        if not stat.S_ISREG(mode):
            raise BadRow(f"not a file: {path}")
        # Without its "..", a path through a link would lead elsewhere.
        return real if ".." in path.split("/") else os.path.normpath(path)

    def relative(self, path: str) -> str:
        """A located path as it is from the folder of the table."""
        return os.path.relpath(path, self._folder)

    def _real(self, path: str) -> str:
        """``os.path.realpath``, with the folder's part kept from one picture to the next."""
        folder, name = os.path.split(path)
        if name in ("", ".", ".."):
            return os.path.realpath(path)
        plain = os.path.join(self._real_folder(folder), name)  # noqa: PTH118 - as above
        return os.path.realpath(plain) if os.path.islink(plain) else plain  # noqa: PTH114 - as above
