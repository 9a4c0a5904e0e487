"""A running service, attacked and under load: it answers everybody else, and its memory stays as it was."""

from __future__ import annotations

import contextlib
import random
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import httpx

from campaigns.mutation import mutate
from campaigns.trials import Trial, TrialFailed
from tests.integration.hostile_uploads import IMAGE, corpus
from tests.integration.hostile_wire import form, image, raw
from tests.integration.served_process import Server
from tests.integration.tiny_shop import KEY, ingest_tiny_shop

__all__ = ["hostile_http", "load"]

TIMEOUT: Final = 2.0
"""Seconds that the service waits for the rest of a request."""

PATIENCE: Final = 30.0
"""Seconds within which it has to answer an honest request."""

QUIET: Final = 0.3
"""Seconds without a further byte, after which an answer is taken to be over."""

MAX_GROWTH: Final = 60_000
"""kB by which the process may grow: Python and malloc keep pieces of what they have had."""

HONEST: Final = (
    raw("", 200, form(image(IMAGE))).data,
    raw("", 200, to="GET /v1/products?limit=2", kind=None).data,
    raw("", 200, b'{"price": "1.90 EUR"}', to="PATCH /v1/products/dress-blue", kind="application/json").data,
)
OWN_CORPUS: Final = tuple(request.data for request in corpus() if 408 not in request.statuses)

Attack = Callable[[tuple[str, int], random.Random], bytes]
"""Attacks an address; returns what was answered."""


def _talk(address: tuple[str, int], *parts: bytes) -> bytes:
    """Sends parts, with the address in place of ``HOST``; what is answered until it is quiet."""
    answer = b""
    with contextlib.suppress(OSError), socket.create_connection(address, timeout=TIMEOUT + 3) as connection:
        for part in parts:
            connection.sendall(part.replace(b"HOST", b"%s:%d" % (address[0].encode(), address[1]), 1))
        while more := connection.recv(65536):
            answer += more
            connection.settimeout(QUIET)
    return answer


def _corpus(address: tuple[str, int], rng: random.Random) -> bytes:
    return _talk(address, rng.choice(OWN_CORPUS))


def _mutated_request(address: tuple[str, int], rng: random.Random) -> bytes:
    return _talk(address, mutate(rng.choice((*HONEST, *OWN_CORPUS))[:100_000], rng, HONEST))


def _junk(address: tuple[str, int], rng: random.Random) -> bytes:
    return _talk(address, rng.randbytes(rng.choice((1, 100, 100_000))))


def _framing(address: tuple[str, int], rng: random.Random) -> bytes:
    framings = (
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG",
        b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
        b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n",
        b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n5;a=" + b"x" * 100_000 + b"\r\nabcde\r\n0\r\n\r\n",
        b"Content-Length: -1\r\n\r\n",
        b"Content-Length: 99999999999999999999\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\na\r\n" * 50_000 + b"0\r\n\r\n",
        b"Expect: 100-continue\r\nContent-Length: 10\r\n\r\n",
        b" Content-Length: 1\r\n\r\na",
        b"Content-Length : 1\r\n\r\na",
    )
    return _talk(address, b"POST /v1/search HTTP/1.1\r\nHost: 127.0.0.1\r\n" + rng.choice(framings))


def _headers(address: tuple[str, int], rng: random.Random) -> bytes:
    kind = rng.randrange(3)
    many = b"".join(b"X-%d: a\r\n" % number for number in range(rng.choice((100, 20_000))))
    one = b"X: " + b"a" * rng.choice((10_000, 2_000_000)) + b"\r\n"
    line = b"/" + b"a" * rng.choice((10_000, 1_000_000))
    target = line if kind == 2 else b"/health"
    return _talk(
        address, b"GET " + target + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n", (many, one, b"")[kind] + b"\r\n"
    )


def _pipeline(address: tuple[str, int], rng: random.Random) -> bytes:
    request = rng.choice((b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", *HONEST[:2]))
    return _talk(address, *[request] * rng.choice((2, 20, 100)))


def _abort(address: tuple[str, int], rng: random.Random) -> bytes:
    """Goes away within a request, or before its answer."""
    request = rng.choice(HONEST).replace(b"HOST", b"127.0.0.1", 1)
    for _ in range(rng.choice((1, 20))):
        with contextlib.suppress(OSError), socket.create_connection(address, timeout=5) as connection:
            linger = b"\x01\0\0\0\0\0\0\0"  # what is left is not sent: the other side sees a reset
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            connection.sendall(request[: rng.randrange(1, len(request) + 1)])
    return b""


def _slow(address: tuple[str, int], rng: random.Random) -> bytes:
    """Many connections that send a byte now and then, and never a whole request."""
    request = rng.choice(HONEST).replace(b"HOST", b"127.0.0.1", 1)
    connections = []
    with contextlib.ExitStack() as stack:
        for _ in range(rng.choice((5, 50, 200))):
            with contextlib.suppress(OSError):
                connection = stack.enter_context(socket.create_connection(address, timeout=5))
                connection.sendall(request[:20])
                connections.append(connection)
        for number in range(20, 24):
            time.sleep(0.2)
            for connection in connections:
                with contextlib.suppress(OSError):
                    connection.sendall(request[number : number + 1])
        _check_answers(address, "while slow clients hold connections")
    return b""


ATTACKS: Final[tuple[Attack, ...]] = (
    _corpus,
    _mutated_request,
    _mutated_request,
    _junk,
    _framing,
    _headers,
    _pipeline,
    _abort,
    _slow,
)


def _check_answers(address: tuple[str, int], when: str) -> None:
    began = time.monotonic()
    try:
        status = httpx.get(f"http://{address[0]}:{address[1]}/health", timeout=PATIENCE).status_code
    except httpx.HTTPError as error:
        raise TrialFailed(f"no answer {when}: {error!r}") from error
    if status != 200:
        raise TrialFailed(f"/health answers {status} {when}, after {time.monotonic() - began:.1f} s")


@contextlib.contextmanager
def _attackable(folder: Path, **settings: str) -> Iterator[tuple[Server, tuple[str, int]]]:
    """A service over a tiny shop, and its address."""
    home = ingest_tiny_shop(folder)
    environment = {"STYLESEARCH_API_KEY": KEY, "OMP_NUM_THREADS": "1", **settings}
    server = Server(home, environment=environment)
    try:
        url = urlsplit(server.wait_until_ready().url)
        yield server, (url.hostname or "", url.port or 0)
    finally:
        server.end()


@contextlib.contextmanager
def hostile_http(folder: Path) -> Iterator[Trial]:
    """Attacks one service in every trial; each has to leave it as it was."""
    timeout = str(TIMEOUT)
    with _attackable(folder, STYLESEARCH_SERVE_TIMEOUT=timeout) as (server, address):
        workers = server.workers()

        def trial(number: int, rng: random.Random) -> str:
            attack = ATTACKS[number % len(ATTACKS)]
            n_said = len(server.said)
            name = attack.__name__[1:]
            answer = attack(address, rng)
            statuses = [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", answer)]
            if wrong := [status for status in statuses if status >= 500 and status != 503]:
                raise TrialFailed(f"{name} is answered with {wrong}: {answer[:1000]!r}")
            _check_answers(address, f"after {name}")
            if server.workers() != workers:
                raise TrialFailed(f"{name} has ended the process that answers")
            words = "".join(server.said[n_said:])
            if "Traceback" in words or '"level": "error"' in words:
                raise TrialFailed(f"{name} makes the log say: {words[-3000:]}")
            return f"{name}: {sorted(set(statuses))}"

        yield trial


@contextlib.contextmanager
def load(folder: Path) -> Iterator[Trial]:
    """Clients that search, read and change products for half a minute in each trial, in one service."""
    with _attackable(folder) as (server, _):
        sizes: list[int] = []

        def trial(number: int, rng: random.Random) -> str:
            if not sizes:
                _use(server.url, rng, 20)  # all that is loaded once, or kept on purpose, is there after this
                sizes.append(_resident(server))
            n_requests = _use(server.url, rng, 30)
            sizes.append(_resident(server))
            if sizes[-1] - sizes[0] > MAX_GROWTH:
                raise TrialFailed(f"the service grows: {sizes} kB")
            return f"{n_requests} requests, {sizes[0] // 1024} MB before and {sizes[-1] // 1024} MB after"

        yield trial


def _resident(server: Server) -> int:
    """Memory that the processes that answer hold, in kB."""
    n_kilobytes = 0
    for pid in server.workers():
        found = re.search(r"^VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
        assert found is not None
        n_kilobytes += int(found[1])
    return n_kilobytes


def _use(url: str, rng: random.Random, seconds: float, n_clients: int = 4) -> int:
    """Uses a service with several clients; how many requests were answered."""
    end = time.monotonic() + seconds
    counts: list[int] = []
    wrong: list[str] = []

    def run(number: int) -> None:
        decide, n_requests = random.Random(number), 0
        headers = {"Authorization": f"Bearer {KEY}"}
        with httpx.Client(base_url=url, headers=headers, timeout=60) as client:
            while time.monotonic() < end and not wrong:
                match decide.randrange(6):
                    case 0:
                        answer = client.get("/v1/products?limit=5")
                    case 1:
                        answer = client.patch(
                            "/v1/products/dress-red", json={"price": f"{decide.random():.2f}"}
                        )
                    case 2:
                        answer = client.get("/v1/products/dress-red/similar?k=3")
                    case 3:
                        answer = client.get("/v1/categories")
                    case _:
                        answer = client.post("/v1/search", files={"image": IMAGE}, data={"k": "3"})
                if answer.status_code not in (200, 503):
                    wrong.append(
                        f"{answer.request.method} {answer.request.url}: {answer.status_code} {answer.text}"
                    )
                n_requests += 1
        counts.append(n_requests)

    threads = [threading.Thread(target=run, args=(rng.getrandbits(32),)) for _ in range(n_clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if wrong:
        raise TrialFailed(wrong[0])
    return sum(counts)
