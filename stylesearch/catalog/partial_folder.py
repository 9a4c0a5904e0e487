"""A folder in which a file or folder is written before it gets its name."""

from __future__ import annotations

import contextlib
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

__all__ = ["partial_folder"]

SUFFIX: Final = ".partial"


@contextlib.contextmanager
def partial_folder(target: Path) -> Iterator[Path]:
    """Makes a folder beside what is to be written, and removes it at the end.

    Those that killed processes have left are removed first: each is locked while it is in use.

    Args:
        target: the file or folder that is to be written; its own folder is made.
    """
    from filelock import FileLock, Timeout

    target.parent.mkdir(parents=True, exist_ok=True)
    prefix = f".{target.name}."
    for left in target.parent.iterdir():
        if left.name.startswith(prefix) and left.name.endswith(SUFFIX) and left.is_dir():
            with contextlib.suppress(Timeout), FileLock(left / "lock", timeout=0):
                shutil.rmtree(left, ignore_errors=True)
    folder = target.parent / f"{prefix}{secrets.token_hex(4)}{SUFFIX}"
    folder.mkdir(mode=0o700)
    try:
        with FileLock(folder / "lock", timeout=0):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
