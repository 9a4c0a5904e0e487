from __future__ import annotations

import os
from pathlib import Path

import pytest

from stylesearch.files import RACY_SECONDS, stat_key


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "photo.jpg"
    path.write_bytes(b"picture")
    return path


def later(path: Path) -> float:
    return path.stat().st_ctime + RACY_SECONDS + 1


def test_the_key_stays_while_the_file_does(file: Path) -> None:
    first = stat_key(file.stat(), now=later(file))
    file.read_bytes()
    assert first is not None
    assert stat_key(file.stat(), now=later(file)) == first


def test_a_changed_file_has_another_key_even_with_its_old_size_and_time(file: Path) -> None:
    before = file.stat()
    first = stat_key(before, now=later(file))
    file.write_bytes(b"PICTURE")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert file.stat().st_mtime_ns == before.st_mtime_ns
    assert stat_key(file.stat(), now=later(file)) != first


def test_a_file_put_in_its_place_has_another_key(file: Path, tmp_path: Path) -> None:
    first = stat_key(file.stat(), now=later(file))
    other = tmp_path / "other"
    other.write_bytes(b"PICTURE")
    other.replace(file)
    assert stat_key(file.stat(), now=later(file)) != first


def test_a_file_changed_a_moment_ago_has_no_key(file: Path) -> None:
    changed = file.stat().st_ctime
    assert stat_key(file.stat()) is None
    assert stat_key(file.stat(), now=changed + RACY_SECONDS - 0.1) is None
    assert stat_key(file.stat(), now=changed + RACY_SECONDS + 0.1) is not None


def test_a_file_from_the_future_has_no_key(file: Path) -> None:
    os.utime(file, (later(file) + 1e6, later(file) + 1e6))
    assert stat_key(file.stat(), now=later(file)) is None
