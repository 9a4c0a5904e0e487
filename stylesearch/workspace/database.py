"""The database of a workspace: backs it up, restores it, vacuums it, and moves its rows elsewhere."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from pathlib import Path
from typing import TYPE_CHECKING

from stylesearch.errors import ConfigError

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
            CatalogDamaged: the catalog is damaged; a file that exists is kept. Damaged rows are logged.
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

    def export(
        self,
        place: str | os.PathLike[str],
        *,
        overwrite: bool = False,
        progress: ReportProgress | None = None,
    ) -> dict[str, int]:
        """Writes all rows and vectors, as of one moment, in files that any program can read.

        Args:
            place: a folder, or a file that ends in ``.tar``.
            overwrite: whether an export that is there is replaced.
            progress: called as ``progress("exporting", n_done, n_total)``, in rows.

        Returns:
            the number of rows by table.

        Raises:
            ConfigError: there is something at the place already.
            CatalogError: there is no catalog, or it is damaged.
        """
        from stylesearch.catalog.export_files import write_parts
        from stylesearch.catalog.transfer import write_tables

        backend = self._resources.catalog().backend
        engine = backend.engine(readonly=True)
        try:
            with (
                write_parts(Path(place), overwrite=overwrite) as writer,
                backend.snapshot(engine) as connection,
            ):
                return write_tables(connection, writer, progress)
        finally:
            engine.dispose()

    def import_from(
        self,
        place: str | os.PathLike[str],
        *,
        overwrite: bool = False,
        progress: ReportProgress | None = None,
    ) -> dict[str, int]:
        """Puts what ``export`` has written into the catalog, in one transaction; makes one if there is none.

        Args:
            place: the folder, or the tar file.
            overwrite: whether what the catalog has is removed.
            progress: called as ``progress("importing", n_done, n_total)``, in rows.

        Returns:
            the number of rows by table.

        Raises:
            ConfigError: the catalog is not empty.
            CatalogTooNew: a newer stylesearch made the export.
            DatasetError: it is damaged, or none; the message has file and line. Nothing was changed.
            CatalogLocked: another process is writing; with ``overwrite`` also, in SQLite, has it open: its
                indexes are of the rows that are removed.
        """
        from stylesearch.catalog.export_files import open_parts
        from stylesearch.catalog.transfer import read_tables

        with open_parts(Path(place)) as reader:
            if overwrite:
                self._resources.close()
                with self._resources.settings.backend().replacing():
                    pass
            catalog = self._resources.catalog(create=True)
            timeout = self._resources.settings.lock_timeout
            with catalog.writing(timeout=timeout) as writer, writer.transaction():
                counts = read_tables(writer.connection(), reader, overwrite=overwrite, progress=progress)
        self._resources.close()  # it has another id now
        return counts

    def copy(
        self,
        target: str | os.PathLike[str],
        *,
        source: str | os.PathLike[str] | None = None,
        overwrite: bool = False,
        new_id: bool = False,
        progress: ReportProgress | None = None,
    ) -> dict[str, int]:
        """Copies all rows to another database as of one moment, all or none; others may write meanwhile.

        Keys and ids of features stay what they are. So does the catalog's id, unless ``new_id`` is set: a
        workspace whose ``db`` becomes the copy goes on with its indexes and fits, and answers as before. Of
        two catalogs with one id only one may be written to afterwards.

        Args:
            target: path or URL of the other catalog; it is made if there is none.
            source: path or URL of the catalog to copy; this workspace's by default.
            overwrite: whether what the other one has is removed.
            new_id: whether the copy gets an id of its own, for those who go on with both.
            progress: called as ``progress("copying", n_done, n_total)``, in rows.

        Returns:
            the number of rows by table.

        Raises:
            ConfigError: the other catalog is not empty, or it is the same one.
            CatalogLocked: another process is writing to the other catalog; with ``overwrite`` also, in
                SQLite, has it open.
            CatalogDamaged: a row is damaged. Nothing was copied, as after every error.
            CatalogError: there is no catalog, or the other database does not take a row.
        """
        from stylesearch.catalog import Catalog
        from stylesearch.catalog.transfer import copy_tables

        settings = self._resources.settings
        origin = (
            settings if source is None else dataclasses.replace(settings, db=os.fspath(source))
        ).backend()
        other = dataclasses.replace(settings, db=os.fspath(target)).backend()
        if origin.shown == other.shown:
            raise ConfigError(f"{origin} would be copied to itself", hint="name another place")
        with contextlib.ExitStack() as opened:
            read = opened.enter_context(Catalog.open(origin, readonly=True))
            if overwrite:
                with other.replacing():
                    pass
            written = opened.enter_context(Catalog.open(other, lock_timeout=settings.lock_timeout))
            writer = opened.enter_context(written.writing())
            opened.enter_context(writer.transaction())
            rows = opened.enter_context(read.snapshot())
            return copy_tables(
                rows, writer.connection(), overwrite=overwrite, new_id=new_id, progress=progress
            )

    def vacuum(self) -> Vacuumed:
        """Writes the database anew, without the room that removed rows have left.

        Raises:
            CatalogLocked: another process is writing.
            CatalogError: there is no catalog, or no room for the copies that are written meanwhile.
            ConfigError: another database than SQLite keeps the catalog.
        """
        from stylesearch.catalog.backup import vacuum

        settings = self._resources.settings
        return vacuum(settings.backend(), timeout=settings.lock_timeout)
