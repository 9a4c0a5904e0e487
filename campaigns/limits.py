"""Commands with little of something: a disk that is full, few open files, little memory, no further process.

A command either succeeds, or fails in a line that says what is missing; run again with enough, it ends as if
nothing had happened. The full disk is a small file system in memory of its own where this process may mount
one (as root on Linux), else a limit on the size of files.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from campaigns.kills import prepare
from campaigns.shop import replace_folder
from campaigns.trials import Trial, TrialFailed

__all__ = ["full_disks", "limits"]

PAGE: Final = 4096

RANGES: Final = {
    "NOFILE": (8, 60),
    "AS": (400 << 20, 2 << 30),
    "NPROC": (0, 40),
    "FSIZE": (0, 400_000),
    "CORE": (0, 0),
}
"""Limits from which a trial draws: number of files, bytes of addresses, processes and threads of the user
(which binds no one who is root), bytes of a file."""


@contextlib.contextmanager
def limits(folder: Path) -> Iterator[Trial]:
    """Runs each step with one resource limited."""
    with prepare(folder) as disturbed:

        def trial(number: int, rng: random.Random) -> str:
            prepared = disturbed.prepare(number)
            name = rng.choice(("NOFILE", "AS", "NPROC", "FSIZE"))
            value = rng.randint(*RANGES[name])
            said = f"{prepared.step.name} with {name} {value}"
            disturbed.reset(prepared)
            try:
                done = disturbed.run(*prepared.arguments, limits={name: value, "CORE": 0})
                done.check_manners(0, 1, 3)
                disturbed.check(prepared)
            except TrialFailed as error:
                raise TrialFailed(f"{said}: {error}") from error
            return f"{said}: exit {done.code}"

        yield trial


@contextlib.contextmanager
def full_disks(folder: Path) -> Iterator[Trial]:
    """Runs each step on a disk with little space left."""
    with prepare(folder) as disturbed:
        home = disturbed.home

        def trial(number: int, rng: random.Random) -> str:
            prepared = disturbed.prepare(number)
            used = sum(_whole_pages(path.lstat().st_size) for path in prepared.before.rglob("*"))
            space = round(2 ** rng.uniform(14, 21))
            said = f"{prepared.step.name} with {space >> 10} KB free"
            shutil.rmtree(home, ignore_errors=True)
            home.mkdir()
            with _small_disk(home, used + space) as limited:
                shutil.copytree(prepared.before, home, dirs_exist_ok=True)
                done = disturbed.run(*prepared.arguments, limits={} if limited else {"FSIZE": space})
                after = folder / "after"
                replace_folder(home, after)
            replace_folder(after, home)
            try:
                done.check_manners(0, 1, 3)
                disturbed.check(prepared)
            except TrialFailed as error:
                raise TrialFailed(f"{said}: {error}") from error
            return f"{said}: exit {done.code}"

        yield trial


def _whole_pages(n_bytes: int) -> int:
    """What a file or folder takes of a file system in memory: whole pages, and one for itself."""
    return (-(-n_bytes // PAGE) + 1) * PAGE


@contextlib.contextmanager
def _small_disk(place: Path, n_bytes: int) -> Iterator[bool]:
    """Mounts a file system of that size, where that is allowed; whether it was."""
    is_mounted = False
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        options = ["-t", "tmpfs", "-o", f"size={n_bytes}", "tmpfs", str(place)]
        is_mounted = subprocess.run(["mount", *options], check=False, capture_output=True).returncode == 0
    try:
        yield is_mounted
    finally:
        if is_mounted:
            subprocess.run(["umount", str(place)], check=True)
