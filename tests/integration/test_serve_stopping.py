"""A service that is stopped while it starts, while it answers, or by a kill in the midst of a change."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

pytest.importorskip("fastapi", reason="the service is an extra: pip install 'stylesearch[serve]'")

from tests.integration.serve_answers import put, stored
from tests.integration.served_process import PATIENCE, Server
from tests.integration.tiny_shop import KEY, draw, ingest_tiny_shop, png

pytestmark = pytest.mark.slow

WITH_KEY = {"STYLESEARCH_API_KEY": KEY}


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ingest_tiny_shop(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def home(filled: Path, tmp_path: Path) -> Path:
    """A copy that may be written to."""
    shutil.copytree(filled, tmp_path / "home")
    return tmp_path / "home"


@pytest.fixture
def begin() -> Iterator[Any]:
    """Begins to start services; ends what the test left running."""
    servers: list[Server] = []

    def start(*arguments: Any, **options: Any) -> Server:
        servers.append(Server(*arguments, **options))
        return servers[-1]

    yield start
    for server in servers:
        server.end()


def wait_for(condition: Any, what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


@pytest.mark.parametrize("seconds", [0.05, 0.3, 0.8])
def test_ctrl_c_while_a_worker_starts_ends_it_quietly(begin: Any, filled: Path, seconds: float) -> None:
    server = begin(filled)
    wait_for(server.workers, "there is no worker")
    time.sleep(seconds)
    os.killpg(server.process.pid, signal.SIGINT)  # as a terminal does: every process gets it
    assert server.wait_for_end() == 0
    said = "".join(server.said)
    assert "Traceback" not in said
    assert "KeyboardInterrupt" not in said


def _begin_to_send(server: Server, method: str, path: str) -> socket.socket:
    """A connection on which half a request has been sent, and is being waited for."""
    connection = socket.create_connection(("127.0.0.1", httpx.URL(server.url).port), timeout=PATIENCE)
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {KEY}\r\n"
        "Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"
    )
    connection.sendall(head.encode())
    return connection


def test_who_waits_when_the_grace_is_over_is_told_to_come_back(begin: Any, filled: Path) -> None:
    server = begin(
        filled, environment={**WITH_KEY, "STYLESEARCH_SERVE_SHUTDOWN_GRACE": "1"}
    ).wait_until_ready()
    asked = {
        method: _begin_to_send(server, method, path)
        for method, path in (("POST", "/v1/search"), ("PUT", "/v1/products/c"))
    }
    assert server.client.get("/health").status_code == 200  # the others have been taken up before
    assert server.stop() == 0
    for method, connection in asked.items():
        with connection:
            answer = httpx_like(connection)
        assert answer["status"] == "HTTP/1.1 503 Service Unavailable", method
        assert answer["content-type"] == "application/problem+json"
        assert answer["connection"] == "close"
        assert int(answer["retry-after"]) >= 1
        assert answer["x-request-id"] == answer["body"]["request_id"]
        assert answer["body"]["detail"] == "the server is stopping"
    said = "".join(server.said)
    assert "Traceback" not in said
    requests = [json.loads(line) for line in server.said if '"message": "request"' in line]
    assert {one["method"]: one["status"] for one in requests} == {"POST": 503, "PUT": 503}


def httpx_like(connection: socket.socket) -> dict[str, Any]:
    """Status line, headers and the body of what arrives until the connection is closed."""
    raw = b""
    while more := connection.recv(65536):
        raw += more
    head, _, body = raw.partition(b"\r\n\r\n")
    status, *headers = head.decode().split("\r\n")
    named = {name.lower(): value for name, _, value in (line.partition(": ") for line in headers)}
    return {**named, "status": status, "body": json.loads(body)}


def test_a_worker_that_is_killed_within_a_put_leaves_no_file(begin: Any, home: Path) -> None:
    server = begin(home, environment=WITH_KEY).wait_until_ready()
    assert put(server.client, "kept", png(draw((240, 140, 10)))).status_code == 201
    (kept,) = stored(home)
    with sqlite3.connect(home / "catalog.db", isolation_level=None) as held:
        held.execute("BEGIN IMMEDIATE")  # the change goes no further than to its files
        cut_off = threading.Thread(target=_put_in_vain, args=(server.url,))
        cut_off.start()
        wait_for(lambda: len({one for one in stored(home) if one.endswith(".png")}) == 2, "no file is stored")
        (victim,) = server.workers()
        os.kill(victim, signal.SIGKILL)
        cut_off.join(PATIENCE)
        held.execute("ROLLBACK")
    held.close()
    wait_for(lambda: stored(home) == {kept}, "the file of a product that was never put is still there")
    assert server.client.get("/v1/products/never").status_code == 404
    image = server.client.get("/v1/products/kept").json()["images"][0]
    assert server.client.get(image["links"]["original"]).status_code == 200
    assert server.stop() == 0


def _put_in_vain(url: str) -> None:
    with httpx.Client(base_url=url, timeout=PATIENCE) as client, pytest.raises(httpx.TransportError):
        put(client, "never", png(draw((10, 140, 140))))
