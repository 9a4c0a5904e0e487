"""The most memory that this process has had."""

from __future__ import annotations

import re
from pathlib import Path

__all__ = ["peak_megabytes"]


def peak_megabytes() -> int:
    """Reads the largest resident set of this process so far.

    Not by ``getrusage``: the kernel keeps ``ru_maxrss`` over ``exec``, so that it begins at what the process
    had that started this one.
    """
    status = Path("/proc/self/status").read_text("ascii")
    (kilobytes,) = re.findall(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
    return int(kilobytes) // 1024
