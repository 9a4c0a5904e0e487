"""Searches while another process ingests 1,000 new products into 10,000: whether they are right, how long.

Service, client and ingest share the cores. The bar: the 95th percentile stays under 3 times that without an
ingest. Right means: of the products that were there before, what is found is what was found before, in that
order; each new one among them is nearer than what comes behind it; and in the end the new ones are found.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.measuring import command_line, print_table
from benchmarks.served import Client, large_shop, quantile, serving
from benchmarks.shops import drawn_images

N_PRODUCTS = int(os.environ.get("BENCH_PRODUCTS", "10000"))
N_NEW = int(os.environ.get("BENCH_NEW", "1000"))
N_QUIET = int(os.environ.get("BENCH_QUIET", "60"))
N_RUNS = int(os.environ.get("BENCH_ROUNDS", "2"))

Hits = list[tuple[str, float]]


def main() -> None:
    """Prints medians and 95th percentiles, quiet and during the ingest, and their ratios."""
    rows = []
    with tempfile.TemporaryDirectory() as name:
        home, photos = large_shop(Path(name), N_PRODUCTS)
        for number in range(N_RUNS):
            folder = Path(name) / f"new-{number}"
            drawn_images(folder, N_NEW, seed=100 + number)
            _rename(folder, f"new{number}-")
            rows.append(_measure(home, photos, folder))
    print_table(
        [
            "quiet, median ms",
            "95th percentile",
            "during the ingest, median ms",
            "95th percentile",
            "ratio",
            "searches",
            "wrong",
        ],
        rows,
    )


def _rename(folder: Path, prefix: str) -> None:
    """Gives pictures, and so products, names that no others have."""
    for path in sorted(folder.rglob("*.jpg")):
        path.rename(path.with_name(prefix + path.name))


def _measure(home: Path, photos: list[bytes], new: Path) -> list[object]:
    with serving(home) as service:
        client = Client(service)
        before = [client.search(photo, k=100) for photo in photos]
        old = {product for hits in before for product, _ in hits}
        quiet = _search_while(client, photos, lambda n_done: n_done < N_QUIET)
        command = command_line("--home", home, "-q", "ingest", new)
        ingest = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        busy = _search_while(client, photos, lambda n_done: ingest.poll() is None)
        if ingest.returncode:
            raise RuntimeError(f"{command} failed with status {ingest.returncode}")
        n_wrong = sum(not _is_right(hits, before[number], old) for number, _, hits in [*quiet, *busy])
        newest = sorted(new.rglob("*.jpg"))[-1]
        found = client.search(newest.read_bytes(), k=5)
        n_wrong += newest.stem not in {product for product, _ in found}
        client.close()
    seconds = [[one[1] for one in searches] for searches in (quiet, busy)]
    tails = [quantile(values) for values in seconds]
    return [
        f"{1000 * statistics.median(seconds[0]):.0f}",
        f"{1000 * tails[0]:.0f}",
        f"{1000 * statistics.median(seconds[1]):.0f}",
        f"{1000 * tails[1]:.0f}",
        f"{tails[1] / tails[0]:.2f}",
        len(quiet) + len(busy),
        n_wrong,
    ]


def _search_while(
    client: Client, photos: list[bytes], go_on: Callable[[int], bool]
) -> list[tuple[int, float, Hits]]:
    """One search after the other: which photo, its seconds, its hits."""
    done: list[tuple[int, float, Hits]] = []
    while go_on(len(done)):
        number = len(done) % len(photos)
        began = time.perf_counter()
        hits = client.search(photos[number])
        done.append((number, time.perf_counter() - began, hits))
    return done


def _is_right(hits: Hits, before: Hits, old: set[str]) -> bool:
    """Whether only new products have come between the old ones."""
    kept = [product for product, _ in hits if product in old]
    distances = [distance for _, distance in hits]
    return kept == [product for product, _ in before][: len(kept)] and distances == sorted(distances)
