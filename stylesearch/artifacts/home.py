"""Artifacts that are files of one workspace folder, for the processes on one machine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from stylesearch.artifacts.base import FIT, FOLDERS, NO_STAMP, RECORDS, Stamp
from stylesearch.files import write_json

__all__ = ["HomeArtifacts"]


class HomeArtifacts:
    """The artifacts in a workspace folder: an ``ArtifactStore`` of files alone.

    Args:
        home: the workspace folder.
        catalog_id: id of the catalog that fits were made of; without one there are only models.
    """

    def __init__(self, home: Path, catalog_id: str = "") -> None:
        self.home = home
        self._catalog_id = catalog_id

    def folder(self, kind: str, name: str) -> Path:
        """The folder of an artifact."""
        return self.home / FOLDERS[kind] / (f"{self._catalog_id}-{name}" if kind == FIT else name)

    def names(self, kind: str) -> list[str]:
        """Names of the artifacts that have a record."""
        root, record = self.home / FOLDERS[kind], RECORDS[kind]
        if kind != FIT:
            return sorted(path.parent.name for path in root.glob(f"*/{record}"))
        found = [path.parent for path in root.glob(f"{self._catalog_id}-*/*/{record}")]
        prefix = f"{self._catalog_id}-"
        return sorted(f"{path.parent.name.removeprefix(prefix)}/{path.name}" for path in found)

    def stamp(self, kind: str, name: str) -> Stamp:
        """Time and number of the record's file: every version is another file."""
        try:
            status = (self.folder(kind, name) / RECORDS[kind]).stat()
        except OSError:
            return NO_STAMP
        return (status.st_mtime_ns, status.st_ino)

    def get(self, kind: str, name: str) -> Path | None:
        """The folder, if it has a record."""
        folder = self.folder(kind, name)
        return folder if (folder / RECORDS[kind]).exists() else None

    def get_all(self, kind: str) -> dict[str, str]:
        """Does nothing: the folders hold what is in force, and whoever reads them finds damage."""
        return {}

    def put(
        self,
        kind: str,
        name: str,
        record: Mapping[str, Any],
        files: Iterable[str],
        *,
        replacing: Stamp | None = None,
    ) -> bool:
        """Writes the record; callers that replace one another hold a lock."""
        if replacing is not None and self.stamp(kind, name) != replacing:
            return False
        write_json(self.folder(kind, name) / RECORDS[kind], dict(record))
        return True

    def remove(self, kind: str, name: str) -> None:
        """Removes the record."""
        (self.folder(kind, name) / RECORDS[kind]).unlink(missing_ok=True)
