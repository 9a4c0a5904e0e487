"""``stylesearch --help`` from a cold shell; the bar is 0.2 s."""

from __future__ import annotations

import statistics
import sys

from benchmarks.measuring import alternate, command_line, print_table, seconds_of_command


def main() -> None:
    """Measures it against starting Python and doing nothing."""
    helps, bare = alternate(
        lambda: seconds_of_command(command_line("--help")),
        lambda: seconds_of_command([sys.executable, "-c", "pass"]),
        n_rounds=15,
    )
    print_table(
        ["what", "median s", "min", "max"],
        [
            [name, f"{statistics.median(times):.3f}", f"{min(times):.3f}", f"{max(times):.3f}"]
            for name, times in (("stylesearch --help", helps), ("python -c pass", bare))
        ],
    )
