"""Arrays in temporary files, whose room on the disk is taken before anything is written.

Writing through a mapping into a file that has no blocks yet ends the process with a signal where the disk is
full, without a word; a file whose blocks are reserved says so beforehand.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from stylesearch.errors import StyleSearchError

__all__ = ["temporary_array"]

_NO_ROOM: Final = {errno.ENOSPC, errno.EDQUOT} if hasattr(errno, "EDQUOT") else {errno.ENOSPC}
_CANNOT_RESERVE: Final = {errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL}


@contextlib.contextmanager
def temporary_array(
    folder: Path, shape: tuple[int, ...], dtype: npt.DTypeLike, *, hint: str
) -> Iterator[npt.NDArray[Any]]:
    """An array of zeros, mapped from a file that is gone at the end of the block.

    Args:
        folder: where the file lies; is made.
        shape: of the array.
        dtype: of the array.
        hint: what to do where the disk has no room for it.

    Raises:
        StyleSearchError: the disk, or the user's share of it, has no room.

    Example:
        >>> with temporary_array(Path(tempfile.gettempdir()), (2, 3), np.uint8, hint="") as array:
        ...     array[1] = 7
        ...     array.tolist()
        [[0, 0, 0], [7, 7, 7]]
    """
    folder.mkdir(parents=True, exist_ok=True)
    n_bytes = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
    with contextlib.ExitStack() as held:
        file = held.enter_context(tempfile.TemporaryFile(dir=folder))
        try:
            _reserve(file.fileno(), max(1, n_bytes))  # no file of nothing can be mapped
        except OSError as error:
            if error.errno not in _NO_ROOM:
                raise
            held.close()  # what it got of the disk is free again
            free = shutil.disk_usage(folder).free
            raise StyleSearchError(
                f"a temporary file of {_mebibytes(n_bytes)} does not fit: "
                f"{folder} has {_mebibytes(free)} left ({error.strerror})",
                hint=hint,
            ) from error
        yield np.memmap(file, dtype, "r+", shape=shape)


def _reserve(descriptor: int, n_bytes: int) -> None:
    """Makes an empty file as long as this, its blocks reserved where the system can do that."""
    if hasattr(os, "posix_fallocate"):
        try:
            os.posix_fallocate(descriptor, 0, n_bytes)
            return
        except OSError as error:
            if error.errno not in _CANNOT_RESERVE:
                raise
    os.truncate(descriptor, n_bytes)


def _mebibytes(n_bytes: int) -> str:
    return f"{n_bytes / 2**20:,.1f} MiB"
