"""1,000 pictures of 200 KB behind URLs, from a server with 50 ms latency, against the same files on disk.

The server runs in a process of its own and shares the cores with what is measured. *Extraction* is what an
ingest does with the pictures: read, hash, decode, run the network; the catalog is left out. Its ratio is what
fetching costs an ingest.

Environment: ``BENCH_PICTURES`` (1000), ``BENCH_LATENCY`` (0.05 seconds), ``BENCH_EXTRACTOR`` (the default of
new workspaces; ``none`` leaves extraction out), ``BENCH_ROUNDS`` (3).
"""

from __future__ import annotations

import asyncio
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import partial
from io import BytesIO
from pathlib import Path

import numpy as np

from benchmarks.measuring import alternate, print_table
from stylesearch.files import sha256_file
from stylesearch.images.remote import Fetched, FetchOptions, PictureCache, fetch_stream

N_PICTURES = int(os.environ.get("BENCH_PICTURES", "1000"))
LATENCY = float(os.environ.get("BENCH_LATENCY", "0.05"))
EXTRACTOR = os.environ.get("BENCH_EXTRACTOR", "efficientnet-lite0@320+texture+colors")
N_ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
OPTIONS = FetchOptions(allow_private=True)


def main() -> None:
    """Prints seconds, pictures a second and core-seconds of fetching, then the ratio of extraction."""
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        _write_pictures(scratch / "files")
        files = sorted((scratch / "files").iterdir())
        print(f"pictures of {statistics.mean(file.stat().st_size for file in files) / 1000:.0f} KB\n")
        with _serving(scratch / "files") as address:
            urls = [f"{address}/{file.name}" for file in files]
            _print_fetching(scratch, files, urls)
            if EXTRACTOR != "none":
                print()
                _print_extraction(scratch, files, urls)


def _print_fetching(scratch: Path, files: list[Path], urls: list[str]) -> None:
    with PictureCache(scratch / "pictures") as cache:
        rows = [
            _row("fetched", lambda: _fetch_all(urls, cache, OPTIONS)),
            _row(
                "asked whether they have changed",
                lambda: _fetch_all(urls, cache, replace(OPTIONS, max_age=0)),
            ),
            _row("in the cache", lambda: _fetch_all(urls, cache, OPTIONS)),
            _row("read and hashed from disk", lambda: [sha256_file(file) for file in files]),
        ]
    print_table(["what", "seconds", "pictures/s", "core-ms a picture"], rows)


def _print_extraction(scratch: Path, files: list[Path], urls: list[str]) -> None:
    from stylesearch.extractors import load_extractor
    from stylesearch.features.prepare import Task, prepare_image
    from stylesearch.features.stream import extract_stream
    from stylesearch.listing import Listing, Record

    extractor = load_extractor(EXTRACTOR, throughput=True)
    prepare = partial(prepare_image, sizes={extractor.fingerprint: extractor.input_size}, max_pixels=10**9)
    lacking = frozenset([extractor.fingerprint])

    def extract(paths: Iterator[Path], cores: list[float]) -> float:
        began, cpu = time.perf_counter(), time.process_time()
        tasks = (Task(Record(Listing(path.stem), str(path)), None, lacking) for path in paths)
        n_cores = os.cpu_count() or 1
        n_done = sum(
            one.n_extracted for one in extract_stream(tasks, prepare, [extractor], n_workers=n_cores)
        )
        assert n_done == N_PICTURES, n_done
        cores.append(time.process_time() - cpu)
        return time.perf_counter() - began

    disk_cores: list[float] = []
    fetched_cores: list[float] = []

    def from_urls() -> float:
        shutil.rmtree(scratch / "pictures", ignore_errors=True)
        with (
            PictureCache(scratch / "pictures") as cache,
            closing(fetch_stream(urls, str, cache, OPTIONS)) as stream,
        ):
            return extract((one.path for _, one in stream if isinstance(one, Fetched)), fetched_cores)

    from_disk, fetched = alternate(lambda: extract(iter(files), disk_cores), from_urls, n_rounds=N_ROUNDS)
    rows = [
        [what, f"{disk:.2f}", f"{behind:.2f}", f"{behind / disk:.2f}"]
        for what, disk, behind in (
            ("seconds", statistics.median(from_disk), statistics.median(fetched)),
            (
                "core-seconds, without the server",
                statistics.median(disk_cores),
                statistics.median(fetched_cores),
            ),
        )
    ]
    print_table([f"extraction, {EXTRACTOR}", "from disk", "behind URLs", "ratio"], rows)


def _fetch_all(urls: list[str], cache: PictureCache, options: FetchOptions) -> None:
    failed = [one for _, one in fetch_stream(urls, str, cache, options) if not isinstance(one, Fetched)]
    assert not failed, failed[0]


def _row(name: str, work: Callable[[], object]) -> list[str]:
    """Seconds, pictures a second and core-milliseconds of one run of ``work``."""
    began, cpu = time.perf_counter(), time.process_time()
    work()
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    return [name, f"{seconds:.2f}", f"{N_PICTURES / seconds:.0f}", f"{1000 * cpu / N_PICTURES:.2f}"]


def _write_pictures(folder: Path) -> None:
    """Writes JPEG files of about 200 KB; all differ, though only a few were drawn."""
    from PIL import Image

    folder.mkdir()
    rng = np.random.default_rng(0)
    drawn = []
    for _ in range(20):
        rough = Image.fromarray(rng.integers(0, 255, (190, 142, 3), np.uint8))
        stream = BytesIO()
        rough.resize((900, 1200), Image.Resampling.BICUBIC).save(stream, "JPEG", quality=70)
        drawn.append(stream.getvalue())
    for n in range(N_PICTURES):
        data = drawn[n % len(drawn)]
        comment = b"\xff\xfe\x00\x0a%08d" % n
        (folder / f"{n:05d}.jpg").write_bytes(data[:2] + comment + data[2:])


@contextmanager
def _serving(folder: Path) -> Iterator[str]:
    """A process that serves a folder; its address."""
    command = [sys.executable, "-m", "benchmarks.fetch", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


class _Serving(asyncio.Protocol):
    """Answers each request with a file, after the latency; 304 where the client has an ETag."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        while b"\r\n\r\n" in self._received:
            head, _, self._received = self._received.partition(b"\r\n\r\n")
            asyncio.get_running_loop().call_later(LATENCY, self._answer, head)

    def _answer(self, head: bytes) -> None:
        name = head.split(b" ", 2)[1].decode()
        if b"if-none-match" in head.lower():
            self._transport.write(b"HTTP/1.1 304 Not Modified\r\n\r\n")
            return
        body = (self._folder / name.lstrip("/")).read_bytes()
        self._transport.write(
            b'HTTP/1.1 200 OK\r\nETag: "1"\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n'
            % len(body)
        )
        self._transport.write(body)


async def _serve(folder: Path) -> None:
    server = await asyncio.get_running_loop().create_server(lambda: _Serving(folder), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    print(f"http://127.0.0.1:{port}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1])))
