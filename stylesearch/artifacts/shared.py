"""Artifacts that machines share through the catalog, with a copy in the workspace folder of each.

The catalog says which version is in force. A copy is compared with it by its digests, once in each process
for a version, and read again where it differs. ``copied.json`` in a folder lists the files that are a copy:
what is not listed there was made here, and is nobody else's.
"""

from __future__ import annotations

import contextlib
import json
import logging
import secrets
import threading
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final

from stylesearch.artifacts.base import MODEL, NO_STAMP, RECORDS, Stamp
from stylesearch.artifacts.home import HomeArtifacts
from stylesearch.catalog.artifact_table import ArtifactVersion
from stylesearch.data_files import read_json
from stylesearch.errors import CatalogDamaged, SpaceError
from stylesearch.files import atomic_file, has_digest, write_json

if TYPE_CHECKING:
    from stylesearch.catalog import Catalog

__all__ = ["COPIED", "CatalogArtifacts"]

log = logging.getLogger(__name__)

COPIED: Final = "copied.json"
"""Lists the files of a folder that are a copy, with their digests."""

UNSHARED: Final = "unshared-models"
"""Folder of the workspace for models of this machine whose name another model has in the catalog."""

_TRIES: Final = 5
"""How often a version is read anew that was replaced while it was copied."""

Key = tuple[str, str]


class CatalogArtifacts:
    """The artifacts in a catalog: an ``ArtifactStore`` that all machines on it share. Thread-safe.

    A trained model that lies in the workspace folder alone is used there, and is not shared.

    Args:
        home: the workspace folder, for the copies.
        catalog: the catalog.
    """

    def __init__(self, home: Path, catalog: Catalog) -> None:
        self.home = home
        self._catalog = catalog
        self._local = HomeArtifacts(home, catalog.id)
        self._known: tuple[int | None, dict[Key, ArtifactVersion]] | None = None
        self._checked: dict[Key, str] = {}
        self._copying = threading.RLock()

    def folder(self, kind: str, name: str) -> Path:
        """The folder of the copy."""
        return self._local.folder(kind, name)

    def names(self, kind: str) -> list[str]:
        """Names in the catalog, and those of models that are here alone."""
        shared = {name for of_kind, name in self._versions() if of_kind == kind}
        return sorted(shared | set(self.list_unshared(kind)))

    def list_unshared(self, kind: str) -> list[str]:
        """Names of what lies in the workspace folder alone."""
        versions = self._versions()
        return [
            name
            for name in self._local.names(kind)
            if (kind, name) not in versions and not self._is_copy(kind, name)
        ]

    def stamp(self, kind: str, name: str) -> Stamp:
        """Two halves of the version's digest; of a model that is here alone, the stamp of its record."""
        found = self._versions().get((kind, name))
        if found is not None:
            return (int(found.version[:16], 16), int(found.version[16:32], 16))
        return self._local.stamp(kind, name) if self._is_only_here(kind, name) else NO_STAMP

    def get(self, kind: str, name: str) -> Path | None:
        """The folder, after the catalog's version was copied to it, where it is another.

        A version is read part by part: one that another machine replaces meanwhile gives way to the new one.
        """
        for _ in range(_TRIES):
            found = self._versions().get((kind, name))
            if found is None:
                if self._is_only_here(kind, name):
                    return self._local.get(kind, name)
                self._drop_copy(kind, name)
                return None
            try:
                with self._copying:
                    self._bring_up_to_date(kind, name, found)
                return self.folder(kind, name)
            except CatalogDamaged as error:
                self._known = None
                if self._versions().get((kind, name)) == found:
                    record = RECORDS[kind]
                    with self._copying:  # of another version nobody may search with the copy
                        if not has_digest(self.folder(kind, name) / record, found.files.get(record, "")):
                            self._local.remove(kind, name)
                    raise SpaceError(
                        f"the {kind} {name!r} in the catalog is damaged: {error.message}",
                        hint=_mend(kind, name),
                    ) from error
        raise SpaceError(
            f"the {kind} {name!r} was changed {_TRIES} times while it was copied",
            hint="wait until the other machines are done with it, and try again",
        )

    def get_all(self, kind: str) -> dict[str, str]:
        """Copies what is in force, and removes the copies of what is not any more."""
        damaged = {}
        for name in {*self.names(kind), *self._local.names(kind)}:
            try:
                self.get(kind, name)
            except SpaceError as error:
                damaged[name] = error.message
        return damaged

    def put(
        self,
        kind: str,
        name: str,
        record: Mapping[str, Any],
        files: Iterable[str],
        *,
        replacing: Stamp | None = None,
    ) -> bool:
        """Writes all files to the catalog in one transaction, then the record of the copy."""
        folder = self.folder(kind, name)
        written = json.dumps(dict(record), indent=2, sort_keys=True).encode() + b"\n"
        contents: dict[str, Path | bytes] = {one: folder / one for one in sorted(files)}
        contents[RECORDS[kind]] = written
        before: str | None = None
        if replacing is not None:
            found = self._versions().get((kind, name))
            if self.stamp(kind, name) != replacing:
                return False
            before = found.version if found else ""
        new = self._catalog.artifacts.put(kind, name, contents, replacing=before)
        if new is None:
            return False
        with self._copying:
            write_json(folder / COPIED, dict(new.files))
            with atomic_file(folder / RECORDS[kind]) as file:
                file.write(written)
            self._checked[kind, name] = new.version
        return True

    def remove(self, kind: str, name: str) -> None:
        """Removes it from the catalog, then the record of the copy."""
        self._catalog.artifacts.remove(kind, name)
        self._local.remove(kind, name)

    def _versions(self) -> dict[Key, ArtifactVersion]:
        """What is in force, read again when the catalog has changed."""
        state = self._catalog.state()  # before the rest: a change in between is then read next time
        known = self._known
        if known is None or state is None or known[0] != state:
            known = self._known = (state, self._catalog.artifacts.versions())
        return known[1]

    def _is_copy(self, kind: str, name: str) -> bool:
        return (self.folder(kind, name) / COPIED).exists()

    def _is_only_here(self, kind: str, name: str) -> bool:
        return kind == MODEL and not self._is_copy(kind, name)

    def _drop_copy(self, kind: str, name: str) -> None:
        """Removes the copy of what was removed elsewhere; other files of the folder stay."""
        folder = self.folder(kind, name)
        with self._copying, contextlib.suppress(OSError):
            listed = _read_copied(folder)
            if listed is None:
                return
            (folder / RECORDS[kind]).unlink(missing_ok=True)  # first: no search finds a part of it
            _remove_files(folder, {*listed, COPIED})
            folder.rmdir()

    def _bring_up_to_date(self, kind: str, name: str, version: ArtifactVersion) -> None:
        """Copies a version, unless the folder was compared with it and still has a record."""
        is_checked = self._checked.get((kind, name)) == version.version
        if not is_checked or not (self.folder(kind, name) / RECORDS[kind]).exists():
            self._copy(kind, name, version)
            self._checked[kind, name] = version.version

    def _copy(self, kind: str, name: str, version: ArtifactVersion) -> None:
        """Makes the folder hold a version: files that differ are read from the catalog, the record last.

        Raises:
            CatalogDamaged: a file of it is damaged, or not there any more; the folder has a part of it.
        """
        folder, record = self.folder(kind, name), RECORDS[kind]
        before = _read_copied(folder)
        differing = [one for one, digest in version.files.items() if not has_digest(folder / one, digest)]
        if differing and before is None and kind == MODEL and (folder / record).exists():
            kept = self.home / UNSHARED / f"{name}-{secrets.token_hex(4)}"
            kept.parent.mkdir(exist_ok=True)
            folder.rename(kept)
            log.warning(
                "the model %r of this folder differs from that of the catalog: kept as %s", name, kept
            )
        write_json(folder / COPIED, dict(version.files))
        for one in sorted(differing, key=lambda one: one == record):
            if PurePosixPath(one).is_absolute() or ".." in PurePosixPath(one).parts:
                raise CatalogDamaged(f"a file of the {kind} {name!r} has the path {one!r}")
            with atomic_file(folder / one) as file:
                self._catalog.artifacts.copy_file(kind, name, version.files[one], file)
        with contextlib.suppress(OSError):  # in use by a search: it does no harm
            _remove_files(folder, (before or {}).keys() - version.files.keys())


def _read_copied(folder: Path) -> dict[str, str] | None:
    """Reads the list of what is a copy; None where nothing is."""
    try:
        listed = read_json(folder / COPIED)
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        return {}
    return {str(one): str(digest) for one, digest in listed.items()} if isinstance(listed, dict) else {}


def _remove_files(folder: Path, names: AbstractSet[str]) -> None:
    """Removes files of a folder, and the folders in it that are empty then."""
    for name in names:
        (folder / name).unlink(missing_ok=True)
    for parent in {(folder / name).parent for name in names} - {folder}:
        if parent.is_dir() and not any(parent.iterdir()):
            parent.rmdir()


def _mend(kind: str, name: str) -> str:
    if kind == MODEL:
        return f"stylesearch train {name}, or stylesearch models remove {name}"
    return "stylesearch index build"
