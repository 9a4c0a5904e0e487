"""What a benchmark says that a process took is its own."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from benchmarks.measuring import run_measured


def test_memory_of_this_process_is_not_counted() -> None:
    held = np.ones(12_500_000)  # 100 MB
    took = run_measured([sys.executable, "-c", "print(sum(range(1_000_000)))"])
    assert took.out == "499999500000\n"
    assert 5 < took.megabytes < 50
    assert 0 < took.processor_seconds < 10 * took.seconds
    assert held.nbytes == 100_000_000


def test_memory_of_the_process_is_counted() -> None:
    took = run_measured([sys.executable, "-c", "bytearray(b'x') * 60_000_000"])
    assert took.megabytes > 60


def test_a_process_must_end_as_expected() -> None:
    with pytest.raises(RuntimeError, match="exit code 3"):
        run_measured([sys.executable, "-c", "raise SystemExit(3)"], exit_codes=(0, 1))
    run_measured([sys.executable, "-c", "raise SystemExit(1)"], exit_codes=(0, 1))
