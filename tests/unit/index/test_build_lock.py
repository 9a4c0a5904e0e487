"""One process of a home builds indexes at a time; the lock says who, and goes when its process does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from stylesearch.errors import IndexesLocked, IndexingError
from stylesearch.index.build_lock import building

HOLD = """
import sys, pathlib
from stylesearch.index.build_lock import building
with building(pathlib.Path(sys.argv[1]), 0):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_another_builder_is_named_and_a_killed_one_holds_nothing(tmp_path: Path) -> None:
    other = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert other.stdout is not None
        other.stdout.readline()
        told = f"process {other.pid} on .* is building"
        with pytest.raises(IndexesLocked, match=told) as caught, building(tmp_path, 0):
            pass
        assert "searches go on" in caught.value.hint
    finally:
        other.kill()
        other.communicate()
    with building(tmp_path, 0):
        assert f"process {os.getpid()} " in (tmp_path / "build.lock").read_text()


def test_a_folder_in_which_nothing_can_be_locked_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(IndexingError, match="cannot lock the indexes"), building(tmp_path / "file", 0):
        pass
