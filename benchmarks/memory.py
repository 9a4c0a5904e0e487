"""Peak memory of ``stylesearch ingest`` on 1,000 and on 10,000 pictures; the bar is 10 % apart."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from benchmarks.measuring import command_line, print_table, run_measured
from benchmarks.shops import drawn_images

SIZES = [int(size) for size in os.environ.get("BENCH_SIZES", "1000,10000").split(",")]
EXTRACTOR = os.environ.get("BENCH_EXTRACTOR", "efficientnet-lite0@224")


def main() -> None:
    """Prints the peaks and their ratio."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        peaks = []
        for size in SIZES:
            drawn_images(folder / f"catalog-{size}", size)
        for size in SIZES:
            command = command_line(
                "--home", folder / f"home-{size}", "-q", "ingest", folder / f"catalog-{size}", "-e", EXTRACTOR
            )
            peaks.append(run_measured(command).megabytes)
        print_table(
            ["pictures", "peak memory, MB"],
            [[f"{size:,}", f"{peak:.0f}"] for size, peak in zip(SIZES, peaks, strict=True)],
        )
        print(f"\nratio {peaks[-1] / peaks[0]:.2f}")
