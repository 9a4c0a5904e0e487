"""The service under load: throughput, latency, memory, and a worker that is killed; 10,000 products.

Clients, service and the library that it is compared with share the cores. The bars: a lone request takes at
most 1.3 times the library's warm query; 8 clients without pause get at least half as many answers a second as
the engine alone can make features of photos, none of them wrong or an error, the 95th percentile at most 8
times a lone request; 1,000 searches leave the memory as it was; a worker that is killed comes back, and no
answer is wrong.
"""

from __future__ import annotations

import os
import signal
import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.measuring import print_table, seconds_of
from benchmarks.served import Client, Load, large_shop, quantile, serving

if TYPE_CHECKING:
    from benchmarks.served import Service
    from stylesearch.extractors.base import Extractor
    from stylesearch.workspace.workspace import Workspace

N_PRODUCTS = int(os.environ.get("BENCH_PRODUCTS", "10000"))
N_CLIENTS = int(os.environ.get("BENCH_CLIENTS", "8"))
SECONDS = float(os.environ.get("BENCH_SECONDS", "30"))
N_ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
N_SEARCHES = int(os.environ.get("BENCH_SEARCHES", "1000"))
N_LONE = 12
OPTIONS = os.environ.get("BENCH_SERVE_OPTIONS", "").split()


def main() -> None:
    """Prints a table for each of the bars."""
    import stylesearch

    with tempfile.TemporaryDirectory() as name:
        home, photos = large_shop(Path(name), N_PRODUCTS)
        with stylesearch.open(home) as shop:
            expected = [[hit.product.id for hit in shop.query(photo)] for photo in photos]
            with serving(home, *OPTIONS) as service:
                _measure_load(shop, service, photos, expected)
                _measure_memory(service, photos, expected)
        for n_workers in (1, 2):
            with serving(home, n_workers=n_workers) as service:
                _kill_one(service, photos, expected, n_workers)


def _measure_load(shop: Workspace, service: Service, photos: list[bytes], expected: list[list[str]]) -> None:
    """Engine, library, lone request and load in turn, some rounds of it."""
    rows, client = [], Client(service)
    extractor, n_regions = shop.extractor(throughput=True), len(shop.query(photos[0]).regions)
    client.search(photos[0])
    for number in range(N_ROUNDS):
        rate = _engine_rate(extractor, n_regions)
        pairs = [
            (seconds_of(partial(shop.query, photo)), seconds_of(partial(client.search, photo)))
            for photo in photos[number * N_LONE : (number + 1) * N_LONE]
        ]
        library, lone = (statistics.median(pair[i] for pair in pairs) for i in (0, 1))
        load = Load(service, photos, expected)
        began = time.perf_counter()
        with load.running(N_CLIENTS):
            time.sleep(SECONDS)
        throughput = len(load.seconds) / (time.perf_counter() - began)
        latency = quantile(load.seconds)
        rows.append(
            [
                f"{1000 * library:.0f}",
                f"{1000 * lone:.0f}",
                f"{statistics.median(asked / own for own, asked in pairs):.2f}",
                f"{rate:.1f}",
                f"{throughput:.1f}",
                f"{throughput / rate:.2f}",
                f"{1000 * statistics.median(load.seconds):.0f}",
                f"{1000 * latency:.0f}",
                f"{latency / lone:.1f}",
                len(load.wrong) + load.cut_off,
            ]
        )
    client.close()
    print_table(
        [
            "library query, ms",
            "lone request, ms",
            "ratio",
            "engine, photos/s",
            f"{N_CLIENTS} clients, answers/s",
            "share",
            "median ms",
            "95th percentile ms",
            "in lone requests",
            "errors",
        ],
        rows,
    )


def _engine_rate(extractor: Extractor, n_regions: int, n_photos: int = 24) -> float:
    """Photos a second whose regions the engine makes features of when that is all there is to do."""
    size = extractor.input_size
    batches = np.random.default_rng(0).integers(0, 256, (4, 2 * n_regions, size, size, 3), np.uint8)

    def run(n_batches: int) -> None:
        with ThreadPoolExecutor(extractor.concurrency) as threads:
            list(threads.map(lambda number: extractor.extract(batches[number % 4]), range(n_batches)))

    run(4)
    return n_photos / seconds_of(lambda: run(n_photos // 2))


def _measure_memory(service: Service, photos: list[bytes], expected: list[list[str]]) -> None:
    """Resident memory while searches go by; the first tenth is for everything to be opened."""
    load = Load(service, photos, expected)
    rows = []
    with load.running(N_CLIENTS):
        for share in (0.1, 0.25, 0.5, 0.75, 1.0):
            while len(load.seconds) + len(load.wrong) < share * N_SEARCHES:
                time.sleep(0.05)
            rows.append([f"{len(load.seconds):,}", f"{service.megabytes():.0f}"])
    print()
    print_table(["searches", "resident memory, MB"], rows)


def _kill_one(service: Service, photos: list[bytes], expected: list[list[str]], n_workers: int) -> None:
    """Kills a worker under load; says how long nobody got an answer, and what became of the others."""
    load = Load(service, photos, expected)
    with load.running(N_CLIENTS):
        while len(load.seconds) < 2 * N_CLIENTS:
            time.sleep(0.05)
        killed = time.perf_counter()
        victim = service.workers()[0]
        os.kill(victim, signal.SIGKILL)
        while len(set(service.workers()) - {victim}) < n_workers:
            time.sleep(0.05)
        n_before = len(load.seconds)
        while len(load.seconds) < n_before + 4 * N_CLIENTS:
            time.sleep(0.05)
    after = [moment for moment in load.moments if moment > killed]
    gap = max(later - earlier for earlier, later in zip([killed, *after], after, strict=False))
    print()
    print_table(
        ["workers", "longest time without an answer, s", "cut off", "wrong"],
        [[n_workers, f"{gap:.1f}", load.cut_off, len(load.wrong)]],
    )
