"""A web server of pictures that can be slow, cut off, lie and redirect: a thread of the test.

```python
with PictureServer() as server:
    server.add("/dress.jpg", jpeg_bytes)
    server.behave("/slow.jpg", delay=0.5)
    ...
    assert server.requests_of("/dress.jpg") == 1
```

``python picture_server.py FOLDER [--latency SECONDS]`` serves a folder in a process of its own, and prints
its address first.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import selectors
import socket
import socketserver
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote


@dataclass(frozen=True)
class Request:
    """A request as it came: path with its query, headers by name in lower case, and when."""

    path: str
    headers: Mapping[str, str]
    moment: float


@dataclass(frozen=True)
class Answer:
    """What the server answers.

    Attributes:
        status: the status code.
        body: the bytes that are sent.
        headers: beside ``Content-Length``.
        length: what ``Content-Length`` says; None for the truth, -1 for no such header.
        delay: seconds before anything is sent.
        hangs: whether nothing is ever sent.
        drip: seconds between single bytes of everything that is sent; None to send it at once.
        drops: whether the connection is closed after the body.
    """

    status: int = 200
    body: bytes = b""
    headers: Sequence[tuple[str, str]] = ()
    length: int | None = None
    delay: float = 0.0
    hangs: bool = False
    drip: float | None = None
    drops: bool = False


@dataclass
class PictureServer:
    """Serves what was added, and a folder; each path can have answers of its own.

    Attributes:
        folder: files that are served under their relative path.
        latency: seconds before each answer.
        validators: whether answers have ``ETag`` and are 304 where the client has it.
        requests: all requests, in the order in which they came.
        most_at_once: the most requests that were being answered at one time.
    """

    folder: Path | None = None
    latency: float = 0.0
    validators: bool = True
    requests: list[Request] = field(default_factory=list)
    most_at_once: int = 0
    _answers: dict[str, list[Answer] | Callable[[Request], Answer]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _n_now: int = 0

    def __enter__(self) -> PictureServer:
        self._ended = threading.Event()
        server = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                server._serve(self.request)

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            block_on_close = True
            allow_reuse_address = True
            request_queue_size = 128

            def handle_error(self, *_: Any) -> None:
                """A client that goes away is no error."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), name="picture-server"
        )
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._ended.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def port(self) -> int:
        """The port that it listens to, at 127.0.0.1."""
        return int(self._server.server_address[1])

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        """The URL of a path."""
        return f"http://{host}:{self.port}{path}"

    def add(self, path: str, body: bytes, *headers: tuple[str, str]) -> str:
        """Serves bytes under a path, and returns its URL."""
        self._answers[path] = [Answer(body=body, headers=[("Content-Type", "image/jpeg"), *headers])]
        return self.url(path)

    def behave(self, path: str, *answers: Answer) -> str:
        """Answers a path so, one answer for each request and the last for all after it; returns its URL."""
        self._answers[path] = list(answers)
        return self.url(path)

    def behave_by(self, path: str, answer: Callable[[Request], Answer]) -> str:
        """Has a function answer the requests of a path; returns its URL."""
        self._answers[path] = answer
        return self.url(path)

    def requests_of(self, path: str) -> int:
        """Number of requests of a path."""
        with self._lock:
            return sum(one.path == path for one in self.requests)

    def _serve(self, connection: socket.socket) -> None:
        """Answers the requests of one connection."""
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        received = b""
        with contextlib.suppress(OSError), selectors.DefaultSelector() as selector:
            selector.register(connection, selectors.EVENT_READ)
            while not self._ended.is_set():
                while b"\r\n\r\n" not in received:
                    while not selector.select(0.05):
                        if self._ended.is_set():
                            return
                    data = connection.recv(65536)
                    if not data:
                        return
                    received += data
                head, _, received = received.partition(b"\r\n\r\n")
                request = _parse(head)
                with self._lock:
                    self.requests.append(request)
                    self._n_now += 1
                    self.most_at_once = max(self.most_at_once, self._n_now)
                try:
                    stays_open = self._send(connection, request)
                finally:
                    with self._lock:
                        self._n_now -= 1
                if not stays_open:
                    return

    def _send(self, connection: socket.socket, request: Request) -> bool:
        answer = self._answer(request)
        if answer.hangs:
            self._ended.wait()
            return False
        if self._ended.wait(self.latency + answer.delay):
            return False
        lines = [f"HTTP/1.1 {answer.status} Status", *(f"{name}: {value}" for name, value in answer.headers)]
        if answer.length != -1 and answer.status != 304:
            length = len(answer.body) if answer.length is None else answer.length
            lines.append(f"Content-Length: {length}")
        data = "\r\n".join([*lines, "", ""]).encode("latin-1") + answer.body
        if answer.drip is None:
            connection.sendall(data)
        else:
            for at in range(len(data)):
                connection.sendall(data[at : at + 1])
                if self._ended.wait(answer.drip):
                    return False
        return not answer.drops and answer.length != -1

    def _answer(self, request: Request) -> Answer:
        with self._lock:
            answers = self._answers.get(request.path)
            if isinstance(answers, list):
                return self._with_validators(answers.pop(0) if len(answers) > 1 else answers[0], request)
        if answers is not None:
            return answers(request)
        if self.folder is not None:
            path = self.folder / unquote(request.path.partition("?")[0]).lstrip("/")
            if path.is_file():
                return self._with_validators(Answer(body=path.read_bytes()), request)
        return Answer(404, b"no such picture")

    def _with_validators(self, answer: Answer, request: Request) -> Answer:
        """Adds an ETag; answers 304 where the client has it."""
        names = {name.lower() for name, _ in answer.headers}
        if answer.status != 200 or not self.validators or names & {"etag", "last-modified"}:
            return answer
        etag = f'"{hashlib.md5(answer.body).hexdigest()}"'
        if request.headers.get("if-none-match") == etag:
            return Answer(304, headers=[("ETag", etag)])
        return Answer(**{**vars(answer), "headers": [*answer.headers, ("ETag", etag)]})


def _parse(head: bytes) -> Request:
    first, *lines = head.decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in lines)
    return Request(
        first.split(" ")[1], {name.lower(): value.strip() for name, _, value in pairs}, time.monotonic()
    )


def main() -> None:
    """Serves a folder until the standard input ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--latency", type=float, default=0.0)
    given = parser.parse_args()
    with PictureServer(given.folder, given.latency) as server:
        print(server.url(""), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
