"""Faults at the n-th operation of a process on the files of a folder: ``faulty_files.c``, from Python."""

from __future__ import annotations

import ctypes
import enum
import hashlib
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

__all__ = ["Fault", "FaultKind", "arm", "count_operations", "environment", "is_possible", "mark"]

SOURCE: Final = Path(__file__).with_name("faulty_files.c")


class FaultKind(enum.IntEnum):
    """What happens at the n-th operation; the numbers are those of the C source."""

    COUNT = 0
    """Nothing: operations are only counted."""
    KILL = 1
    """The process is killed before it."""
    KILL_HALFWAY = 2
    """Half of a write is done, then the process is killed."""
    NO_SPACE = 3
    """The disk is full, once: the next operation that takes space fails."""
    NO_SPACE_FROM_THEN = 4
    """The disk is full from then on."""
    IO_ERROR = 5
    """The disk fails once."""
    IO_ERROR_FROM_THEN = 6
    """The disk fails from then on."""
    SHORT_WRITE = 7
    """A write does half of what it was asked, which is no error: the rest has to be written by another."""


@dataclass(frozen=True)
class Fault:
    """A fault that a process is armed with.

    Attributes:
        folder: below which operations count; a real path.
        kind: what happens.
        at: at which operation, from 1.
        journal: a file that every operation is written to, with its data; "" for none.
    """

    folder: str
    kind: FaultKind = FaultKind.COUNT
    at: int = 0
    journal: str = ""


@cache
def library() -> Path:
    """Builds the library, once for a source and a user; its path.

    Raises:
        RuntimeError: there is no C compiler, or this is not Linux.
    """
    if sys.platform != "linux":
        raise RuntimeError("faults at single operations need Linux: they are made by LD_PRELOAD")
    digest = hashlib.sha256(SOURCE.read_bytes()).hexdigest()[:16]
    folder = Path(tempfile.gettempdir()) / f"stylesearch-campaigns-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid() or folder.stat().st_mode & 0o022:
        raise RuntimeError(f"{folder} is open to others")
    built = folder / f"faulty_files-{digest}.so"
    if not built.exists():
        partial = built.with_suffix(f".{os.getpid()}")
        command = [
            "cc",
            "-Wall",
            "-O1",
            "-shared",
            "-fPIC",
            "-o",
            str(partial),
            str(SOURCE),
            "-ldl",
            "-lpthread",
        ]
        try:
            subprocess.run(command, check=True, capture_output=True, text=True)
        except FileNotFoundError as error:
            raise RuntimeError("faults at single operations need a C compiler, cc") from error
        except subprocess.CalledProcessError as error:
            raise RuntimeError(f"{SOURCE.name} was not compiled: {error.stderr}") from error
        partial.replace(built)
    return built


def is_possible() -> bool:
    """Whether this machine can build the library."""
    try:
        library()
    except RuntimeError:
        return False
    return True


def environment() -> dict[str, str]:
    """What a process has to be started with so that it, or a fork of it, can be armed."""
    return {"LD_PRELOAD": str(library())}


def arm(fault: Fault) -> None:
    """Arms this process, which was started with ``environment()``."""
    loaded = ctypes.CDLL(None)
    folder, journal = os.fsencode(os.path.realpath(fault.folder)), os.fsencode(fault.journal)
    if loaded.files_arm(folder, int(fault.kind), ctypes.c_long(fault.at), journal):
        raise RuntimeError(f"the journal {fault.journal} cannot be written")


def count_operations() -> tuple[int, bool]:
    """How many operations this process has made since it was armed, and whether the fault has happened."""
    loaded = ctypes.CDLL(None)
    loaded.files_counted.restype = ctypes.c_long
    return int(loaded.files_counted()), bool(loaded.files_fired())


def mark(text: str) -> None:
    """Writes into the journal of this process that something has been acknowledged."""
    ctypes.CDLL(None).files_mark(text.encode())
