"""Connections that never ask for anything whole, that send headers without end, or no HTTP at all."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator

import httpx
import pytest
import uvicorn

from stylesearch.serving.server.http_protocol import TimeoutProtocol

PATIENCE = 0.6


class Impatient(TimeoutProtocol):
    """The same with less time."""

    request_seconds = PATIENCE


async def slow_hello(scope, receive, send):
    """Reads the whole body and thinks for longer than a request may take to come."""
    assert scope["type"] == "http"
    while (await receive()).get("more_body"):
        pass
    import asyncio

    await asyncio.sleep(1.5 * PATIENCE)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
    await send({"type": "http.response.body", "body": b"hello"})


@contextlib.contextmanager
def served(application) -> Iterator[int]:
    """The port at which a server answers meanwhile."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(application, http=Impatient, lifespan="off", ws="none", log_config=None)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield listener.getsockname()[1]
    server.should_exit = True
    thread.join()


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with served(slow_hello) as port:
        yield port


def closed_after(connection: socket.socket) -> float:
    """Seconds until the server closes the connection."""
    began = time.monotonic()
    connection.settimeout(10 * PATIENCE)
    while connection.recv(4096):
        pass
    return time.monotonic() - began


@pytest.mark.parametrize("said", [b"", b"GET /hea", b"GET / HTTP/1.1\r\nHost: x\r\nA: "])
def test_a_request_that_never_comes_whole_is_given_up(port: int, said: bytes) -> None:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(said)
        assert 0.5 * PATIENCE < closed_after(connection) < 5 * PATIENCE


def test_drop_after_drop_gives_no_more_time(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        began = time.monotonic()
        with pytest.raises(OSError):  # reset, or a broken pipe, as it happens
            for letter in "GET /" + "a" * 10_000:
                connection.sendall(letter.encode())
                time.sleep(0.05)
        assert time.monotonic() - began < 5 * PATIENCE


def test_whole_requests_get_all_the_time_that_their_answer_takes(port: int) -> None:
    with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
        for _ in range(2):  # the second on the same connection
            assert client.post("/", content=b"x" * 200_000).text == "hello"
        time.sleep(1.5 * PATIENCE)  # doing nothing in between is what keep-alive is for
        assert client.get("/").text == "hello"


def test_headers_without_end_are_refused(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        headers = b"".join(b"A%d: b\r\n" % number for number in range(20_000))
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n" + headers)
        answer = b""
        connection.settimeout(5)
        try:
            while more := connection.recv(65536):
                answer += more
        except ConnectionResetError:
            pass
    assert answer.startswith(b"HTTP/1.1 400") or not answer  # or cut off before it could be read


def test_what_is_no_http_is_a_problem(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(b"HELLO\r\n\r\n")
        answer = b""
        while more := connection.recv(65536):
            answer += more
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400")
    assert b"application/problem+json" in head
    found = json.loads(body[body.index(b"{") : body.rindex(b"}") + 1])
    assert (found["status"], found["title"]) == (400, "Bad Request")
    assert found["request_id"]
    assert f"x-request-id: {found['request_id']}".encode() in head.lower()


async def refuses_at_once(scope, receive, send):
    """Answers without having read the body."""
    headers = [(b"content-length", b"2")]
    await send({"type": "http.response.start", "status": 415, "headers": headers})
    await send({"type": "http.response.body", "body": b"no"})


CHUNKED = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize("waits", [True, False])
def test_what_is_no_http_behind_an_answer_ends_the_connection_and_no_more(
    waits: bool, caplog: pytest.LogCaptureFixture
) -> None:
    with served(refuses_at_once) as port, socket.create_connection(("127.0.0.1", port)) as connection:
        connection.settimeout(10 * PATIENCE)
        connection.sendall(CHUNKED if waits else CHUNKED + b"zzz\r\n")
        answer = b""
        if waits:  # for the answer; else what is wrong comes before the application has been asked
            while not answer.endswith(b"no"):
                answer += connection.recv(65536)
            connection.sendall(b"zzz\r\n")
        while more := connection.recv(65536):
            answer += more
    assert answer.startswith(b"HTTP/1.1 415" if waits else b"HTTP/1.1 400")
    assert answer.count(b"HTTP/1.1 ") == 1
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []
