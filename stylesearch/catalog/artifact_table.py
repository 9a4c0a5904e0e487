"""Files that all machines on one catalog share, in its database: fits of spaces, and trained models.

A version is a set of files, named by a digest of their digests. It is put in force in one transaction, which
may ask for the version that it replaces: of two that are put at once, one wins, and none is torn.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from sqlalchemy import Connection, Engine, Select, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from stylesearch.catalog.backends import backend_behind
from stylesearch.catalog.backends.base import WRITE
from stylesearch.catalog.tables import artifact_parts, artifacts
from stylesearch.errors import CatalogDamaged
from stylesearch.files import sha256_bytes, sha256_file

__all__ = ["PART_BYTES", "ArtifactTable", "ArtifactVersion", "copy_artifacts", "version_of"]

PART_BYTES: Final = 4_000_000
"""Largest part of a file in one row: what reading and writing hold in memory."""

_TRIES: Final = 10


@dataclass(frozen=True, slots=True)
class ArtifactVersion:
    """The version of an artifact that is in force.

    Attributes:
        version: sha256 of ``files``.
        files: sha256 of each file by its name.
    """

    version: str
    files: Mapping[str, str]


def version_of(files: Mapping[str, str]) -> str:
    """The version that files make: a digest of their names and digests."""
    return sha256_bytes(json.dumps(dict(files), sort_keys=True).encode())


class ArtifactTable:
    """Reads and writes the artifacts of a catalog; ``Catalog.artifacts`` is one. Thread-safe.

    Args:
        engine: engine of the catalog's database.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def versions(self) -> dict[tuple[str, str], ArtifactVersion]:
        """Reads the version of every artifact that is in force, by kind and name; not its files.

        Raises:
            CatalogDamaged: a row is damaged.
        """
        statement = select(artifacts.c.kind, artifacts.c.name, artifacts.c.version, artifacts.c.files)
        with self._engine.connect() as connection:
            rows = connection.execute(statement.order_by(artifacts.c.kind, artifacts.c.name)).all()
        for kind, name, _, files in rows:
            if not isinstance(files, dict) or not all(isinstance(one, str) for one in files.values()):
                raise CatalogDamaged(f"artifacts.files of the {kind} {name!r} is no list of digests")
        return {(kind, name): ArtifactVersion(version, files) for kind, name, version, files in rows}

    def copy_file(self, kind: str, name: str, sha256: str, target: IO[bytes]) -> None:
        """Writes a file of an artifact to an open one, part by part.

        Raises:
            CatalogDamaged: it is not there, or has other bytes than its digest says.
        """
        for part in self._read_parts(kind, name, sha256):
            target.write(part)

    def is_whole(self, kind: str, name: str, sha256: str) -> bool:
        """Reads a file of an artifact, and says whether it is there and has the bytes of its digest."""
        try:
            for _ in self._read_parts(kind, name, sha256):
                pass
        except CatalogDamaged:
            return False
        return True

    def _read_parts(self, kind: str, name: str, sha256: str) -> Iterator[bytes]:
        """Yields the parts of a file; raises at the end where they are not what its digest says."""
        of_file = (
            artifact_parts.c.kind == kind,
            artifact_parts.c.name == name,
            artifact_parts.c.sha256 == sha256,
        )
        digest, position = hashlib.sha256(), 0
        statement = select(artifact_parts.c.content).where(*of_file)
        with self._engine.connect() as connection:
            while True:
                part = connection.execute(statement.where(artifact_parts.c.position == position)).scalar()
                if part is None:
                    break
                digest.update(part)
                yield part
                position += 1
        if digest.hexdigest() != sha256:
            raise CatalogDamaged(f"a file of the {kind} {name!r} is missing or damaged ({position} parts)")

    def put(
        self, kind: str, name: str, files: Mapping[str, Path | bytes], *, replacing: str | None = None
    ) -> ArtifactVersion | None:
        """Puts a version in force, whole; files that the version before has too are not written again.

        Args:
            kind, name: the artifact.
            files: contents of each file by its name, or the path where they are.
            replacing: version that has to be in force until then, "" for none; by default any.

        Returns:
            the new version; None where another one than ``replacing`` is in force: nothing is changed.
        """
        digests = {one: _digest(content) for one, content in files.items()}
        new = ArtifactVersion(version_of(digests), digests)
        for _ in range(_TRIES):
            with self._engine.connect() as connection:
                found = str(connection.execute(_version(kind, name)).scalar() or "")
            if replacing is not None and found != replacing:
                return None
            try:
                with self._engine.connect().execution_options(**WRITE) as connection, connection.begin():
                    if _put_in_force(connection, kind, name, found, new):
                        _write_parts(connection, kind, name, {digests[one]: files[one] for one in files})
                        backend_behind(connection).note_change(connection)
                        return new
            except IntegrityError:  # another one was put first
                continue
        raise CatalogDamaged(f"the {kind} {name!r} was changed {_TRIES} times while it was put")

    def write_again(self, kind: str, name: str, sha256: str, copy: Path) -> None:
        """Writes the parts of a damaged file again.

        Nothing is written if the version in force no longer has the file, or the copy has other bytes.

        Args:
            kind, name: the artifact.
            sha256: digest of the file.
            copy: a file with these bytes.

        Raises:
            OSError: the copy cannot be read.
        """
        with self._engine.connect().execution_options(**WRITE) as connection, connection.begin():
            this = (artifacts.c.kind == kind, artifacts.c.name == name)
            files = connection.execute(select(artifacts.c.files).where(*this)).scalar() or {}
            if sha256 not in files.values() or sha256_file(copy) != sha256:
                return
            parts = (artifact_parts.c.kind == kind, artifact_parts.c.name == name)
            connection.execute(delete(artifact_parts).where(*parts, artifact_parts.c.sha256 == sha256))
            _write_file(connection, kind, name, sha256, copy)

    def remove(self, kind: str, name: str) -> None:
        """Removes an artifact with its files; one that is not there is no error."""
        with self._engine.connect().execution_options(**WRITE) as connection, connection.begin():
            for table in (artifact_parts, artifacts):
                connection.execute(delete(table).where(table.c.kind == kind, table.c.name == name))
            backend_behind(connection).note_change(connection)


def copy_artifacts(source: Connection, target: Connection) -> None:
    """Copies all artifacts of a catalog to another, in the transaction of the caller, as they are.

    Args:
        source: connection to a catalog, whose transaction sees one state of it.
        target: connection to another; what has the same kind and name there is replaced.
    """
    for row in source.execute(select(artifacts)).all():
        for table in (artifact_parts, artifacts):
            target.execute(delete(table).where(table.c.kind == row.kind, table.c.name == row.name))
        target.execute(insert(artifacts).values(**row._mapping))
    keys = artifact_parts.primary_key.columns
    for key in source.execute(select(*keys)).all():  # one at a time: each may have megabytes
        this = [column == value for column, value in zip(keys, key, strict=True)]
        content = source.execute(select(artifact_parts.c.content).where(*this)).scalar_one()
        target.execute(insert(artifact_parts).values(**key._mapping, content=content))


def _version(kind: str, name: str) -> Select[str]:
    return select(artifacts.c.version).where(artifacts.c.kind == kind, artifacts.c.name == name)


def _put_in_force(connection: Connection, kind: str, name: str, found: str, new: ArtifactVersion) -> bool:
    """Changes the version in force, if that is still the one that was found."""
    values = {"version": new.version, "files": dict(new.files)}
    if not found:
        connection.execute(insert(artifacts).values(kind=kind, name=name, **values))
        return True
    this = (artifacts.c.kind == kind, artifacts.c.name == name, artifacts.c.version == found)
    return connection.execute(update(artifacts).where(*this).values(**values)).rowcount == 1


def _write_parts(connection: Connection, kind: str, name: str, contents: Mapping[str, Path | bytes]) -> None:
    """Writes the files that are not there yet, by their digests, and removes those that are in no use now."""
    of_artifact = (artifact_parts.c.kind == kind, artifact_parts.c.name == name)
    connection.execute(delete(artifact_parts).where(*of_artifact, artifact_parts.c.sha256.not_in(contents)))
    there = set(connection.execute(select(artifact_parts.c.sha256).where(*of_artifact).distinct()).scalars())
    for sha256, content in contents.items():
        if sha256 not in there:
            _write_file(connection, kind, name, sha256, content)


def _write_file(connection: Connection, kind: str, name: str, sha256: str, content: Path | bytes) -> None:
    with io.BytesIO(content) if isinstance(content, bytes) else content.open("rb") as file:
        position = 0
        while (part := file.read(PART_BYTES)) or position == 0:
            row = {"kind": kind, "name": name, "sha256": sha256, "position": position, "content": part}
            connection.execute(insert(artifact_parts).values(**row))
            position += 1


def _digest(content: Path | bytes) -> str:
    return sha256_bytes(content) if isinstance(content, bytes) else sha256_file(content)
