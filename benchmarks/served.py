"""A service as a process of its own, clients that ask it, and what the answers should be."""

from __future__ import annotations

import contextlib
import http.client
import json
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.measuring import command_line

__all__ = ["Client", "Load", "Service", "large_shop", "quantile", "serving"]

BOUNDARY = "benchmark"
N_HITS = 20


def large_shop(folder: Path, n_products: int, n_categories: int = 10) -> tuple[Path, list[bytes]]:
    """A workspace with many products of likely features, indexed; and street photos to search it with.

    Args:
        folder: what is drawn goes there, and the workspace.
        n_products: how many.
        n_categories: how many they are of.

    Returns:
        the workspace's folder, and photos.
    """
    import stylesearch
    from benchmarks.shops import drawn_shop, fill_catalog, region_features
    from stylesearch.extractors import load_extractor
    from stylesearch.settings import Settings

    extractor = load_extractor(Settings().extractor, throughput=True)
    drawn_shop(folder / "drawn", 60)
    shop = sorted((folder / "drawn" / "catalog").rglob("*.jpg"))
    home = folder / "home"
    fill_catalog(
        home / "catalog.db", extractor, n_products, n_categories, shop, region_features(extractor, shop[:50])
    )
    with stylesearch.open(home) as opened:
        opened.indexes.build()
    return home, [path.read_bytes() for path in sorted((folder / "drawn" / "street").glob("*.jpg"))]


@dataclass(frozen=True)
class Service:
    """A running service.

    Attributes:
        process: its supervisor.
        host, port: where it listens.
    """

    process: subprocess.Popen[str]
    host: str
    port: int

    def workers(self) -> list[int]:
        """Process ids of those that answer."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [int(pid) for pid in children if "spawn_main" in Path(f"/proc/{pid}/cmdline").read_text()]

    def megabytes(self) -> float:
        """Resident memory of all workers."""
        n_kilobytes = 0
        for pid in self.workers():
            lines = Path(f"/proc/{pid}/status").read_text().splitlines()
            n_kilobytes += sum(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))
        return n_kilobytes / 1024


@contextlib.contextmanager
def serving(home: Path, *arguments: str, n_workers: int = 1) -> Iterator[Service]:
    """Serves a workspace on a free port, until the block ends; begins when all workers answer."""
    command = command_line("--home", home, "-q", "serve", "--json", "--port", "0", *arguments)
    log = home / "serve.log"
    with log.open("w") as said:
        process = subprocess.Popen(
            [*command, "--workers", str(n_workers)], stdout=subprocess.PIPE, stderr=said, text=True
        )
    assert process.stdout is not None
    with process.stdout as output:
        try:
            line = output.readline()
            if not line:
                raise RuntimeError(f"the service did not start: {log.read_text()}")
            address = urlsplit(json.loads(line)["url"])
            assert address.hostname is not None
            assert address.port is not None
            # It says where it is when the first worker answers: all clients would be that one's.
            while log.read_text().count("Application startup complete") < n_workers:
                time.sleep(0.05)
            yield Service(process, address.hostname, address.port)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


class Client:
    """One connection to a service; what it sends is prepared beforehand, so that asking costs little."""

    def __init__(self, service: Service) -> None:
        self._connection = http.client.HTTPConnection(service.host, service.port, timeout=120)

    def search(self, photo: bytes, k: int = N_HITS) -> list[tuple[str, float]]:
        """Product ids and distances, nearest first.

        Raises:
            OSError, http.client.HTTPException: no answer.
            RuntimeError: another answer than hits.
        """
        headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
        try:
            self._connection.request("POST", "/v1/search", body_of(photo, k), headers)
            answer = self._connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException):
            self._connection.close()  # the next search connects anew
            raise
        if answer.status != 200:
            raise RuntimeError(f"{answer.status}: {content.decode()}")
        return [(hit["product"]["id"], hit["distance"]) for hit in json.loads(content)["hits"]]

    def close(self) -> None:
        """Closes the connection."""
        self._connection.close()


def body_of(photo: bytes, k: int) -> bytes:
    """A photo as multipart form."""
    edge = f"--{BOUNDARY}\r\nContent-Disposition: form-data; "
    head = f'{edge}name="k"\r\n\r\n{k}\r\n{edge}name="image"; filename="photo"\r\n\r\n'
    return head.encode() + photo + f"\r\n--{BOUNDARY}--\r\n".encode()


@dataclass
class Load:
    """Clients that search without a pause between one answer and the next photo.

    Attributes:
        service: which is asked.
        photos: with what.
        expected: the ids that each photo is to find, or None where they are looked at elsewhere.
        seconds: of every right answer, in the order they came.
        moments: when each of these came, on the clock of ``time.perf_counter``.
        wrong: answers that were not what was expected, errors of the service included.
        cut_off: searches that got no answer at all.
    """

    service: Service
    photos: Sequence[bytes]
    expected: Sequence[list[str]]
    seconds: list[float] = field(default_factory=list)
    moments: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    cut_off: int = 0

    @contextlib.contextmanager
    def running(self, n_clients: int) -> Iterator[None]:
        """Searches until the block ends; what was begun by then is waited for and counted."""
        over = threading.Event()
        threads = [threading.Thread(target=self._ask, args=(number, over)) for number in range(n_clients)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            over.set()
            for thread in threads:
                thread.join()

    def _ask(self, number: int, over: threading.Event) -> None:
        client = Client(self.service)
        while not over.is_set():
            number = (number + 7) % len(self.photos)
            began = time.perf_counter()
            try:
                found = [product for product, _ in client.search(self.photos[number])]
            except RuntimeError as error:
                self.wrong.append(str(error))
            except (OSError, http.client.HTTPException):
                self.cut_off += 1
                time.sleep(0.05)
            else:
                if found == self.expected[number]:
                    self.seconds.append(time.perf_counter() - began)
                    self.moments.append(time.perf_counter())
                else:
                    self.wrong.append(f"photo {number}: {found}")
        client.close()


def quantile(values: Sequence[float], share: float = 0.95) -> float:
    """The value that a share of all does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
