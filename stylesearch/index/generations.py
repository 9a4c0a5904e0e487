"""Generations of one index: each in a folder of its own, never changed; a small file names the one in use.

A reader that has files mapped into memory dies if they are overwritten, and may read two halves of different
builds. So a build fills a new folder, and ``os.replace`` swaps the pointer. The generation before the current
one is kept for readers that have just looked at the pointer.
"""

from __future__ import annotations

import contextlib
import logging
import re
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from stylesearch.errors import IndexDamaged, IndexingError
from stylesearch.storage import atomic_file, locked, sync_files, sync_folder

__all__ = ["Generations"]

log = logging.getLogger(__name__)

_POINTER = "CURRENT"
_GENERATION = re.compile(r"g(\d{8})-[0-9a-f]{8}")
_UNFINISHED = "building-"
_PATIENCE = 1800.0
"""Seconds to wait for another build of the same index."""


class Generations:
    """The generations in a folder.

    Args:
        folder: made at the first build.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def current(self) -> Path:
        """The folder of the generation in use.

        Raises:
            IndexDamaged: there is none, or the pointer is damaged.
        """
        pointer = self.folder / _POINTER
        try:
            name = pointer.read_text(encoding="ascii").strip()
        except FileNotFoundError as error:
            raise IndexDamaged(f"nothing has been built in {self.folder}") from error
        except (OSError, ValueError) as error:
            raise IndexDamaged(f"{pointer} cannot be read: {error}") from error
        if not _GENERATION.fullmatch(name):
            raise IndexDamaged(f"{pointer} does not name a generation")
        return self.folder / name

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Keeps other builds of this index waiting. The lock lies beside the folder, which may be removed.

        Raises:
            IndexingError: another process has held it for too long.
        """
        path = self.folder.with_name(f"{self.folder.name}.lock")
        too_long = IndexingError(
            f"another process has been building {self.folder} for {_PATIENCE / 60:.0f} minutes",
            hint=f"if none is running, remove {path}",
        )
        self.folder.mkdir(parents=True, exist_ok=True)
        with locked(path, _PATIENCE, too_long):
            yield

    @contextlib.contextmanager
    def new(self) -> Iterator[Path]:
        """A folder to fill; when the block ends without an error it becomes the current generation.

        The caller holds :meth:`lock`.
        """
        self._remove([path for path in self.folder.iterdir() if path.name.startswith(_UNFINISHED)])
        token = secrets.token_hex(4)
        unfinished = self.folder / f"{_UNFINISHED}{token}"
        unfinished.mkdir()
        try:
            yield unfinished
            sync_files(unfinished)
            finished = {
                path: match for path in self.folder.iterdir() if (match := _GENERATION.fullmatch(path.name))
            }
            number = 1 + max((int(match[1]) for match in finished.values()), default=0)
            generation = self.folder / f"g{number:08d}-{token}"
            unfinished.rename(generation)
            sync_folder(self.folder)
        except BaseException:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise
        previous = self._previous()
        with atomic_file(self.folder / _POINTER) as file:
            file.write(generation.name.encode("ascii"))
        self._remove([path for path in finished if path != previous])

    def _previous(self) -> Path | None:
        try:
            return self.current()
        except IndexDamaged:
            return None

    def _remove(self, folders: list[Path]) -> None:
        for folder in folders:
            try:
                shutil.rmtree(folder)
            except OSError as error:  # in use, on a system that forbids it: the next build tries again
                log.info("%s could not be removed yet: %s", folder, error)
