"""What a generation of an index says about itself, checked before a byte of it is trusted.

Sizes are always checked. A file whose time of modification is not the one written down is hashed too (a
workspace that was copied costs some milliseconds more at each start, until it is built again). Annoy's trees
are hashed before each load whatever their time: a wrong byte there can crash the process. Vectors cannot
crash anything; a bit that rots in them without touching the file's time is found by ``verify``, which hashes
everything.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from stylesearch.errors import IndexDamaged
from stylesearch.storage import sha256_file, write_json

__all__ = ["FORMAT", "FileRecord", "Manifest"]

FORMAT = 2
_NAME = "manifest.json"


@dataclass(frozen=True, slots=True)
class FileRecord:
    """A file as it was when it was written.

    Attributes:
        size: bytes.
        sha256: hexadecimal digest of its content.
        mtime_ns: time of modification, nanoseconds.
    """

    size: int
    sha256: str
    mtime_ns: int

    @classmethod
    def of(cls, path: Path) -> Self:
        """Of a file that is complete."""
        stat = path.stat()
        return cls(stat.st_size, sha256_file(path), stat.st_mtime_ns)

    def check(self, path: Path, *, thorough: bool) -> None:
        """Compares with what lies at ``path``.

        Args:
            path: the file.
            thorough: hash it even if its time is as it was.

        Raises:
            IndexDamaged: it is missing, cut short or altered.
        """
        try:
            stat = path.stat()
            if stat.st_size != self.size:
                raise IndexDamaged(f"{path} has {stat.st_size} bytes instead of {self.size}")
            if (thorough or stat.st_mtime_ns != self.mtime_ns) and sha256_file(path) != self.sha256:
                raise IndexDamaged(f"{path} is not what was written: its sha256 differs")
        except OSError as error:
            raise IndexDamaged(f"{path} cannot be read: {error}") from error


@dataclass(frozen=True, slots=True)
class Manifest:
    """What is in a generation.

    Attributes:
        space_key: of the space that the vectors are of.
        category: name of the category.
        metric: of all distances.
        dim: width of a vector.
        count: how many there are.
        kind: ``annoy``, or ``exact`` when there are too few vectors for more, or no Annoy.
        reduced_width: of a vector that candidates are searched with; 0 for ``exact``.
        n_candidates: how many these vectors need as a rule, as was tried out; 0 for ``exact``.
        annoy_recall: share of true neighbours that Annoy's candidates held then.
        n_trees: Annoy's trees; 0 for ``exact``.
        seed: of the sample, of the axes and of Annoy.
        transform_version: of the transform that made the vectors.
        last_feature_id: largest feature id that had been given when the vectors were read.
        built: when, ISO 8601 in UTC.
        builders: versions of what built it.
        files: by name.
    """

    space_key: str
    category: str
    metric: str
    dim: int
    count: int
    kind: str
    reduced_width: int
    n_candidates: int
    annoy_recall: float
    n_trees: int
    seed: int
    transform_version: str
    last_feature_id: int
    built: str
    builders: Mapping[str, str]
    files: Mapping[str, FileRecord]

    @property
    def n_bytes(self) -> int:
        """Size of all files."""
        return sum(record.size for record in self.files.values())

    def write(self, folder: Path) -> None:
        """Writes it into a generation's folder."""
        write_json(folder / _NAME, {"format": FORMAT, **asdict(self)})

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Reads what :meth:`write` wrote.

        Raises:
            IndexDamaged: it is missing, damaged, or of a format that is not known here.
        """
        path = folder / _NAME
        try:
            stored: dict[str, Any] = json.loads(path.read_bytes())
            if stored.pop("format") != FORMAT:
                raise IndexDamaged(f"{path} is of another format", hint="stylesearch index build")
            files = {name: FileRecord(**record) for name, record in stored.pop("files").items()}
            manifest = cls(**stored, files=files)
            _check_types(manifest)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise IndexDamaged(f"{path} cannot be read: {error}") from error
        return manifest

    def check_files(self, folder: Path, *, thorough: bool = False) -> None:
        """Compares every file with what was written down.

        Raises:
            IndexDamaged: one is missing, cut short or altered.
        """
        for name, record in self.files.items():
            record.check(folder / name, thorough=thorough)

    def check_file(self, folder: Path, name: str) -> None:
        """Hashes one file.

        Raises:
            IndexDamaged: it is missing, cut short or altered.
        """
        self.files[name].check(folder / name, thorough=True)


def _check_types(manifest: Manifest) -> None:
    whole = (
        manifest.dim,
        manifest.count,
        manifest.reduced_width,
        manifest.n_candidates,
        manifest.n_trees,
        manifest.last_feature_id,
    )
    if not all(type(number) is int and number >= 0 for number in whole):
        raise ValueError("a count is not a whole number")
    if type(manifest.annoy_recall) is not float:
        raise ValueError("a share is not a number")
    for record in manifest.files.values():
        if type(record.size) is not int or type(record.mtime_ns) is not int or type(record.sha256) is not str:
            raise ValueError("a file's record is not complete")
