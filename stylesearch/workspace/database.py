"""The database of a workspace: backs it up, restores it, vacuums it, and moves its rows elsewhere."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stylesearch.catalog.backup import Vacuumed
    from stylesearch.types import ReportProgress
    from stylesearch.workspace.backup import Backup
    from stylesearch.workspace.resources import Resources

__all__ = ["Database"]


class Database:
    """The database of a workspace's catalog.

    Args:
        resources: resources of the workspace.
    """

    def __init__(self, resources: Resources) -> None:
        self._resources = resources

    def back_up(
        self,
        file: str | os.PathLike[str],
        *,
        full: bool = False,
        overwrite: bool = False,
        progress: ReportProgress | None = None,
    ) -> Backup:
        """Writes a backup, as of this moment; others may write to the catalog meanwhile.

        Args:
            file: the file to be written.
            full: whether images that were put over the API, trained models and settings are in it too.
            overwrite: whether a file that exists is replaced.
            progress: called as ``progress(stage, n_done, n_total)``, in MB.

        Raises:
            ConfigError: the file exists, or another database than SQLite keeps the catalog.
            CatalogTooNew: a newer stylesearch wrote the catalog.
            CatalogError: there is no catalog, it cannot be read, or there is no room.
        """
        from stylesearch.workspace.backup import back_up

        settings = self._resources.settings
        return back_up(settings, Path(file), full=full, overwrite=overwrite, progress=progress)

    def read_backup(self, file: str | os.PathLike[str]) -> Backup:
        """Reads what is in a backup, without checking it whole.

        Raises:
            CatalogTooNew: a newer stylesearch made it.
            CatalogError: it is none, or it cannot be read.
        """
        from stylesearch.workspace.backup import read_backup

        return read_backup(Path(file))

    def restore(self, file: str | os.PathLike[str], *, progress: ReportProgress | None = None) -> Backup:
        """Puts what a backup holds in the place of the catalog; asks nothing.

        The backup is checked first. The catalog of the workspace is closed, and opened again when it is used.
        Searches compare every product until indexes are built: ``shop.indexes.build()``, or the next ingest.

        Args:
            file: a backup of the catalog, any other copy of one, or a full backup.
            progress: called as ``progress(stage, n_done, n_total)``, in MB.

        Raises:
            CatalogTooNew: a newer stylesearch made it.
            CatalogLocked: another process has the catalog open.
            CatalogError: the backup is damaged, or there is no room. Nothing was changed.
            ConfigError: another database than SQLite keeps the catalog, or a model of the backup is being
                trained.
        """
        from stylesearch.workspace.backup import restore

        self._resources.close()
        return restore(self._resources.settings, Path(file), progress)

    def vacuum(self) -> Vacuumed:
        """Writes the database anew, without the room that removed rows have left.

        Raises:
            CatalogLocked: another process is writing.
            CatalogError: there is no catalog, or no room for the copies that are written meanwhile.
            ConfigError: another database than SQLite keeps the catalog.
        """
        from stylesearch.catalog.backup import vacuum

        settings = self._resources.settings
        return vacuum(settings.database, timeout=settings.lock_timeout)
