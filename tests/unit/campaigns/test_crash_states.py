"""What may be on a disk after a power cut: what was flushed is there, and of the rest any part."""

from __future__ import annotations

import random
import struct
from pathlib import Path

import pytest

from campaigns.crash_states import (
    CREATE,
    MARK,
    RENAME,
    SECTOR,
    SYNC,
    TRUNCATE,
    UNLINK,
    WRITE,
    Operation,
    Recording,
    read_journal,
)

Content = dict[str, bytes]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / "old").write_bytes(b"o" * 2 * SECTOR)
    return folder


def states(folder: Path, *operations: Operation, n: int = 200) -> list[Content]:
    """States after all of the operations, by many random numbers."""
    recording = Recording(folder, list(operations))
    found = []
    for seed in range(n):
        target = folder.parent / f"state-{seed}"
        recording.crash(len(operations), random.Random(seed), target)
        found.append({path.name: path.read_bytes() for path in target.iterdir()})
    return found


def of(
    kind: int, path: Path, data: bytes = b"", *, inode: int = 99, offset: int = 0, to: str = ""
) -> Operation:
    return Operation(kind, inode, str(path), to, offset, data)


def test_what_was_flushed_is_there(folder: Path) -> None:
    new = folder / "new"
    found = states(folder, of(CREATE, new), of(WRITE, new, b"n" * 700), of(SYNC, new))
    assert all(one == {"old": b"o" * 2 * SECTOR, "new": b"n" * 700} for one in found)


def test_what_was_not_flushed_is_there_in_any_part(folder: Path) -> None:
    inode = (folder / "old").stat().st_ino
    found = states(folder, of(WRITE, folder / "old", b"n" * 2 * SECTOR, inode=inode))
    old, new = b"o" * SECTOR, b"n" * SECTOR
    assert {one["old"] for one in found} == {old + old, old + new, new + old, new + new}


def test_a_new_file_may_be_missing_empty_or_have_holes(folder: Path) -> None:
    new = folder / "new"
    found = states(folder, of(CREATE, new), of(WRITE, new, b"n" * 2 * SECTOR))
    n = b"n" * SECTOR
    assert {one.get("new") for one in found} == {None, b"", n, bytes(SECTOR) + n, n + n}


def test_a_file_renamed_without_a_flush_can_be_empty_and_with_one_is_whole(folder: Path) -> None:
    partial, old = folder / "partial", folder / "old"
    before, after = b"o" * 2 * SECTOR, b"n" * 10
    written = (of(CREATE, partial), of(WRITE, partial, after))
    moved = of(RENAME, partial, to=str(old), inode=0)
    assert {one["old"] for one in states(folder, *written, moved)} == {before, b"", after}
    assert {one["old"] for one in states(folder, *written, of(SYNC, partial), moved)} == {before, after}


def test_names_that_were_made_before_a_later_flush_are_there(folder: Path) -> None:
    new, other = folder / "new", folder / "other"
    operations = (of(CREATE, new), of(CREATE, other, inode=98), of(SYNC, other, inode=98))
    assert all("new" in one for one in states(folder, *operations, n=30))


def test_a_removed_file_may_be_there_still(folder: Path) -> None:
    assert {"old" in one for one in states(folder, of(UNLINK, folder / "old", inode=0))} == {True, False}


def test_a_file_that_was_cut_may_be_long_still(folder: Path) -> None:
    old = folder / "old"
    found = states(folder, of(TRUNCATE, old, offset=5, inode=old.stat().st_ino))
    assert {len(one["old"]) for one in found} == {5, 2 * SECTOR}


def test_marks_say_what_was_acknowledged(folder: Path) -> None:
    recording = Recording(folder, [Operation(MARK, 0, "done", "", 0, b""), of(UNLINK, folder / "old")])
    assert recording.marks(0) == []
    assert recording.marks(1) == ["done"]


def test_a_journal_is_read_as_it_is_written(tmp_path: Path) -> None:
    def record(
        kind: int, inode: int, path: bytes, other: bytes, offset: int, data: bytes, size: int
    ) -> bytes:
        return struct.pack("<4I3Q", kind, len(path), len(other), 0, inode, offset, size) + path + other + data

    journal = tmp_path / "journal"
    journal.write_bytes(
        record(WRITE, 5, b"/a", b"", 100, b"data", 4)
        + record(RENAME, 0, b"/a", b"/b", 0, b"", 0)
        + record(TRUNCATE, 5, b"/b", b"", 7, b"", 0)
    )
    assert list(read_journal(journal)) == [
        Operation(WRITE, 5, "/a", "", 100, b"data"),
        Operation(RENAME, 0, "/a", "/b", 0, b""),
        Operation(TRUNCATE, 5, "/b", "", 7, b""),
    ]
