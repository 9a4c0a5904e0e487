"""Timing two things in turn, since a machine's speed drifts; ratios of medians, not single figures."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Container, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final, NamedTuple

__all__ = [
    "Measured",
    "alternate",
    "command_line",
    "describe_machine",
    "library_version",
    "median_of",
    "print_table",
    "run_measured",
    "seconds_of",
    "seconds_of_command",
]


def describe_machine() -> str:
    """Processor, cores and versions, in a line."""
    model = "unknown processor"
    cpu_info = Path("/proc/cpuinfo")
    if cpu_info.exists():
        names = [
            line.partition(":")[2].strip()
            for line in cpu_info.read_text().splitlines()
            if "model name" in line
        ]
        model = names[0] if names else model
    libraries = ", ".join(
        f"{name} {library_version(name) or '(none)'}"
        for name in ("tensorflow", "keras", "openvino", "numpy", "annoy")
    )
    return f"{model}, {os.cpu_count()} cores, Python {platform.python_version()}, {libraries}"


def library_version(name: str) -> str | None:
    """Version of an installed library; None where it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def seconds_of(function: Callable[[], object]) -> float:
    """Wall seconds of a call."""
    began = time.perf_counter()
    function()
    return time.perf_counter() - began


def command_line(*arguments: str | Path) -> list[str]:
    """``stylesearch`` as this environment has it installed, with arguments."""
    return [str(Path(sys.executable).with_name("stylesearch")), *map(str, arguments)]


def seconds_of_command(command: Sequence[str]) -> float:
    """Wall seconds of a whole process; it must succeed."""
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - began


class Measured(NamedTuple):
    """What a process took: wall and processor seconds, largest resident set in MB; and what it printed."""

    seconds: float
    processor_seconds: float
    megabytes: float
    out: str


# The kernel counts into the largest resident set of a process what the one had that started it, up to its
# exec. So a small process starts it, whatever this one has grown to.
_LAUNCHER: Final = """
import json, os, sys, time
report = int(sys.argv[1])
os.set_inheritable(report, False)
began = time.perf_counter()
_, status, used = os.wait4(os.posix_spawnp(sys.argv[2], sys.argv[2:], os.environ), 0)
took = time.perf_counter() - began
with open(report, "w") as file:
    took = [took, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024]
    json.dump([os.waitstatus_to_exitcode(status), *took], file)
"""


def run_measured(command: Sequence[str | Path], exit_codes: Container[int] = (0,)) -> Measured:
    """Runs a whole process, which must end with one of these exit codes."""
    with tempfile.TemporaryFile() as report:
        launcher = [sys.executable, "-I", "-S", "-c", _LAUNCHER, str(report.fileno())]
        process = subprocess.run(
            [*launcher, *map(str, command)],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            pass_fds=(report.fileno(),),
        )
        report.seek(0)
        exit_code, seconds, processor_seconds, megabytes = json.load(report)
    if exit_code not in exit_codes:
        raise RuntimeError(f"{command} ended with exit code {exit_code}")
    return Measured(seconds, processor_seconds, megabytes, process.stdout)


def alternate(
    first: Callable[[], float], second: Callable[[], float], n_rounds: int = 5
) -> tuple[list[float], list[float]]:
    """Measures two things in turn, A B A B ..., after one round that does not count."""
    first(), second()
    pairs = [(first(), second()) for _ in range(n_rounds)]
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs]


def median_of(measure: Callable[[], float], n_rounds: int = 5) -> float:
    """The median of several measurements, after one that does not count."""
    measure()
    return statistics.median(measure() for _ in range(n_rounds))


def print_table(headings: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Prints a Markdown table."""
    print("| " + " | ".join(headings) + " |")
    print("|" + "---|" * len(headings))
    for row in rows:
        print("| " + " | ".join(str(cell) for cell in row) + " |")
