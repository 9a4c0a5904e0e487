"""Arrays in files: a disk that is full says so, instead of ending the process when it is written to."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest

from stylesearch.errors import StyleSearchError
from stylesearch.features.arrays import ArrayPool, temporary_array

needs_reserving = pytest.mark.skipif(
    not hasattr(os, "posix_fallocate"), reason="this system reserves no room for files"
)


class FailingDisk:
    """Reserves a part, and then reports an error."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.asked: list[int] = []
        self.descriptors: list[int] = []

    def __call__(self, descriptor: int, offset: int, n_bytes: int) -> None:
        self.asked.append(n_bytes)
        self.descriptors.append(descriptor)
        os.truncate(descriptor, n_bytes // 2)
        raise OSError(self.number, os.strerror(self.number))


def disk_that_fails(monkeypatch: pytest.MonkeyPatch, number: int) -> FailingDisk:
    disk = FailingDisk(number)
    monkeypatch.setattr(os, "posix_fallocate", disk, raising=False)
    return disk


def is_closed(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError as error:
        return error.errno == errno.EBADF
    return False


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_vectors_that_fit_nowhere_are_an_error_that_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    disk = disk_that_fails(monkeypatch, number)
    folder = tmp_path / "cache"
    with ArrayPool(folder, 1024) as pool:
        in_memory = pool.array(4, 8)
        with pytest.raises(
            StyleSearchError, match=r"8\.0 MiB does not fit: .*cache has .* MiB left"
        ) as caught:
            pool.array(1024, 2048)
        assert is_closed(disk.descriptors[0])  # at once, and not when the room is left
        assert not in_memory.any()
    assert disk.asked == [8 * 2**20]
    assert "make room" in caught.value.hint
    assert "--max-memory" in caught.value.hint
    assert not list(folder.iterdir())


@pytest.mark.parametrize("number", [errno.EOPNOTSUPP, errno.EINVAL])
def test_a_file_system_that_reserves_nothing_is_written_to_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    disk = disk_that_fails(monkeypatch, number)
    with temporary_array(tmp_path, (30, 5), np.float32, hint="") as array:
        assert array.shape == (30, 5)
        assert not array.any()
        array[:] = np.arange(150).reshape(30, 5)
        assert array.sum() == 149 * 75
    assert disk.asked == [600]
    assert not list(tmp_path.iterdir())


def test_another_failure_of_the_disk_stays_what_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = disk_that_fails(monkeypatch, errno.EIO)
    with (
        pytest.raises(OSError, match=os.strerror(errno.EIO)),
        temporary_array(tmp_path, (30, 5), np.float32, hint=""),
    ):
        pass
    assert is_closed(disk.descriptors[0])


@needs_reserving
def test_the_whole_room_is_reserved_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reserve, reserved = os.posix_fallocate, []

    def reserving(descriptor: int, offset: int, n_bytes: int) -> None:
        reserve(descriptor, offset, n_bytes)
        reserved.append((offset, n_bytes, os.fstat(descriptor).st_size))

    monkeypatch.setattr(os, "posix_fallocate", reserving)
    with temporary_array(tmp_path, (100, 7), np.float32, hint="") as array:
        array[:] = 1
    with temporary_array(tmp_path, (0, 7), np.uint8, hint="") as nothing:
        assert nothing.shape == (0, 7)
    assert reserved == [(0, 2800, 2800), (0, 1, 1)]
