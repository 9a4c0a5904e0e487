"""A table whose pictures were fetched from URLs before, ingested again: unchanged, changed; a stock table.

Beside it the memory that reading a table of a million rows takes. Features are color histograms: a sync
computes none. The bars: 60 seconds for 100,000 unchanged rows, memory that does not grow with them.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measuring import command_line, print_table, run_measured
from benchmarks.shops import drawn_images

SIZES = [int(size) for size in os.environ.get("BENCH_SIZES", "10000,100000").split(",")]
N_PLANNED = int(os.environ.get("BENCH_PLANNED", "1000000"))
N_PICTURES = 1000
HOST = "https://img.shop.example"
READ = """
import sys
from pathlib import Path
from stylesearch.importers.base import ImportOptions
from stylesearch.importers.choice import choose_importer
table = Path(sys.argv[1])
print(sum(1 for _ in choose_importer(table).records(table, ImportOptions())))
"""


def main() -> None:
    """Prints seconds and peak memory of each."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        drawn_images(folder / "drawn", N_PICTURES)
        rows = [row for size in SIZES for row in _sync(folder, size)]
        print_table(["rows", "run", "seconds", "peak memory, MB"], rows)
        table = folder / "planned.csv"
        _write(table, N_PLANNED, {})
        took = run_measured([sys.executable, "-c", READ, table])
        print(f"\n{int(took.out):,} rows read: {took.seconds:.0f} s, peak memory {took.megabytes:.0f} MB")


def _sync(folder: Path, size: int) -> Iterator[list[str]]:
    from stylesearch.images.remote.cache import PictureCache

    home, table = folder / f"home-{size}", folder / f"{size}.csv"
    pictures = [path.read_bytes() for path in sorted((folder / "drawn").rglob("*.jpg"))]
    with PictureCache(home / "pictures") as cache:
        for number in range(size):
            cache.store(_url(number), [pictures[number % len(pictures)]])
    command = command_line("--home", home, "-q", "ingest", table, "-e", "color-histogram", "--offline")
    for run, changed in (
        ("first", {}),
        ("unchanged", {}),
        ("unchanged", {}),
        ("1 % of the prices changed", dict.fromkeys(range(0, size, 100), "5.00 EUR")),
    ):
        _write(table, size, changed)
        took = run_measured(command)
        n_changed = re.search(r"(\d+) changed", took.out)
        assert n_changed is not None
        assert int(n_changed[1]) == len(changed)
        yield [f"{size:,}", run, f"{took.seconds:.1f}", f"{took.megabytes:.0f}"]
    stock = folder / f"stock-{size}.csv"
    rows = "".join(f"p{number:07},3\n" for number in range(size))
    stock.write_text(f"id,stock\n{rows}", encoding="utf-8")
    command = command_line("--home", home, "-q", "ingest", stock, "-e", "color-histogram")
    took = run_measured(command)
    assert f"{size} changed" in took.out
    yield [f"{size:,}", "a table of the stock of all", f"{took.seconds:.1f}", f"{took.megabytes:.0f}"]


def _write(table: Path, size: int, prices: dict[int, str]) -> None:
    with table.open("w", encoding="utf-8") as file:
        file.write("id,title,category,price,color,image\n")
        for number in range(size):
            price = prices.get(number, f"{number % 90 + 10}.90 EUR")
            file.write(
                f"p{number:07},Product number {number},category-{number % 12},{price},red,{_url(number)}\n"
            )


def _url(number: int) -> str:
    return f"{HOST}/{number:07}.jpg"
