"""What may be on a disk after its power was cut, made from the journal of ``faulty_files.c``.

What was flushed (fsync, fdatasync) is there. Of what was written since, any part may be: each sector of 512
bytes by itself, in any order, and so may each change of a file's length. Of names (a file made, renamed,
removed, a folder made) those are there that came before any later flush, and of the others a beginning: so do
ext4, XFS, Btrfs and NTFS, which keep a journal of names. Data and names are independent: a file can have
its new name and none of its content.
"""

from __future__ import annotations

import os
import random
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

__all__ = ["Operation", "Recording", "read_journal"]

WRITE, SYNC, TRUNCATE, RENAME, UNLINK, CREATE, MAKE_FOLDER, REMOVE_FOLDER, LINK, MARK = range(1, 11)
SECTOR: Final = 512
_HEAD: Final = struct.Struct("<4I3Q")


@dataclass(frozen=True)
class Operation:
    """An operation on a file.

    Attributes:
        kind: ``WRITE`` and so on.
        inode: of the file; 0 where it is about names only.
        path, other: paths; of a mark its text.
        offset: where it was written, or the new length.
        data: what was.
    """

    kind: int
    inode: int
    path: str
    other: str
    offset: int
    data: bytes


def read_journal(path: Path) -> Iterator[Operation]:
    """Reads the operations of a journal in their order."""
    data = path.read_bytes()
    at = 0
    while at < len(data):
        kind, n_path, n_other, _, inode, offset, n_data = _HEAD.unpack_from(data, at)
        at += _HEAD.size
        path_name = os.fsdecode(data[at : at + n_path])
        at += n_path
        other_name = os.fsdecode(data[at : at + n_other])
        at += n_other
        n_stored = n_data if kind == WRITE else 0
        yield Operation(kind, inode, path_name, other_name, offset, data[at : at + n_stored])
        at += n_stored


@dataclass
class _File:
    """A file, by whatever names: what of it is on the disk for certain, and what was done since."""

    content: bytearray
    unsynced: list[Operation] = field(default_factory=list)


Names = dict[str, _File | None]
"""Files by their path; None for a folder."""


class Recording:
    """The files of a folder before a command, and what the command did to them.

    Args:
        folder: as it was before; its files are read now.
        operations: of the command, with the paths of this folder.
    """

    def __init__(self, folder: Path, operations: list[Operation]) -> None:
        self.folder = folder
        self.operations = operations
        self._before: dict[str, tuple[int, bytes] | None] = {}
        for path in sorted(folder.rglob("*")):
            is_file = path.is_file()
            self._before[str(path)] = (path.stat().st_ino, path.read_bytes()) if is_file else None

    def marks(self, until: int) -> list[str]:
        """What had been acknowledged before an operation."""
        return [one.path for one in self.operations[:until] if one.kind == MARK]

    def crash(self, until: int, rng: random.Random, target: Path) -> str:
        """Writes a state that the disk may be in when the power is cut before an operation.

        Args:
            until: number of the operation, from 0; as many were done.
            rng: decides what of the unflushed is there.
            target: an empty or missing folder; what lay in ``self.folder`` comes here.

        Returns:
            in a few words what was chosen.
        """
        names: Names = {}
        by_inode: dict[int, _File] = {}
        for path, stored in self._before.items():
            names[path] = file = None if stored is None else _File(bytearray(stored[1]))
            if stored is not None and file is not None:
                by_inode[stored[0]] = file
        flushed = dict(names)
        later: list[Names] = []
        for one in self.operations[:until]:
            if one.kind == SYNC:
                if one.inode in by_inode:
                    file = by_inode[one.inode]
                    for operation in file.unsynced:
                        _apply(operation, file.content)
                    file.unsynced.clear()
                flushed, later = dict(names), []
            elif one.kind in (WRITE, TRUNCATE):
                by_inode[one.inode].unsynced.append(one)
            elif one.kind != MARK:
                _rename(one, names, by_inode)
                later.append(dict(names))
        n_names = rng.randint(0, len(later))
        share = rng.choice((0.0, 0.5, 0.5, 0.9, 1.0))
        chosen = later[n_names - 1] if n_names else flushed
        target.mkdir(parents=True, exist_ok=True)
        n_dropped = self._write(chosen, share, rng, target)
        return (
            f"power cut before operation {until} of {len(self.operations)}; of {len(later)} unflushed names "
            f"{n_names} are there, {n_dropped} unflushed sectors are not"
        )

    def _write(self, names: Names, share: float, rng: random.Random, target: Path) -> int:
        """Writes files with a share of what was unflushed; how many sectors were left out."""
        n_dropped = 0
        made: dict[int, bytes] = {}
        for path, file in names.items():
            place = target / Path(path).relative_to(self.folder)
            if file is None:
                place.mkdir(parents=True, exist_ok=True)
                continue
            if place.name.endswith("-shm"):  # shared memory of those that ran; nothing that a disk promises
                continue
            if id(file) not in made:
                content = bytearray(file.content)
                for operation in file.unsynced:
                    for part in _sectors(operation):
                        if rng.random() < share:
                            _apply(part, content)
                        else:
                            n_dropped += 1
                made[id(file)] = bytes(content)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(made[id(file)])
        return n_dropped


def _rename(one: Operation, names: Names, by_inode: dict[int, _File]) -> None:
    """Does to names what an operation did."""
    match one.kind:
        case 6:  # CREATE
            names[one.path] = by_inode[one.inode] = _File(bytearray())
        case 7:  # MAKE_FOLDER
            names[one.path] = None
        case 5 | 8:  # UNLINK, REMOVE_FOLDER
            names.pop(one.path, None)
        case 9:  # LINK
            names[one.other] = names[one.path]
        case 4:  # RENAME
            for path in [path for path in names if path == one.path or path.startswith(f"{one.path}/")]:
                names[one.other + path.removeprefix(one.path)] = names.pop(path)


def _sectors(one: Operation) -> Iterator[Operation]:
    """The parts of a write that a disk does by themselves."""
    if one.kind == TRUNCATE:
        yield one
        return
    at = 0
    while at < len(one.data):
        end = min(len(one.data), ((one.offset + at) // SECTOR + 1) * SECTOR - one.offset)
        yield Operation(WRITE, one.inode, one.path, "", one.offset + at, one.data[at:end])
        at = end


def _apply(one: Operation, content: bytearray) -> None:
    """Does to the content of a file what an operation did."""
    if one.kind == TRUNCATE:
        del content[one.offset :]
        content.extend(bytes(one.offset - len(content)))
        return
    if len(content) < one.offset:
        content.extend(bytes(one.offset - len(content)))
    content[one.offset : one.offset + len(one.data)] = one.data
