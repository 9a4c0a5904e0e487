"""Backups, restores, exports and imports of a large catalog: time, memory and sizes.

Each is a command in a process of its own, with the start of Python in its time.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.measuring import command_line, print_table, run_measured
from benchmarks.shops import fill_catalog

N_PRODUCTS = int(os.environ.get("BENCH_PRODUCTS", "100000"))


def main() -> None:
    """Prints seconds, the largest resident set, and the size of what was written."""
    from stylesearch.extractors import load_extractor
    from stylesearch.settings import Settings

    extractor = load_extractor(Settings().extractor, throughput=True)
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_FOLDER")) as name:
        folder = Path(name)
        home, anew = folder / "home", folder / "anew"
        # Only the number of vectors and their width count here, and that they are no zeros.
        originals = np.abs(np.random.default_rng(0).standard_normal((200, extractor.dim), np.float32))
        fill_catalog(home / "catalog.db", extractor, N_PRODUCTS, 12, [Path("/shop/image.jpg")], originals)
        rows = [
            [f"the catalog of {N_PRODUCTS:,} products", "", "", "", f"{_megabytes(home / 'catalog.db'):,.0f}"]
        ]
        commands: list[tuple[str, Path, list[str | Path]]] = [
            ("backup", folder / "b.db", ["--home", home, "db", "backup", folder / "b.db"]),
            ("backup --full", folder / "b.tar", ["--home", home, "db", "backup", folder / "b.tar", "--full"]),
            ("restore", home, ["--home", home, "db", "restore", folder / "b.db", "--yes"]),
            ("restore of the full one", home, ["--home", home, "db", "restore", folder / "b.tar", "--yes"]),
            ("export", folder / "export", ["--home", home, "db", "export", folder / "export"]),
            ("import", anew, ["--home", anew, "db", "import", folder / "export"]),
            ("vacuum", home, ["--home", home, "db", "vacuum"]),
        ]
        for what, written, arguments in commands:
            took = run_measured(command_line("-q", *arguments))
            figures = (took.seconds, took.processor_seconds)
            rows.append(
                [
                    what,
                    *(f"{seconds:.1f}" for seconds in figures),
                    f"{took.megabytes:.0f}",
                    f"{_megabytes(written):,.0f}",
                ]
            )
        print_table(
            ["command", "seconds", "processor seconds", "peak memory, MB", "MB on the disk after it"], rows
        )


def _megabytes(path: Path) -> float:
    files = [path] if path.is_file() else [one for one in path.rglob("*") if one.is_file()]
    return sum(one.stat().st_size for one in files) / 1e6
