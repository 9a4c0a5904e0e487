"""The library that lets operations on files fail, in a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from campaigns import faults
from campaigns.crash_states import CREATE, MARK, RENAME, SYNC, UNLINK, WRITE, read_journal
from campaigns.faults import FaultKind

pytestmark = pytest.mark.skipif(not faults.is_possible(), reason="needs Linux and a C compiler")

SCRIPT = """
import os, sys
from campaigns import faults
folder, kind, at, journal = sys.argv[1], *map(int, sys.argv[2:4]), sys.argv[4]
faults.arm(faults.Fault(folder, faults.FaultKind(kind), at, journal))
with open(os.path.join(os.path.dirname(folder), "elsewhere"), "wb") as file:
    file.write(b"is not counted")
try:
    with open(os.path.join(folder, "partial"), "xb", buffering=0) as file:
        rest = memoryview(b"0123456789")
        while rest:
            rest = rest[file.write(rest) :]
        os.fsync(file.fileno())
    os.replace(os.path.join(folder, "partial"), os.path.join(folder, "whole"))
    faults.mark("done")
    os.unlink(os.path.join(folder, "whole"))
except OSError as error:
    print("failed:", error.strerror)
print(*faults.count_operations())
"""


def run(
    folder: Path, kind: FaultKind, at: int = 0, journal: Path | None = None
) -> subprocess.CompletedProcess[str]:
    (folder / "home").mkdir()
    arguments = [str(folder / "home"), str(int(kind)), str(at), str(journal or "")]
    root = Path(__file__).parents[3]
    return subprocess.run(
        [sys.executable, "-S", "-c", SCRIPT, *arguments],
        env={**os.environ, **faults.environment(), "PYTHONPATH": str(root)},
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )


def test_operations_are_counted_and_written_down(tmp_path: Path) -> None:
    done = run(tmp_path, FaultKind.COUNT, journal=tmp_path / "journal")
    assert done.stdout == "5 False\n", done.stderr
    operations = list(read_journal(tmp_path / "journal"))
    assert [one.kind for one in operations] == [CREATE, WRITE, SYNC, RENAME, MARK, UNLINK]
    assert operations[1].data == b"0123456789"
    assert operations[3].other == str(tmp_path / "home" / "whole")
    assert operations[4].path == "done"
    assert operations[0].inode == operations[1].inode == operations[2].inode != 0


@pytest.mark.parametrize(
    ("at", "left"),
    [(1, {}), (2, {"partial": b""}), (4, {"partial": b"0123456789"}), (5, {"whole": b"0123456789"})],
)
def test_a_process_is_killed_before_an_operation(tmp_path: Path, at: int, left: dict[str, bytes]) -> None:
    assert run(tmp_path, FaultKind.KILL, at).returncode == -signal.SIGKILL
    assert {path.name: path.read_bytes() for path in (tmp_path / "home").iterdir()} == left


def test_a_process_is_killed_halfway_through_a_write(tmp_path: Path) -> None:
    assert run(tmp_path, FaultKind.KILL_HALFWAY, 2).returncode == -signal.SIGKILL
    assert (tmp_path / "home" / "partial").read_bytes() == b"01234"


@pytest.mark.parametrize(
    ("kind", "at", "said"),
    [
        (FaultKind.NO_SPACE, 2, "failed: No space left on device\n2 True\n"),
        (FaultKind.NO_SPACE, 5, "5 False\n"),  # removing a file takes no space
        (FaultKind.IO_ERROR, 3, "failed: Input/output error\n3 True\n"),
        (FaultKind.IO_ERROR_FROM_THEN, 5, "failed: Input/output error\n5 True\n"),
        (FaultKind.SHORT_WRITE, 2, "6 True\n"),  # one write more
    ],
)
def test_an_operation_fails(tmp_path: Path, kind: FaultKind, at: int, said: str) -> None:
    assert run(tmp_path, kind, at).stdout == said
