"""Codes of pictures on disk, by the content of the picture.

Each call to :meth:`CodeCache.add` writes one file, ``FOLDER/picture-codes-1/<first half of its sha256>.bin``:
records of a fixed length, a few thousand at most, whole or absent. (A file a picture would be a hundred
thousand tiny ones.) A file whose content does not fit its name is passed over; what it held is computed
again. When there are many files, they become one.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np

from stylesearch.storage import atomic_file, sha256_bytes
from stylesearch.training.picture_codes import N_FIELDS, N_WORDS, PictureCode

__all__ = ["CodeCache"]

log = logging.getLogger(__name__)

VERSION: Final = 1
"""Of the codes: another way to look at pictures is another folder."""

MANY_FILES: Final = 32

_RECORD: Final = np.dtype(
    [("sha256", "u1", 32), ("shape", "<u8", N_WORDS), ("colours", "u1", (N_FIELDS, N_FIELDS, 3))]
)


class CodeCache:
    """The codes of a workspace's pictures. Any number of processes may read and add at once.

    Args:
        folder: the workspace's cache folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder / f"picture-codes-{VERSION}"

    def read(self) -> dict[str, PictureCode]:
        """All codes, by sha256 of the picture."""
        found: dict[str, PictureCode] = {}
        files = sorted(self.folder.glob("*.bin"))
        for path in files:
            found |= _read(path)
        if len(files) > MANY_FILES:
            self._merge(files, found)
        return found

    def add(self, codes: Mapping[str, PictureCode]) -> None:
        """Keeps codes."""
        if codes:
            self._write(codes)

    def _write(self, codes: Mapping[str, PictureCode]) -> Path:
        records = np.empty(len(codes), _RECORD)
        for record, (sha256, code) in zip(records, sorted(codes.items()), strict=True):
            record["sha256"] = np.frombuffer(bytes.fromhex(sha256), np.uint8)
            record["shape"], record["colours"] = code.shape, code.colours
        data = records.tobytes()
        path = self.folder / f"{sha256_bytes(data)[:32]}.bin"
        with atomic_file(path) as file:
            file.write(data)
        return path

    def _merge(self, files: list[Path], codes: Mapping[str, PictureCode]) -> None:
        """Another process that reads meanwhile may miss some, and computes them again."""
        merged = self._write(codes)
        for path in files:
            if path != merged:
                path.unlink(missing_ok=True)


def _read(path: Path) -> dict[str, PictureCode]:
    try:
        data = path.read_bytes()
    except FileNotFoundError:  # merged by another process since it was listed
        return {}
    if sha256_bytes(data)[:32] != path.stem or len(data) % _RECORD.itemsize:
        log.warning("%s is damaged: its pictures are looked at again", path)
        return {}
    records = np.frombuffer(data, _RECORD)
    names = [bytes(name).hex() for name in records["sha256"]]
    shapes = records["shape"].astype(np.uint64)
    return {
        name: PictureCode(shape, colours)
        for name, shape, colours in zip(names, shapes, records["colours"], strict=True)
    }
