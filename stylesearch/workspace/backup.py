"""Backs a workspace up to one file, and restores such a file.

A backup of the catalog is an SQLite file. A full one is an archive:
see ``stylesearch.workspace.backup_archive``.

What is restored is read and checked whole before anything is changed. Then what does no harm is put in place:
images, and fits of spaces under the new id of the catalog. The catalog follows, in one transaction of SQLite,
and last what has a name that is in use: models and settings. A process that is killed leaves the old catalog
or the new one; the same command again does the rest, and removes what the first one left.
"""

from __future__ import annotations

import contextlib
import dataclasses
import glob
import io
import logging
import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from stylesearch.catalog.backends import backend_of
from stylesearch.catalog.backends.sqlite import hold_alone
from stylesearch.catalog.backends.sqlite_lock import writer_lock
from stylesearch.catalog.backup import (
    Contents,
    check_copy,
    check_original,
    check_room,
    give_new_id,
    put_in_place,
    read_contents,
    warn_of_damaged_rows,
    write_copy,
)
from stylesearch.catalog.partial_folder import partial_folder
from stylesearch.catalog.schema_version import HEAD
from stylesearch.data_files import parse_json, read_json
from stylesearch.errors import CatalogDamaged, CatalogError, ConfigError, StyleSearchError
from stylesearch.extractors.spec import ExtractorSpec
from stylesearch.files import atomic_file, sync_folder, write_json
from stylesearch.images.source import is_remote, without_secrets
from stylesearch.images.upload_store import open_upload_store, upload_folder
from stylesearch.models.store import CARD, folder_of, model_names, training_lock
from stylesearch.settings import Settings, change_settings, load_settings, read_settings
from stylesearch.workspace.backup_archive import CATALOG, CONFIG, ArchiveReader, ArchiveWriter

if TYPE_CHECKING:
    from stylesearch.types import ReportProgress

log = logging.getLogger(__name__)

__all__ = ["Backup", "back_up", "read_backup", "restore"]

SQLITE_BYTES: Final = b"SQLite format 3\0"
SPACE_RECORD: Final = "space.json"
CATALOG_IDS: Final = "catalog-ids.json"
FORMER_CONFIG: Final = "config.toml.before-restore"
TRIES: Final = 5


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup, and what is in it.

    Attributes:
        file: the file.
        is_full: whether it is one of the workspace, not of the catalog alone.
        n_bytes: its size.
        created: when it was made, ISO 8601 in UTC; of the catalog alone, when the file was last changed.
        contents: what its catalog holds.
        uploads: number of images that were put over the API.
        models: names of the trained models.
        has_settings: whether ``config.toml`` is in it.
    """

    file: Path
    is_full: bool
    n_bytes: int
    created: str
    contents: Contents
    uploads: int = 0
    models: tuple[str, ...] = ()
    has_settings: bool = False


def back_up(
    settings: Settings,
    file: Path,
    *,
    full: bool = False,
    overwrite: bool = False,
    progress: ReportProgress | None = None,
) -> Backup:
    """Writes a backup of a workspace, as of this moment; others may write meanwhile.

    The file appears when it is complete.

    Args:
        settings: settings of the workspace.
        file: the file to be written.
        full: whether images that were put over the API, models and settings are in it too.
        overwrite: whether a file that exists is replaced.
        progress: called as ``progress(stage, n_done, n_total)``, in MB.

    Raises:
        ConfigError: the file exists, or another database than SQLite keeps the catalog.
        CatalogDamaged: the catalog's pages, references or schema are damaged; a file that exists is kept.
        CatalogError: there is no catalog, it cannot be read, or there is no room.
        OSError: the file cannot be written.
    """
    database = settings.backend().file_for("`db backup`")
    if not database.exists():
        raise CatalogError(f"there is no catalog at {database}", hint="run `stylesearch ingest` first")
    if os.path.realpath(file) in {str(database) + suffix for suffix in ("", "-wal", "-shm", ".lock")}:
        raise ConfigError(f"{file} is the catalog itself", hint="name another file")
    if file.is_dir() or (file.exists() and not overwrite):
        raise ConfigError(f"{file} exists already", hint="name another file, or replace it with --overwrite")
    with partial_folder(file) as folder:
        copy, written = folder / CATALOG, folder / "backup"
        if full:
            contents = _write_archive(settings, database, copy, written, progress)
        else:
            contents = _copy_catalog(database, copy, progress)
            copy.rename(written)
        with written.open("rb+") as flushed:
            os.fsync(flushed.fileno())
        written.replace(file)
        sync_folder(file.parent)
    return dataclasses.replace(read_backup(file), contents=contents)


def read_backup(file: Path) -> Backup:
    """Reads what is in a backup, without checking it whole.

    Raises:
        CatalogTooNew: a newer stylesearch made it.
        CatalogError: it is none, or it cannot be read.
    """
    try:
        with file.open("rb") as opened:
            begins = opened.read(len(SQLITE_BYTES))
        status = file.stat()
    except OSError as error:
        raise CatalogError(f"cannot read {file}: {error.strerror or error}", hint="name a backup") from error
    if begins == SQLITE_BYTES:
        try:
            contents = read_contents(file, mode=_mode_of_copy(file))
        except CatalogDamaged as error:  # its own words are of the catalog in use
            raise CatalogError(
                f"the backup is damaged: {error.what}", hint="name another backup; nothing was changed"
            ) from error
        if contents is None:
            raise CatalogError(f"{file} is an empty database", hint="name another backup")
        return Backup(file, False, status.st_size, _in_utc(status.st_mtime), contents)
    archive = ArchiveReader(file)
    try:
        contents = Contents(**archive.manifest["catalog"])
        created = str(archive.manifest["created"])
        if not all(
            isinstance(value, str if name in ("schema", "catalog_id") else int)
            for name, value in dataclasses.asdict(contents).items()
        ):
            raise TypeError("a value of another type")
    except (TypeError, KeyError) as error:
        raise CatalogError(
            f"the manifest of {file} cannot be read: {error}", hint="name another backup"
        ) from None
    parts = [name.split("/") for name in archive.names]
    return Backup(
        file,
        True,
        status.st_size,
        created,
        contents,
        uploads=sum(1 for one in parts if one[0] == "uploads"),
        models=tuple(sorted({one[1] for one in parts if one[0] == "models" and one[2:] == [CARD]})),
        has_settings=CONFIG in archive.names,
    )


def restore(settings: Settings, file: Path, progress: ReportProgress | None = None) -> Backup:
    """Puts what a backup holds in the place of a workspace's catalog.

    The catalog gets a new id, so that no index of the state before is searched with it.

    Args:
        settings: settings of the workspace, which need not exist yet.
        file: a backup of the catalog, any other copy of one, or a full backup.
        progress: called as ``progress(stage, n_done, n_total)``, in MB.

    Returns:
        what was restored.

    Raises:
        CatalogTooNew: a newer stylesearch made it.
        CatalogLocked: another process has the catalog open.
        CatalogError: the backup is damaged, or there is no room. Nothing was changed.
        ConfigError: another database than SQLite keeps the catalog, or a model of the backup is being
            trained.
    """
    database = settings.backend().file_for("`db restore`")
    if file.exists() and database.exists() and file.samefile(database):
        raise ConfigError(f"{file} is the catalog itself", hint="name a backup")
    backup = read_backup(file)
    home = settings.home.resolve()
    for folder in (home, database.parent):
        folder.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as held:
        for name in backup.models:  # as in a training, before the catalog's lock
            held.enter_context(training_lock(home, name, settings.lock_timeout))
        held.enter_context(writer_lock(database, settings.lock_timeout))
        beside = held.enter_context(_staging(database.parent, database.name, home))
        staged = beside
        if home != database.parent:
            staged = held.enter_context(_staging(home, database.name, home))
        copy = beside / CATALOG
        if database.exists():
            with hold_alone(database):  # before the time for reading the backup is spent
                pass
        _stage(backup, copy, staged, progress)
        contents = check_copy(copy, file)
        if contents != backup.contents:
            raise CatalogError(f"{file} is damaged: its catalog is not the one of its manifest")
        if not backup.is_full and contents.schema == HEAD:  # members of a full one have digests
            warn_of_damaged_rows(copy, file, "run `stylesearch db check` on what is restored")
        _adapt_config(staged / CONFIG, database, home)
        new_id = give_new_id(copy)
        former = {contents.catalog_id, _id_of(database)} - {""}
        write_json(staged / CATALOG_IDS, sorted({*former, new_id}))
        _place_fits(backup, contents, new_id, home, staged)
        _place_files(staged, settings, home)
        with hold_alone(database) if database.exists() else contextlib.nullcontext() as alone:
            put_in_place(alone, copy, database)
        _place_named(backup, staged, home)
        _remove_indexes(home, former)
    return dataclasses.replace(backup, contents=dataclasses.replace(contents, catalog_id=new_id))


# Backing up.


def _copy_catalog(database: Path, copy: Path, progress: ReportProgress | None) -> Contents:
    """Copies the catalog and reads the copy whole: a damaged catalog must not take the place of good backups.

    Rows and vectors that are damaged are only logged: the others are worth a backup.
    """
    contents = write_copy(database, copy, progress)
    check_original(copy, database)
    if contents.schema == HEAD:
        warn_of_damaged_rows(copy, database, "run `stylesearch db check`, and keep the backups of before")
    return contents


def _write_archive(
    settings: Settings, database: Path, copy: Path, written: Path, progress: ReportProgress | None
) -> Contents:
    """Writes the archive of a full backup."""
    home = settings.home
    uploads = list(_uploads(settings))
    total = sum(path.stat().st_size for path in uploads if path.exists()) + database.stat().st_size
    check_room(written.parent, total + database.stat().st_size, f"the backup of {home}")
    if is_remote(settings.uploads):
        log.warning("images at %s are not in the backup: they stay there", without_secrets(settings.uploads))
    with written.open("xb") as file:
        written.chmod(0o600)  # settings have secrets
        archive = ArchiveWriter(file, _telling(progress, "writing the backup", total))
        for path in uploads:
            archive.add_path(_upload_name(path), path)
        contents = _copy_catalog(database, copy, progress)
        # An image is there before a catalog lists it: what came since the first look is added.
        for path in _uploads(settings):
            if (name := _upload_name(path)) not in archive.files:
                archive.add_path(name, path)
        archive.add_path(CATALOG, copy)
        copy.unlink()
        _bring_artifacts(settings)
        archive.add_path(CONFIG, home / CONFIG)
        for path in _networks(home):
            archive.add_path(f"networks/{path.relative_to(home.resolve()).as_posix()}", path)
        for name in model_names(home):
            _add_model(archive, home, name)
        for record in sorted((home / "indexes").glob(f"{contents.catalog_id}-*/*/{SPACE_RECORD}")):
            feature_set = record.parts[-3].partition("-")[2]
            _add_fit(archive, record, f"spaces/{feature_set}/{record.parts[-2]}")
        for path in sorted((home / "webhooks").glob("*.json")):
            archive.add_path(f"webhooks/{path.name}", path)
        archive.finish(
            {
                "created": _in_utc(time.time()),
                "stylesearch": _version(),
                "catalog": dataclasses.asdict(contents),
            }
        )
    return contents


def _bring_artifacts(settings: Settings) -> None:
    """Makes the workspace folder hold the models and fits that the catalog shares; nothing else needs to."""
    if settings.shares_artifacts:
        from stylesearch.artifacts.base import FIT, MODEL
        from stylesearch.artifacts.shared import CatalogArtifacts
        from stylesearch.catalog import Catalog

        with Catalog.open(settings.backend(), create=False, readonly=True) as catalog:
            artifacts = CatalogArtifacts(settings.home, catalog)
            for kind in (MODEL, FIT):
                for name, reason in artifacts.get_all(kind).items():
                    log.warning("the %s %r is not in the backup: %s", kind, name, reason)


def _uploads(settings: Settings) -> Iterator[Path]:
    """Files of images that were put over the API, without those that are being written.

    None of a store at a URL: it is backed up by its own means, and the folder has a few copies at most.
    """
    if is_remote(settings.uploads):
        return iter(())
    folder = upload_folder(settings.home, settings.uploads)
    return (path for path in sorted(folder.glob("??/*")) if not path.name.startswith("."))


def _upload_name(path: Path) -> str:
    return f"uploads/{path.parent.name}/{path.name}"


def _networks(home: Path) -> list[Path]:
    """Files in the workspace folder, but not of a model, that the settings file names."""
    try:
        own = load_settings({"home": home}, {})
        named = {ExtractorSpec.parse(own.extractor).name, own.weights}
    except StyleSearchError:  # a file that cannot be read is in the backup as it is
        return []
    inside = [Path(one).resolve() for one in named if one and Path(one).is_file()]
    return [
        one
        for one in inside
        if one.suffix in (".keras", ".h5", ".pth")
        and one.is_relative_to(home.resolve())
        and not one.is_relative_to(home.resolve() / "models")
    ]


def _add_model(archive: ArchiveWriter, home: Path, name: str) -> None:
    """Adds the files of a model, all of one version; a model that is removed meanwhile is left out."""
    folder = folder_of(home, name)
    for attempt in range(TRIES):
        with contextlib.ExitStack() as opened:
            try:
                card = (folder / CARD).read_bytes()
                version = str(parse_json(card)["files"])
                paths = [*sorted((folder / version).iterdir()), *sorted(folder.glob("network-*.keras"))]
                files = [(path, opened.enter_context(path.open("rb"))) for path in paths]
                if (folder / CARD).read_bytes() != card:
                    continue  # trained anew just now
            except FileNotFoundError:
                if (folder / CARD).exists() and attempt + 1 == TRIES:
                    raise
                continue
            except (ValueError, KeyError, TypeError) as error:
                raise CatalogError(
                    f"the card of the model {name!r} cannot be read: {error}",
                    hint=f"stylesearch models remove {name}, or back up without --full",
                ) from error
            for path, file in files:  # what is open stays readable when it is removed
                member = f"models/{path.relative_to(folder.parent).as_posix()}"
                status = os.fstat(file.fileno())
                archive.add(member, file, status.st_size, status.st_mtime)
            _add_bytes(archive, f"models/{name}/{CARD}", card, time.time())
            return


def _add_fit(archive: ArchiveWriter, record: Path, name: str) -> None:
    """Adds the fit that a space uses; one that is being replaced or damaged is left out, and fitted anew."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        data = record.read_bytes()
        transform = _transform_of(record.parent, parse_json(data))
        with transform.open("rb") as file:
            archive.add(f"{name}/{transform.name}", file, transform.stat().st_size)
        _add_bytes(archive, f"{name}/{SPACE_RECORD}", data, record.stat().st_mtime)


def _add_bytes(archive: ArchiveWriter, name: str, data: bytes, changed_at: float) -> None:
    archive.add(name, io.BytesIO(data), len(data), changed_at)


# Restoring.


def _stage(backup: Backup, copy: Path, staged: Path, progress: ReportProgress | None) -> None:
    """Writes what a backup holds to files of its own, and checks the digests."""
    if not backup.is_full:
        _copy_file(backup.file, copy, progress)
        return
    archive = ArchiveReader(backup.file)
    # The catalog's content is written twice: here, and in its place.
    check_room(staged, archive.n_bytes, f"what {backup.file} holds")
    check_room(copy.parent, 2 * archive.manifest["files"][CATALOG]["bytes"], f"the catalog of {backup.file}")
    tell = _telling(progress, "reading the backup", archive.n_bytes)
    archive.extract(lambda name: copy if name == CATALOG else staged / name, tell)


def _copy_file(file: Path, copy: Path, progress: ReportProgress | None) -> None:
    """Copies a database by its pages, with what its ``-wal`` file has."""
    import sqlite3
    from urllib.parse import quote

    size = file.stat().st_size
    check_room(copy.parent, 2 * size, f"the catalog of {file}")

    def tell_left(n_bytes: int) -> None:
        if progress:
            progress("reading the backup", max(0, size - n_bytes) // 1_000_000, size // 1_000_000)

    mode = "immutable=1" if _mode_of_copy(file) == "immutable" else "mode=ro"
    try:
        with (
            contextlib.closing(
                sqlite3.connect(f"file:{quote(str(file.resolve()))}?{mode}", uri=True)
            ) as source,
            contextlib.closing(sqlite3.connect(copy)) as target,
        ):
            page_bytes = source.execute("PRAGMA page_size").fetchone()[0]
            target.execute("PRAGMA synchronous = OFF")
            source.backup(
                target, pages=1024, progress=lambda status, left, total: tell_left(left * page_bytes)
            )
    except sqlite3.DatabaseError as error:
        raise CatalogError(
            f"the backup {file} cannot be copied to {copy.parent}: {error}",
            hint="it is damaged, or there is no room; nothing was changed",
        ) from error


def _place_fits(backup: Backup, contents: Contents, new_id: str, home: Path, staged: Path) -> None:
    """Gives the restored catalog the fits of its spaces.

    Those of a full backup; else those that are there, where they were made before the backup: then searches
    answer as they did, and nothing is fitted anew. One that was made later is of another state.
    """
    indexes = home / "indexes"
    if backup.is_full:
        for folder in (staged / "spaces").glob("*"):
            _move_tree(folder, indexes / f"{new_id}-{folder.name}")
        return
    for record in indexes.glob(f"{contents.catalog_id}-*/*/{SPACE_RECORD}"):
        feature_set = record.parts[-3].partition("-")[2]
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):  # fitted anew
            fit = read_json(record)
            is_older = record.stat().st_mtime <= backup.file.stat().st_mtime
            if is_older and fit["last_feature_id"] <= contents.highest_feature_id:
                target = indexes / f"{new_id}-{feature_set}" / record.parts[-2]
                target.mkdir(parents=True, exist_ok=True)
                transform = _transform_of(record.parent, fit)
                shutil.copyfile(transform, target / transform.name)
                shutil.copy2(record, target / SPACE_RECORD)


def _place_files(staged: Path, settings: Settings, home: Path) -> None:
    """Puts images and events in place.

    An image that is there already has the same content by its name, unless it is damaged.
    """
    folder, store = upload_folder(home, settings.uploads), open_upload_store(settings.uploads)
    for path in sorted((staged / "uploads").glob("*/*")):
        if store is not None:
            store.put(path.name, path.read_bytes())
        _place(path, folder / path.relative_to(staged / "uploads"))
    for path in sorted((staged / "webhooks").glob("*")):
        target = home / path.relative_to(staged)
        if not target.exists():  # an event that came since is newer
            _move(path, target)


def _place_named(backup: Backup, staged: Path, home: Path) -> None:
    """Puts models and settings in place of those of the same name."""
    for name in backup.models:
        folder, target = staged / "models" / name, folder_of(home, name)
        for path in sorted(folder.iterdir()):
            if path.is_dir():
                _move_tree(path, target / path.name)
            elif path.name != CARD:
                _move(path, target / path.name)
        _move(folder / CARD, target / CARD)  # last: it names the folder in use
    for path in sorted((staged / "networks").rglob("*")):
        if path.is_file():
            _move(path, home / path.relative_to(staged / "networks"))
    if backup.has_settings:
        config, restored = home / CONFIG, staged / CONFIG
        if config.exists() and config.read_bytes() != restored.read_bytes():
            with atomic_file(home / FORMER_CONFIG) as file:  # a copy: at no moment are there no settings
                file.write(config.read_bytes())
        _move(restored, config)


def _move(path: Path, target: Path) -> None:
    """Moves a file, which appears under its new name when it is on the disk."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with path.open("rb+") as file:
        os.fsync(file.fileno())
    path.replace(target)


def _place(path: Path, target: Path) -> None:
    """Moves a file to a folder that may be on another disk."""
    with atomic_file(target) as file:
        file.write(path.read_bytes())
    path.unlink()


def _move_tree(folder: Path, target: Path) -> None:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            _move(path, target / path.relative_to(folder))


@contextlib.contextmanager
def _staging(folder: Path, name: str, home: Path) -> Iterator[Path]:
    """Makes a folder for a restore, instead of one that a killed restore left; under the writer's lock."""
    staged = folder / f".{name}.restore"
    with contextlib.suppress(OSError, ValueError):
        left = {str(one) for one in read_json(staged / CATALOG_IDS)}
        _remove_indexes(home, left - {_id_of(folder / name)})
    shutil.rmtree(staged, ignore_errors=True)
    staged.mkdir(mode=0o700)
    try:
        yield staged
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def _transform_of(folder: Path, fit: dict[str, Any]) -> Path:
    from stylesearch.search.fitted_space import transform_file

    return transform_file(folder, str(fit["version"]))


def _remove_indexes(home: Path, catalog_ids: set[str]) -> None:
    """Removes what was derived from catalogs that are no more."""
    for catalog_id in catalog_ids:
        for folder in (home / "indexes").glob(f"{glob.escape(catalog_id)}-*"):
            shutil.rmtree(folder, ignore_errors=True)


def _adapt_config(config: Path, database: Path, home: Path) -> None:
    """Makes settings that are restored name the catalog that is restored, if they or the present ones do."""
    if not config.exists():
        return
    with contextlib.suppress(StyleSearchError):  # settings that could not be read before either
        named = read_settings(config.parent).get("db")
        if named and backend_of(named).shown == str(database):
            return
        present = read_settings(home).get("db")
        place = str(database) if present and backend_of(present).shown == str(database) else None
        if named or place:
            change_settings(config.parent, {"db": place})


def _id_of(database: Path) -> str:
    """Id of the catalog that is there; "" where it has none, or cannot be read."""
    if not database.exists():
        return ""
    try:
        contents = read_contents(database)
    except CatalogError:
        return ""
    return contents.catalog_id if contents else ""


def _mode_of_copy(file: Path) -> str:
    """How a copy of a database is opened, so that nothing is written beside it."""
    wal = file.with_name(f"{file.name}-wal")
    return "ro" if wal.exists() and wal.stat().st_size else "immutable"


def _telling(progress: ReportProgress | None, stage: str, total: int) -> Callable[[int], None]:
    """Adds bytes up, and tells them in MB."""
    done = 0

    def tell(n_bytes: int) -> None:
        nonlocal done
        done += n_bytes
        if progress:
            progress(stage, done // 1_000_000, max(done, total) // 1_000_000)

    return tell


def _in_utc(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _version() -> str:
    from importlib.metadata import version

    return version("stylesearch")
