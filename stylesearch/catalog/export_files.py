"""The files of an export: parts with rows, and a manifest with their digests; in a folder or a tar file.

No part is larger than some megabytes, so whoever writes or reads one has it in memory whole.
"""

from __future__ import annotations

import abc
import contextlib
import io
import itertools
import json
import os
import re
import tarfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, Final

from stylesearch.catalog.partial_folder import partial_folder
from stylesearch.data_files import parse_json
from stylesearch.errors import ConfigError, DatasetError
from stylesearch.files import sha256_bytes, sync_folder

__all__ = ["MANIFEST", "PartReader", "PartWriter", "open_parts", "write_parts"]

FORMAT: Final = "stylesearch-export"
VERSION: Final = 1
MANIFEST: Final = "manifest.json"
TAR: Final = ".tar"
NAME: Final = re.compile(r"[a-z_]+-[0-9]{5,}\.(jsonl|npy)")
BLOCK: Final = 1 << 20
MOST_PART_BYTES: Final = 1 << 28
"""What is written is far smaller; a part of this size in a manifest is refused."""

_Opener = Callable[[], IO[bytes]]


class PartWriter(abc.ABC):
    """Writes the parts of an export, and at the end its manifest.

    Attributes:
        files: length and digest of each part, and what the writer of the rows said of it.
    """

    def __init__(self) -> None:
        self.files: dict[str, dict[str, Any]] = {}

    def add(self, name: str, data: bytes, **facts: Any) -> None:
        """Writes a part, with facts for the manifest."""
        self._write(name, data)
        self.files[name] = {"bytes": len(data), "sha256": sha256_bytes(data), **facts}

    def finish(self, facts: Mapping[str, Any]) -> None:
        """Writes the manifest."""
        manifest = {"format": FORMAT, "version": VERSION, **facts, "files": self.files}
        self._write(MANIFEST, json.dumps(manifest, indent=1).encode() + b"\n")

    @abc.abstractmethod
    def _write(self, name: str, data: bytes) -> None:
        """Writes a file."""


class PartReader:
    """Reads the parts of an export, and compares them with its manifest.

    Args:
        place: the folder or tar file, for messages.
        files: opens a file of it by name.

    Attributes:
        manifest: the manifest.

    Raises:
        DatasetError: it is no export, or its manifest cannot be read.
    """

    def __init__(self, place: Path, files: Mapping[str, _Opener]) -> None:
        self.place = place
        self._files = files
        if MANIFEST not in files:
            raise DatasetError(
                f"{place} has no {MANIFEST}: it is no export, or was cut short",
                hint="name what `stylesearch db export` has written",
            )
        try:
            self.manifest = parse_json(self._read(MANIFEST, MOST_PART_BYTES))
            if self.manifest["format"] != FORMAT:
                raise DatasetError(
                    f"{place} is no export of stylesearch",
                    hint="`stylesearch db restore` takes backups, `stylesearch ingest` reads tables",
                )
            version = int(self.manifest["version"])
            for name, one in self.manifest["files"].items():
                if not NAME.fullmatch(name):
                    raise ValueError(f"a part called {name!r}")
                if not 0 <= int(one["bytes"]) <= MOST_PART_BYTES or not isinstance(one["sha256"], str):
                    raise ValueError(f"{name} without a length or a digest")
        except DatasetError:  # a ValueError, too
            raise
        except (ArithmeticError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise DatasetError(
                f"{place}/{MANIFEST} cannot be read: {error}",
                hint="copy the export again, or export again; nothing was changed",
            ) from error
        if version > VERSION:
            raise DatasetError(
                f"{place} is of a newer stylesearch (format {version}). This one reads up to {VERSION}",
                hint="pip install --upgrade stylesearch",
            )

    @property
    def parts(self) -> Mapping[str, dict[str, Any]]:
        """What the manifest says of each part, by name, in the order in which they were written."""
        files: dict[str, dict[str, Any]] = self.manifest["files"]
        return files

    def read(self, name: str) -> bytes:
        """Reads a part.

        Raises:
            DatasetError: it is missing, or not what the manifest says.
        """
        if name not in self.parts:
            raise DatasetError(f"{self.place}/{MANIFEST} has no {name}")
        expected = self.parts[name]
        data = self._read(name, int(expected["bytes"]))
        if len(data) != expected["bytes"] or sha256_bytes(data) != expected["sha256"]:
            raise DatasetError(
                f"{self.place}/{name} is damaged: it is not what {MANIFEST} says",
                hint="copy the export again, or export again; nothing was changed",
            )
        return data

    def _read(self, name: str, most: int) -> bytes:
        if name not in self._files:
            raise DatasetError(
                f"{self.place}/{name} is missing", hint="copy the export whole; nothing was changed"
            )
        try:
            with self._files[name]() as file:
                # Not all at once: Python would allocate as much as a manifest says.
                blocks = iter(lambda: file.read(BLOCK), b"")
                return b"".join(itertools.islice(blocks, most // BLOCK + 1))
        except (OSError, tarfile.TarError, EOFError) as error:
            raise DatasetError(
                f"{self.place}/{name} cannot be read: {error}",
                hint="copy the export again, or export again; nothing was changed",
            ) from error


@contextlib.contextmanager
def write_parts(place: Path, *, overwrite: bool = False) -> Iterator[PartWriter]:
    """Writes an export to a folder, or to a tar file if the name ends in ``.tar``; it appears when complete.

    Args:
        place: the folder or file.
        overwrite: whether an export that is there is replaced.

    Raises:
        ConfigError: there is one, or something else.
        OSError: it cannot be written.
    """
    _check_target(place, overwrite)
    try:
        with partial_folder(place) as folder:
            written = folder / "export"
            if place.suffix == TAR:
                with written.open("xb") as file:
                    with tarfile.TarFile(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
                        yield _TarWriter(tar)
                    file.flush()
                    os.fsync(file.fileno())
                written.replace(place)
            else:
                written.mkdir()
                yield _FolderWriter(written)
                sync_folder(written)
                if place.exists():
                    place.rename(folder / "former")
                written.rename(place)
            sync_folder(place.parent)
    except OSError as error:
        if (
            error.filename is None
        ):  # a write says no name, and the disk of the export is not always the catalog's
            error.filename = os.fspath(place)
        raise


@contextlib.contextmanager
def open_parts(place: Path) -> Iterator[PartReader]:
    """Opens an export.

    Raises:
        DatasetError: there is none, or it cannot be read.
    """
    if place.is_dir():
        files = {path.name: _opener_of(path) for path in place.iterdir() if path.is_file()}
        yield PartReader(place, files)
        return
    try:
        tar = tarfile.open(place, "r:")  # noqa: SIM115 - closed below, with its own errors
    except FileNotFoundError:
        raise DatasetError(
            f"there is no {place}", hint="name what `stylesearch db export` has written"
        ) from None
    except (OSError, tarfile.TarError, ValueError) as error:
        raise DatasetError(
            f"{place} cannot be read: {error}", hint="name what `stylesearch db export` has written"
        ) from error
    with tar:
        try:
            members = {one.name: one for one in tar.getmembers() if one.isreg()}
        except (OSError, tarfile.TarError, ValueError, OverflowError, EOFError) as error:
            raise DatasetError(
                f"{place} is cut short or damaged: {error}",
                hint="copy the export again, or export again; nothing was changed",
            ) from error
        yield PartReader(place, {name: _opener_of_member(tar, one) for name, one in members.items()})


class _FolderWriter(PartWriter):
    """Writes each part to a file of a folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    def _write(self, name: str, data: bytes) -> None:
        with (self._folder / name).open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())


class _TarWriter(PartWriter):
    """Writes each part to a member of a tar file."""

    def __init__(self, tar: tarfile.TarFile) -> None:
        super().__init__()
        self._tar = tar

    def _write(self, name: str, data: bytes) -> None:
        entry = tarfile.TarInfo(name)
        entry.size, entry.mode = len(data), 0o600
        self._tar.addfile(entry, io.BytesIO(data))


def _check_target(place: Path, overwrite: bool) -> None:
    if not place.exists():
        return
    if place.suffix == TAR and place.is_dir():
        raise ConfigError(f"{place} is a folder", hint="name a file that does not exist yet")
    if place.suffix != TAR:
        if not place.is_dir():
            raise ConfigError(f"{place} is a file", hint=f"name a folder, or a file that ends in {TAR}")
        if not any(place.iterdir()):
            return
        if not (place / MANIFEST).is_file():
            raise ConfigError(f"{place} has other files in it", hint="name a folder that does not exist yet")
    if not overwrite:
        raise ConfigError(f"{place} exists already", hint="name another one, or replace it with --overwrite")


def _opener_of(path: Path) -> _Opener:
    return lambda: path.open("rb")


def _opener_of_member(tar: tarfile.TarFile, member: tarfile.TarInfo) -> _Opener:
    def read() -> IO[bytes]:
        file = tar.extractfile(member)
        assert file is not None  # it is a regular file
        return file

    return read
