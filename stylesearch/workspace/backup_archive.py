"""The file of a full backup: a tar file with a manifest as its last member.

```text
uploads/ab/abc....jpg                    images that were put over the API
catalog.db                               the catalog
config.toml                              settings
models/NAME/...                          trained models
networks/PATH                            a network in the workspace folder that the settings name
spaces/<feature set>/<space>/...         the fits of spaces, without indexes
webhooks/123.json                        events that wait
manifest.json                            what each file is long, and its sha256
```

It is not compressed: vectors and images do not get smaller. A file that was cut short has no manifest.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import tarfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Any, Final

from stylesearch.data_files import parse_json
from stylesearch.errors import CatalogError

__all__ = ["CATALOG", "CONFIG", "MANIFEST", "ArchiveReader", "ArchiveWriter"]

FORMAT: Final = "stylesearch-backup"
VERSION: Final = 1
CATALOG: Final = "catalog.db"
CONFIG: Final = "config.toml"
MANIFEST: Final = "manifest.json"

ALLOWED: Final = (
    re.compile(r"catalog\.db|config\.toml"),
    re.compile(r"uploads/[0-9a-f]{2}/[0-9a-f]{64}(\.[a-z0-9]+)?"),
    re.compile(r"models/[^/]+/([^/]+/)?[^/]+"),
    re.compile(r"networks/(.+/)?[^/]+\.(keras|h5|pth)"),
    re.compile(r"spaces/[^/]{1,16}/[^/]+/(space\.json|transform-[0-9a-f]{1,16}\.npz)"),
    re.compile(r"webhooks/[0-9]+\.json"),
)
"""Names of members; a backup with any other is refused."""

MOST_MANIFEST_BYTES: Final = 1 << 28
BLOCK: Final = 1 << 20
_HINT: Final = "name another backup; nothing was changed"


class ArchiveWriter:
    """Writes the members of an archive, and at the end its manifest.

    Args:
        file: binary file to write to.
        tell: called with the number of bytes that were written of each block.
    """

    def __init__(self, file: IO[bytes], tell: Callable[[int], None]) -> None:
        self._tar = tarfile.TarFile(fileobj=file, mode="w", format=tarfile.PAX_FORMAT, copybufsize=BLOCK)
        self._tell = tell
        self.files: dict[str, dict[str, Any]] = {}

    def add(self, name: str, file: IO[bytes], n_bytes: int, changed_at: float = 0) -> None:
        """Adds a file that is open, of a known length.

        Raises:
            OSError: it is shorter, or the archive cannot be written.
        """
        entry = tarfile.TarInfo(name)
        entry.size, entry.mtime, entry.mode = n_bytes, int(changed_at), 0o600
        reader = _HashingReader(file, self._tell)
        self._tar.addfile(entry, reader)
        self.files[name] = {"bytes": n_bytes, "sha256": reader.digest.hexdigest()}

    def add_path(self, name: str, path: Path) -> None:
        """Adds a file as long as it is now; one that is gone is left out."""
        try:
            file = path.open("rb")
        except FileNotFoundError:
            return
        with file:
            self.add(name, file, path.stat().st_size, path.stat().st_mtime)

    def finish(self, facts: Mapping[str, Any]) -> None:
        """Writes the manifest with some facts, and the end of the archive."""
        manifest = {"format": FORMAT, "version": VERSION, **facts, "files": self.files}
        data = json.dumps(manifest, indent=1, sort_keys=True).encode()
        entry = tarfile.TarInfo(MANIFEST)
        entry.size, entry.mode = len(data), 0o600
        self._tar.addfile(entry, io.BytesIO(data))
        self._tar.close()


class ArchiveReader:
    """An archive that is read: its manifest and its members, which are compared with it.

    Args:
        path: the file.

    Attributes:
        manifest: the manifest.

    Raises:
        CatalogError: it is no archive of a backup, cut short, or altered.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._explain(), tarfile.open(path, "r:") as tar:
            members = tar.getmembers()
            if not members or members[-1].name != MANIFEST or not members[-1].isreg():
                raise CatalogError(f"{path} has no manifest: it is no backup, or was cut short", hint=_HINT)
            if members[-1].size > MOST_MANIFEST_BYTES:
                raise CatalogError(f"the manifest of {path} is too long", hint=_HINT)
            self.manifest = self._read_manifest(tar, members[-1])
            files = self.manifest["files"]
            names = [one.name for one in members[:-1]]
            if len(names) != len(set(names)) or set(names) != set(files):
                odd = next(iter(set(names) ^ set(files)), "a name that comes twice")
                raise CatalogError(f"{path} does not hold what its manifest says: {odd}", hint=_HINT)
            for one in members[:-1]:
                if not one.isreg() or not _is_allowed(one.name) or one.size != files[one.name]["bytes"]:
                    raise CatalogError(f"{path} has a member that no backup has: {one.name!r}", hint=_HINT)

    @property
    def names(self) -> list[str]:
        """Names of the members, without the manifest, in their order."""
        return list(self.manifest["files"])

    @property
    def n_bytes(self) -> int:
        """Bytes of all members."""
        return sum(one["bytes"] for one in self.manifest["files"].values())

    def extract(self, place: Callable[[str], Path], tell: Callable[[int], None]) -> None:
        """Writes all members to files, and compares their digests with the manifest.

        Args:
            place: tells the file of a member; its folder is made.
            tell: called with the number of bytes that were read of each block.

        Raises:
            CatalogError: one is damaged.
            OSError: a file cannot be written.
        """
        with self._explain(), tarfile.open(self.path, "r:") as tar:
            for member in tar:
                if member.name == MANIFEST:
                    continue
                source = tar.extractfile(member)
                assert source is not None
                target = place(member.name)
                target.parent.mkdir(parents=True, exist_ok=True)
                reader = _HashingReader(source, tell)
                with target.open("xb") as file:
                    while block := reader.read(BLOCK):
                        file.write(block)
                os.utime(target, (member.mtime, member.mtime))
                if reader.digest.hexdigest() != self.manifest["files"][member.name]["sha256"]:
                    raise CatalogError(
                        f"{self.path} is damaged: the sha256 of {member.name} is not the one of its manifest",
                        hint=_HINT,
                    )

    def _read_manifest(self, tar: tarfile.TarFile, member: tarfile.TarInfo) -> dict[str, Any]:
        file = tar.extractfile(member)
        assert file is not None
        try:
            manifest = parse_json(file.read())
            if manifest["format"] != FORMAT:
                raise CatalogError(
                    f"{self.path} is not a backup of stylesearch",
                    hint="`stylesearch db import` takes what `stylesearch db export` has written",
                )
            version = int(manifest["version"])
            for one in manifest["files"].values():
                if int(one["bytes"]) < 0 or not isinstance(one["sha256"], str):
                    raise ValueError("a file without length or digest")
            manifest["catalog"].items()
        except (ArithmeticError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise CatalogError(f"the manifest of {self.path} cannot be read: {error}", hint=_HINT) from error
        if version > VERSION:
            raise CatalogError(
                f"{self.path} is of a newer stylesearch (format {version}). This one reads up to {VERSION}",
                hint="pip install --upgrade stylesearch",
            )
        return dict(manifest)

    @contextmanager
    def _explain(self) -> Iterator[None]:
        try:
            yield
        except (tarfile.TarError, EOFError, UnicodeDecodeError, OverflowError) as error:
            raise CatalogError(
                f"{self.path} is neither a catalog nor a full backup, or is damaged: {error}", hint=_HINT
            ) from error


class _HashingReader:
    """Reads a file, and computes its sha256 on the way."""

    def __init__(self, file: IO[bytes], tell: Callable[[int], None]) -> None:
        self._file = file
        self._tell = tell
        self.digest = hashlib.sha256()

    def read(self, n: int = -1) -> bytes:
        block = self._file.read(n)
        self.digest.update(block)
        self._tell(len(block))
        return block


def _is_allowed(name: str) -> bool:
    is_plain = not {".", "..", ""} & set(PurePosixPath(name).parts) and "\\" not in name and "\0" not in name
    return is_plain and "//" not in name and any(one.fullmatch(name) for one in ALLOWED)
