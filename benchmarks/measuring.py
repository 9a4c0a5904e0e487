"""Timing two things in turn, since a machine's speed drifts; ratios of medians, not single figures."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

__all__ = [
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


def run_measured(command: Sequence[str]) -> tuple[float, float, str]:
    """Wall seconds of a whole process, its largest resident set in MB, and what it printed."""
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    out = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if status:
        raise RuntimeError(f"{command} failed with status {status}")
    return time.perf_counter() - began, usage.ru_maxrss / 1024, out


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
