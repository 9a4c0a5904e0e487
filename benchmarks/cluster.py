"""An ingest over worker processes of this machine, by a Dask scheduler, against the threads of a local one.

The same pictures in turn, in rounds; each way starts with its network loaded and warm. Workers have one core
each: with two of them on two cores the cores are equal to those of the local ingest, and the difference is
what the cluster costs. Processor seconds are of all processes: this one, workers and decoders.

Environment: ``BENCH_PICTURES`` (192), ``BENCH_ROUNDS`` (3), ``BENCH_EXTRACTOR`` (the default network).
"""

from __future__ import annotations

import contextlib
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measuring import print_table
from benchmarks.shops import drawn_images
from stylesearch.extractors.base import Extractor
from stylesearch.features.stream import ExtractionOptions
from stylesearch.parallel import usable_cores
from stylesearch.settings import Settings

N_IMAGES = int(os.environ.get("BENCH_PICTURES", "192"))
N_ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
EXTRACTOR = os.environ.get("BENCH_EXTRACTOR", Settings().extractor)
N_WORKERS = (1, 2, 4)
TICK = os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Prints pictures a second and processor seconds, and their ratio to those of the local ingest."""
    from stylesearch.extractors import load_extractor
    from stylesearch.features.cluster import open_cluster

    extractor = load_extractor(EXTRACTOR, throughput=True)
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as held:
        folder = Path(name)
        drawn_images(folder / "catalog", N_IMAGES)
        options = {"threads": ExtractionOptions(n_workers=usable_cores())}
        pids: dict[str, list[int]] = {"threads": []}
        for n_workers in N_WORKERS:
            way = f"{n_workers} worker processes"
            address, pids[way] = held.enter_context(_dask_cluster(n_workers))
            cluster = open_cluster(address)
            held.callback(cluster.shutdown)
            options[way] = ExtractionOptions(executor=cluster)
            while cluster.n_workers < n_workers:
                time.sleep(0.05)
        figures: dict[str, list[tuple[float, float]]] = {way: [] for way in options}
        of_clusters = {pid for found in pids.values() for pid in found}
        for number in range(N_ROUNDS + 1):  # the first, which loads the networks, does not count
            for way, extraction in options.items():
                before = _processor_seconds(pids[way], of_clusters)
                seconds = _ingest(folder, f"{way}-{number}", extractor, extraction)
                figures[way].append((seconds, _processor_seconds(pids[way], of_clusters) - before))
    medians = {
        way: [statistics.median(one[i] for one in found[1:]) for i in (0, 1)]
        for way, found in figures.items()
    }
    base_wall, base_cpu = medians["threads"]
    print(f"{EXTRACTOR}, {N_IMAGES} pictures, medians of {N_ROUNDS} rounds in turn, {usable_cores()} cores")
    print_table(
        ["way", "pictures/s", "wall, of threads", "processor seconds", "processor, of threads"],
        [
            [way, f"{N_IMAGES / wall:.1f}", f"{wall / base_wall:.2f}", f"{cpu:.1f}", f"{cpu / base_cpu:.2f}"]
            for way, (wall, cpu) in medians.items()
        ],
    )


def _ingest(folder: Path, name: str, extractor: Extractor, extraction: ExtractionOptions) -> float:
    """Wall seconds of the pictures of one ingest into a new catalog."""
    from stylesearch.catalog import Catalog
    from stylesearch.importers.folders.importer import FolderImporter
    from stylesearch.ingest import IngestOptions, ingest

    with Catalog.open(folder / f"{name}.db") as catalog:
        options = IngestOptions(extraction=extraction)
        report = ingest(catalog, folder / "catalog", FolderImporter(), [extractor], options)
    assert report.computed == N_IMAGES
    return report.seconds["pictures"]


@contextlib.contextmanager
def _dask_cluster(n_workers: int) -> Iterator[tuple[str, list[int]]]:
    """A scheduler and workers with one thread each; gives its address and the workers' process ids."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    run = [sys.executable, "-m"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    scheduler = ["distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", str(port)]
    worker = ["distributed.cli.dask_worker", f"tcp://127.0.0.1:{port}", "--nthreads", "1", "--no-nanny"]
    started = [subprocess.Popen([*run, *scheduler, "--no-dashboard"], **quiet)]  # type: ignore[call-overload]
    try:
        for _ in range(n_workers):
            started.append(subprocess.Popen([*run, *worker, "--no-dashboard"], **quiet))  # type: ignore[call-overload]
        while True:  # until the scheduler listens
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", port), timeout=5).close()
                break
            time.sleep(0.1)
        yield f"dask://127.0.0.1:{port}", [one.pid for one in started]
    finally:
        for one in reversed(started):
            one.kill()
            one.wait()


def _processor_seconds(workers: list[int], of_clusters: set[int]) -> float:
    """Processor seconds of this process, of some workers, and of what they have started: their decoders.

    Args:
        workers: process ids of the workers that are counted.
        of_clusters: those of all workers, which this process has started too.
    """
    children: dict[int, list[int]] = {}
    seconds: dict[int, float] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has ended
            fields = path.read_text().rpartition(")")[2].split()
            pid = int(path.parent.name)
            children.setdefault(int(fields[1]), []).append(pid)
            seconds[pid] = sum(map(int, fields[11:15])) / TICK  # with those of ended children
    found, total = [os.getpid(), *workers], 0.0
    while found:
        pid = found.pop()
        total += seconds.get(pid, 0.0)
        found += [one for one in children.get(pid, []) if one not in of_clusters]
    return total
