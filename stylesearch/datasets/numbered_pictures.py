"""Pictures that are called by their number, however somebody's downloader wrote it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from stylesearch.catalog.importers.tree import is_junk, is_no_picture
from stylesearch.datasets.listing import is_text
from stylesearch.errors import DatasetError

__all__ = ["NumberedPictures"]

_MAX_DIGITS: Final = 18


class NumberedPictures:
    """Finds pictures by number: ``000002847.jpg``, ``2847.jpeg``, ``dresses/2847.PNG``, ...

    The folders are listed once, when something is first looked for. Four hundred thousand pictures take
    about 40 MB: for each its number, and a pattern that it shares with others.

    Args:
        folders: where pictures may be, the usual one first.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = [os.path.abspath(folder) for folder in folders]  # noqa: PTH100 - links stay
        self._patterns: dict[int, str] | None = None

    def find(self, number: int) -> str | None:
        """The path of a picture; None if it is not there. Of two with one number the first by name counts.

        Raises:
            DatasetError: there is no folder.
        """
        if self._patterns is None:
            self._patterns = self._list()
        pattern = self._patterns.get(number)
        if pattern is None:
            return None
        before, width, after = pattern.split("\0")
        return f"{before}{number:0{width}d}{after}"

    def usual_path(self, number: int) -> str:
        """Where a picture would be by the rule."""
        return f"{self._folders[0]}/{number:09d}.jpg"

    def _list(self) -> dict[int, str]:
        folders = [folder for folder in self._folders if os.path.isdir(folder)]  # noqa: PTH112
        if not folders:
            raise DatasetError(
                f"no folder of pictures: {self._folders[0]}",
                hint="download the pictures that photos/photos.txt lists; docs/datasets.md says more",
            )
        found: dict[int, str] = {}
        shared: dict[str, str] = {}
        for folder in folders:
            for parent, below, names in os.walk(folder):
                below[:] = sorted(name for name in below if not is_junk(name) and is_text(name))
                for name in sorted(names):
                    stem, extension = os.path.splitext(name)  # noqa: PTH122 - a name, not a path
                    if _is_number(stem) and not is_junk(name) and not is_no_picture(name):
                        pattern = f"{parent}/\0{len(stem)}\0{extension}"
                        found.setdefault(int(stem), shared.setdefault(pattern, pattern))
        return found


def _is_number(stem: str) -> bool:
    return stem.isascii() and stem.isdigit() and len(stem) <= _MAX_DIGITS
