"""What decoding in processes costs a search, and what 8 hostile uploads at once cost it; 1,000 products.

The bars: a decoder in a process of its own costs a normal search at most 5 ms; beside 8 clients that upload
hostile pictures without a pause, a good search is answered within 3 times its quiet time, and no upload takes
more than 2 s of processor time; all hostile pictures in one ingest take less than 1.5 GB. They come from
``tests/hostile_pictures.py``.

Environment: ``BENCH_PRODUCTS`` (1,000), ``BENCH_SEARCHES`` (40), ``BENCH_HOSTILE`` (names, with commas),
``BENCH_BYTES`` (5,000,000, of each picture of the ingest that has no length of its own).
"""

from __future__ import annotations

import contextlib
import csv
import importlib
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.measuring import print_table
from benchmarks.served import Client, Service, large_shop, quantile, serving

N_PRODUCTS = int(os.environ.get("BENCH_PRODUCTS", "1000"))
N_SEARCHES = int(os.environ.get("BENCH_SEARCHES", "40"))
N_BYTES = int(os.environ.get("BENCH_BYTES", "5000000"))
N_CLIENTS = 8
HOSTILE = os.environ.get(
    "BENCH_HOSTILE",
    "jpeg-progressive-of-20-scans,jpeg-arithmetic-progressive,png-of-50-megapixels-with-profile,"
    "png-of-50-megapixels-interlaced,png-of-50-megapixels-deep,tiff-of-50-megapixels-lzma,"
    "jpeg-noise-of-50-megapixels,tiff-of-50-megapixels-lzw",
).split(",")


def main() -> None:
    """Prints a table for each bar."""
    with tempfile.TemporaryDirectory() as name:
        home, photos = large_shop(Path(name), N_PRODUCTS)
        _measure_cost([photos[0], _phone_photo()])
        with serving(home) as service:
            _measure_beside_hostile(service, photos)
        _measure_hostile_ingest(Path(name))


def _phone_photo() -> bytes:
    """12 megapixels, as a phone takes them."""
    small = np.random.default_rng(0).integers(0, 256, (300, 400, 3), np.uint8)
    data = BytesIO()
    Image.fromarray(small).resize((4000, 3000), Image.Resampling.BICUBIC).save(data, "JPEG", quality=90)
    return data.getvalue()


def _measure_cost(photos: list[bytes]) -> None:
    """Decoding as the default search does it, here and in a process, in turn."""
    from stylesearch.images.decode import decode_reduced
    from stylesearch.images.processes.pool import decoder_processes
    from stylesearch.images.regions import WITHOUT_PERSON, reduction
    from stylesearch.persons.regions import reduction_for_finder

    reductions = [reduction(320, WITHOUT_PERSON), reduction_for_finder(320)]
    rows = []
    for photo in photos:
        seconds: dict[str, list[float]] = {"here": [], "process": []}
        work = dict.fromkeys(seconds, 0.0)
        for name in ("here", "process") * (N_SEARCHES + 1):
            with decoder_processes(1) if name == "process" else contextlib.nullcontext():
                began, worked = time.perf_counter(), _cpu_seconds(os.getpid())
                decode_reduced(photo, reductions)
                seconds[name].append(time.perf_counter() - began)
                if len(seconds[name]) > 1:  # the first one warms up
                    work[name] += 1000 * (_cpu_seconds(os.getpid()) - worked) / N_SEARCHES
        here, process = (1000 * statistics.median(seconds[name][1:]) for name in ("here", "process"))
        least = 1000 * (min(seconds["process"]) - min(seconds["here"]))
        row = [here, process, process - here, least, work["here"], work["process"]]
        rows.append([f"{len(photo):,}", *(f"{value:.1f}" for value in row)])
    print_table(
        [
            "bytes of the photo",
            "decoded here, ms",
            "in a process, ms",
            "more, ms",
            "more, of the quickest, ms",
            "CPU ms here",
            "CPU ms with a process",
        ],
        rows,
    )


def _measure_beside_hostile(service: Service, photos: list[bytes]) -> None:
    """Good searches in turn: quiet, and beside clients that upload hostile pictures without a pause."""
    make = importlib.import_module("tests.hostile_pictures").make
    hostile = {name: make(name) for name in HOSTILE}
    client = Client(service)
    rows = []
    for _ in range(int(os.environ.get("BENCH_ROUNDS", "3"))):
        quiet = _search(client, photos)
        answers: Counter[str] = Counter()
        began, n_seconds = time.perf_counter(), _cpu_seconds(service.process.pid)
        with _uploading(service, hostile, answers):
            time.sleep(1)
            beside = _search(client, photos)
        n_seconds = _cpu_seconds(service.process.pid) - n_seconds
        n_uploads = sum(answers.values())
        rows.append(
            [
                f"{1000 * statistics.median(quiet):.0f}",
                f"{1000 * statistics.median(beside):.0f}",
                f"{statistics.median(beside) / statistics.median(quiet):.1f}",
                f"{quantile(beside) / quantile(quiet):.1f}",
                f"{n_uploads} in {time.perf_counter() - began:.0f} s",
                f"{n_seconds / max(1, n_uploads + len(beside)):.2f}",
                ", ".join(f"{n} of {status}" for status, n in sorted(answers.items())),
            ]
        )
    client.close()
    print_table(
        [
            "quiet, ms",
            f"beside {N_CLIENTS} hostile, ms",
            "ratio",
            "ratio of the slowest twentieth",
            "hostile uploads",
            "CPU s each, good ones too",
            "answers",
        ],
        rows,
    )


def _search(client: Client, photos: list[bytes]) -> list[float]:
    seconds = []
    for number in range(N_SEARCHES):
        began = time.perf_counter()
        client.search(photos[number % len(photos)])
        seconds.append(time.perf_counter() - began)
    return seconds


@contextlib.contextmanager
def _uploading(service: Service, hostile: dict[str, bytes], answers: Counter[str]) -> Iterator[None]:
    """Uploads hostile pictures from several clients until the block ends."""
    over = threading.Event()
    files = list(hostile.values())

    def upload(number: int) -> None:
        client = Client(service)
        while not over.is_set():
            try:
                client.search(files[number % len(files)])
                answers["200"] += 1
            except RuntimeError as error:
                answers[str(error)[:3]] += 1
            number += 1
        client.close()

    threads = [threading.Thread(target=upload, args=(number,)) for number in range(N_CLIENTS)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


def _measure_hostile_ingest(folder: Path) -> None:
    """One ingest of all hostile pictures: peak of the memory of all its processes, ten times a second."""
    hostile = importlib.import_module("tests.hostile_pictures")
    pictures = folder / "hostile"
    pictures.mkdir()
    for number, name in enumerate(hostile.HOSTILE):
        (pictures / f"{number:03}.jpg").write_bytes(hostile.make(name, N_BYTES))
    n_megabytes = sum(path.stat().st_size for path in pictures.iterdir()) / 1e6
    program = str(Path(sys.executable).with_name("stylesearch"))
    command = [program, "--home", str(folder / "new"), "-q", "ingest", str(pictures)]
    command += ["--failures", str(folder / "failures.csv")]
    began, peak = time.perf_counter(), 0
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None:
            peak = max(peak, sum(map(_resident_bytes, _with_children(process.pid))))
            time.sleep(0.1)
    with (folder / "failures.csv").open(newline="", encoding="utf-8-sig") as file:
        refused = sum(1 for _ in csv.DictReader(file))
    print_table(
        ["hostile pictures", "MB", "refused", "exit code", "seconds", "peak of all processes, MB"],
        [
            [
                len(hostile.HOSTILE),
                f"{n_megabytes:.0f}",
                refused,
                process.returncode,
                f"{time.perf_counter() - began:.0f}",
                f"{peak / 1e6:.0f}",
            ]
        ],
    )


def _resident_bytes(pid: int) -> int:
    """Memory of a process, its share of what several have mapped; 0 where it has ended."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return 1024 * int(line.split()[1])
    return 0


def _with_children(root: int) -> list[int]:
    """A process and all below it that run now."""
    found, waiting = [], [root]
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        with contextlib.suppress(OSError):
            for children in Path(f"/proc/{pid}/task").glob("*/children"):
                waiting += map(int, children.read_text().split())
    return found


def _cpu_seconds(root: int) -> float:
    """Processor time of a process and those that it has started, those that have ended included."""
    ticks = 0
    for pid in _with_children(root):
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += sum(map(int, fields[11:15]))  # its own, and those of children that were waited for
    return ticks / os.sysconf("SC_CLK_TCK")
