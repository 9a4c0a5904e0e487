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
from stylesearch.serving.server.strict_http import MAX_HEAD

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


@pytest.fixture(scope="module")
def echo_port() -> Iterator[int]:
    with served(echo) as port:
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


def test_headers_that_come_too_slowly_are_answered_408(port: int) -> None:
    assert answers(port, b"GET / HTTP/1.1\r\nHost: x\r\nA: ").startswith(b"HTTP/1.1 408")


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize(
    ("n_bytes", "status"), [(MAX_HEAD, b"200"), (MAX_HEAD + 1, b"431"), (100_000, b"431")]
)
def test_headers_may_have_64_kib(n_bytes: int, status: bytes, whole: bool, echo_port: int) -> None:
    """However they arrive: in one piece, or in two."""
    begin = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nA: "
    end = b"\r\n\r\n" if whole or status == b"200" else b""
    answer = answers(echo_port, begin + b"a" * (n_bytes - len(begin)) + end, pause=not whole)
    assert answer.startswith(b"HTTP/1.1 " + status)


def test_headers_without_end_are_refused(port: int) -> None:
    answer = answers(
        port, b"GET / HTTP/1.1\r\nHost: x\r\n" + b"".join(b"A%d: b\r\n" % i for i in range(20_000))
    )
    assert answer.startswith(b"HTTP/1.1 431") or not answer  # or cut off before it could be read


async def echo(scope, receive, send):
    """Answers with the method and the body."""
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    answer = scope["method"].encode() + b" " + body
    await send(
        {
            "type": "http.response.start",
            "status": 200,
            "headers": [(b"content-length", b"%d" % len(answer))],
        }
    )
    await send({"type": "http.response.body", "body": answer})


SECOND = b"DELETE /v1/products/a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
CHUNKS = b"5\r\nhello\r\n0\r\n\r\n"


def answers(port: int, sent: bytes, *, pause: bool = False) -> bytes:
    """All that a server answers until it closes."""
    received = b""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.settimeout(20 * PATIENCE)
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            connection.sendall(sent[: len(sent) // 2])
            if pause:
                time.sleep(0.1)
            connection.sendall(sent[len(sent) // 2 :])
            while more := connection.recv(65536):
                received += more
    return received


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        pytest.param(b"Content-Length: 5\r\nTransfer-Encoding: chunked", CHUNKS, id="length and chunks"),
        pytest.param(b"Transfer-Encoding: chunked\r\nContent-Length: 5", CHUNKS, id="chunks and length"),
        pytest.param(b"Transfer-Encoding:\r\n chunked", CHUNKS, id="folded coding"),
        pytest.param(
            b"Content-Length: 5\r\nTransfer-Encoding:\r\n\tchunked", CHUNKS, id="folded, and length"
        ),
        pytest.param(
            b"A: b\r\n Transfer-Encoding: chunked\r\nContent-Length: 5", b"hello", id="coding in a fold"
        ),
        pytest.param(b"Content-Length: 5\r\nContent-Length: 5", b"hello", id="the same length twice"),
        pytest.param(b"Content-Length: 5\r\nContent-Length: 6", b"hello", id="two lengths"),
        pytest.param(b"Content-Length: 5, 5", b"hello", id="a list of lengths"),
        pytest.param(b"Content-Length: +5", b"hello", id="a sign"),
        pytest.param(b"Content-Length: 0x5", b"hello", id="hexadecimal"),
        pytest.param(b"Content-Length: 5_0", b"hello", id="underscore"),
        pytest.param("Content-Length: \u0665".encode(), b"hello", id="arabic digit"),
        pytest.param(b"Content-Length:", b"hello", id="no length"),
        pytest.param(b"Content-Length : 5", b"hello", id="blank before the colon"),
        pytest.param(b"Transfer-Encoding : chunked", CHUNKS, id="coding with a blank before the colon"),
        pytest.param(b"Transfer-Encoding: gzip, chunked", CHUNKS, id="two codings"),
        pytest.param(b"Transfer-Encoding: chunked, identity", CHUNKS, id="chunked and identity"),
        pytest.param(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", CHUNKS, id="coding twice"),
        pytest.param(b"Transfer-Encoding: xchunked", CHUNKS, id="another coding"),
        pytest.param(b"Transfer-Encoding: \x0bchunked", CHUNKS, id="vertical tab before the coding"),
        pytest.param(b"Content-Length: 5\nA: b", b"hello", id="LF alone"),
        pytest.param(b"A: b\rTransfer-Encoding: chunked\r\nContent-Length: 5", b"hello", id="CR alone"),
        pytest.param(b"A: b\n\nGET / HTTP/1.1\r\nHost: x", b"", id="two LF end nothing"),
        pytest.param(b"A: \x00b\r\nContent-Length: 5", b"hello", id="NUL"),
        pytest.param(b"Transfer-Encoding: chunked", b"+5\r\nhello\r\n0\r\n\r\n", id="sign of a chunk"),
        pytest.param(b"Transfer-Encoding: chunked", b"0x5\r\nhello\r\n0\r\n\r\n", id="0x before a chunk"),
        pytest.param(b"Transfer-Encoding: chunked", b" 5\r\nhello\r\n0\r\n\r\n", id="blank before a chunk"),
        pytest.param(b"Transfer-Encoding: chunked", b"-5\r\nhello\r\n0\r\n\r\n", id="negative chunk"),
        pytest.param(b"Transfer-Encoding: chunked", b"5\nhello\n0\n\n", id="chunks with LF"),
        pytest.param(b"Transfer-Encoding: chunked", b"5;\nhello\r\n0\r\n\r\n", id="LF in an extension"),
        pytest.param(b"Transfer-Encoding: chunked", b"5;a\rb\r\nhello\r\n0\r\n\r\n", id="CR in an extension"),
        pytest.param(b"Transfer-Encoding: chunked", b"5\r\nhelloXX0\r\n\r\n", id="no end of a chunk"),
        pytest.param(b"Transfer-Encoding: chunked", b"5\r\nhello\r\n0\r\n\n", id="LF behind the last chunk"),
        pytest.param(b"Transfer-Encoding: chunked", b"5\r\nhello\r\n0\r\nA: b\n\n", id="LF in a trailer"),
        pytest.param(b"Transfer-Encoding: chunked", b"0\r\nA: b\r\n c\r\n\r\n", id="folded trailer"),
        pytest.param(b"Transfer-Encoding: chunked", b"f" * 21 + b"\r\nhello", id="a chunk of 2 ** 84"),
    ],
)
@pytest.mark.parametrize("pause", [False, True])
def test_what_two_readers_may_take_for_two_things_is_refused(
    headers: bytes, body: bytes, pause: bool, echo_port: int
) -> None:
    """And the connection is closed: nobody knows where what comes behind it begins."""
    sent = b"POST / HTTP/1.1\r\nHost: x\r\n" + headers + b"\r\n\r\n" + body
    answer = answers(echo_port, sent + SECOND, pause=pause)
    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"connection: close" in answer.lower()
    assert answer.count(b"HTTP/1.1 ") == 1
    assert b"DELETE" not in answer


@pytest.mark.parametrize(
    ("first", "status"),
    [
        (b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked", b"400"),
        (b"GET / HTTP/2.0\r\nHost: x", b"505"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nHost: y", b"400"),
        (b"GET / HTTP/1.1", b"400"),
        (b"GET  / HTTP/1.1\r\nHost: x", b"400"),
        (b"GET /\x01 HTTP/1.1\r\nHost: x", b"400"),
        (b"GET /\xff HTTP/1.1\r\nHost: x", b"400"),
        (b"GET /a b HTTP/1.1\r\nHost: x", b"400"),
        (b"\r\nGET / HTTP/1.1\r\nHost: x", b"400"),
    ],
)
def test_first_lines_that_are_refused(first: bytes, status: bytes, echo_port: int) -> None:
    answer = answers(echo_port, first + b"\r\n\r\n" + SECOND)
    assert answer.startswith(b"HTTP/1.1 " + status)
    assert answer.count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize("pause", [False, True])
@pytest.mark.parametrize(
    "first",
    [
        b"Content-Length: 5\r\n\r\nhello",
        b"Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;a=b\r\nllo\r\n0\r\nA: b\r\n\r\n",
        b"Transfer-Encoding: Chunked\r\n\r\n" + CHUNKS,
    ],
)
def test_good_requests_behind_each_other_are_answered(first: bytes, pause: bool, echo_port: int) -> None:
    answer = answers(echo_port, b"POST / HTTP/1.1\r\nHost: x\r\n" + first + SECOND, pause=pause)
    assert answer.count(b"HTTP/1.1 200") == 2
    assert b"POST hello" in answer
    assert answer.endswith(b"DELETE ")


def test_chunks_that_arrive_byte_by_byte_are_read(echo_port: int) -> None:
    sent = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n" + CHUNKS
    with socket.create_connection(("127.0.0.1", echo_port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in sent:
            connection.sendall(bytes([byte]))
            time.sleep(0.001)
        answer = b""
        while more := connection.recv(65536):
            answer += more
    assert answer.endswith(b"POST hello")


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
