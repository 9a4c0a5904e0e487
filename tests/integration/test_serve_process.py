"""``stylesearch serve`` as a process: started, searched, killed, filled and stopped like a real one."""

from __future__ import annotations

import csv
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="the service is an extra: pip install 'stylesearch[serve]'")
import httpx

import stylesearch as ss
from tests.integration.served_process import CLI, PATIENCE, Load, Server, has_ended

pytestmark = pytest.mark.slow

SETTINGS = {"extractor": "color-histogram", "regions": "few"}


@pytest.fixture(scope="module")
def filled(drawn_shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("served")
    with ss.open(home, **SETTINGS) as shop:
        shop.ingest(drawn_shop / "products.csv")
    lines = [f'{name} = "{value}"\n' for name, value in SETTINGS.items()]
    (home / "config.toml").write_text("".join(lines) + '[serve]\nlog_format = "text"\n')
    return home


@pytest.fixture
def home(filled: Path, tmp_path: Path) -> Path:
    """A copy that may be written to."""
    shutil.copytree(filled, tmp_path / "home")
    return tmp_path / "home"


@pytest.fixture
def start(filled: Path) -> Iterator[Any]:
    """Starts services; ends what the test left running."""
    servers: list[Server] = []

    def begin(*arguments: str, home: Path = filled, **options: Any) -> Server:
        servers.append(Server(home, *arguments, **options))
        return servers[-1].wait_until_ready()

    yield begin
    for server in servers:
        server.end()


@pytest.fixture
def photos(drawn_shop: Path) -> list[bytes]:
    return [path.read_bytes() for path in sorted((drawn_shop / "street").glob("*.jpg"))[:6]]


@pytest.fixture
def expected(filled: Path, photos: list[bytes]) -> list[list[str]]:
    with ss.open(filled, **SETTINGS) as shop:
        return [[hit.product.id for hit in shop.query(photo, k=3)] for photo in photos]


def test_it_says_where_it_is_answers_and_ends_quietly_with_ctrl_c(
    start: Any, photos: list[bytes], expected: list[list[str]]
) -> None:
    server = start()
    said = server.wait_to_say("Ctrl-C stops")
    assert f"serving 24 products of {server.process.args[4]} at {server.url}" in said
    assert f"{server.url}/docs" in said
    assert "warning" not in said
    assert [server.search(photo) for photo in photos] == expected
    assert server.client.get("/ready").json()["ready"] is True
    os.killpg(server.process.pid, signal.SIGINT)  # as a terminal does: every process gets it
    assert server.wait_for_end() == 0
    said = "".join(server.said)
    assert "Traceback" not in said
    assert "error" not in said.replace("uvicorn.error", "")


@pytest.mark.parametrize("n_workers", [1, 2])
def test_a_worker_that_is_killed_under_load_comes_back_and_no_answer_is_wrong(
    start: Any, photos: list[bytes], expected: list[list[str]], n_workers: int
) -> None:
    server = start("--workers", str(n_workers))
    load = Load(server, photos, expected)
    try:
        load.wait_for(20)
        before = set(server.workers())
        victim = min(before)
        os.kill(victim, signal.SIGKILL)
        deadline = time.monotonic() + PATIENCE
        while len(set(server.workers()) - {victim}) < n_workers:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        load.wait_for(load.right + 40)
    finally:
        load.end()
    assert not load.wrong, load.wrong
    assert load.cut_off <= 8, "only what the killed worker held is cut off"
    assert victim not in server.workers()
    assert server.process.poll() is None
    assert f"worker {victim} ended (SIGKILL)" in "".join(server.said)
    assert server.stop() == 0


def test_stopping_under_load_answers_what_was_begun(
    start: Any, photos: list[bytes], expected: list[list[str]]
) -> None:
    server = start()
    load = Load(server, photos, expected)
    load.wait_for(20)
    code = server.stop()
    load.end()
    assert code == 0
    assert not load.wrong, load.wrong
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", httpx.URL(server.url).port), timeout=5)
    assert "Traceback" not in "".join(server.said)


def test_what_another_process_ingests_rebuilds_and_removes_shows_up(
    start: Any, home: Path, drawn_shop: Path, tmp_path: Path
) -> None:
    with (drawn_shop / "products.csv").open() as file:
        rows = list(csv.DictReader(file))
    server = start("--workers", "2", home=home)
    image = (drawn_shop / rows[0]["image"]).read_bytes()

    def run(*arguments: object) -> None:
        command = [sys.executable, "-c", CLI, "--home", str(home), "-q", *map(str, arguments)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

    def found_by_all() -> set[bool]:
        with httpx.Client(base_url=server.url, timeout=PATIENCE, headers={"Connection": "close"}) as client:
            answers = [client.post("/v1/search", files={"image": image}, data={"k": "1"}) for _ in range(8)]
        assert all(answer.status_code == 200 for answer in answers)
        return {answer.json()["hits"][0]["product"]["id"] == rows[0]["id"] for answer in answers}

    assert found_by_all() == {True}
    run("products", "remove", rows[0]["id"])
    assert found_by_all() == {False}
    run("ingest", drawn_shop / "products.csv")
    assert found_by_all() == {True}
    run("index", "build")
    assert found_by_all() == {True}
    assert "damaged" not in "".join(server.said)


def test_an_empty_workspace_starts_says_what_to_do_and_is_filled_meanwhile(
    start: Any, tmp_path: Path, drawn_shop: Path
) -> None:
    empty = tmp_path / "empty"
    settings = {f"STYLESEARCH_{name.upper()}": value for name, value in SETTINGS.items()}
    server = start(home=empty, environment=settings)
    said = server.wait_to_say("Ctrl-C stops")
    assert f"the workspace {empty} is empty" in said
    assert f"hint: stylesearch --home {empty} ingest FOLDER" in said
    image = (drawn_shop / "products.csv").parent
    photo = next((image / "street").glob("*.jpg")).read_bytes()
    refused = server.client.post("/v1/search", files={"image": photo})
    assert refused.status_code == 404
    assert refused.headers["content-type"].startswith("application/problem+json")
    assert "ingest" in refused.text
    with ss.open(empty, **SETTINGS) as shop:
        shop.ingest(drawn_shop / "products.csv")
    assert len(server.search(photo)) == 3


def test_workers_end_with_their_supervisor(start: Any) -> None:
    server = start("--workers", "2")
    workers = server.workers()
    assert len(workers) == 2
    server.process.kill()
    server.process.wait(PATIENCE)
    deadline = time.monotonic() + PATIENCE
    while not all(has_ended(pid) for pid in workers):
        assert time.monotonic() < deadline, "a worker lives on, and holds the port"
        time.sleep(0.05)


def test_figures_are_those_of_all_workers(start: Any, photos: list[bytes]) -> None:
    server = start("--workers", "2")
    with httpx.Client(base_url=server.url, timeout=PATIENCE, headers={"Connection": "close"}) as client:
        for photo in photos:
            assert client.post("/v1/search", files={"image": photo}).status_code == 200
        for _ in range(4):
            lines = client.get("/metrics").text.splitlines()
            (line,) = [
                one for one in lines if one.startswith("stylesearch_requests_total") and "/v1/search" in one
            ]
            assert float(line.split()[-1]) == len(photos)
    assert server.stop() == 0


def test_a_client_that_goes_away_frees_its_place(start: Any, photos: list[bytes]) -> None:
    server = start("--queue-size", "2")
    host, port = "127.0.0.1", httpx.URL(server.url).port
    body = (
        b'--b\r\nContent-Disposition: form-data; name="image"; filename="x"\r\n\r\n%s\r\n--b--\r\n'
        % photos[0]
    )
    head = (
        f"POST /v1/search HTTP/1.1\r\nHost: {host}\r\nContent-Type: multipart/form-data; boundary=b\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    for _ in range(20):
        with socket.create_connection((host, port), timeout=PATIENCE) as connection:
            connection.sendall(head.encode() + body)
    server.wait_to_say("status=499")  # given up: the client was not there any more
    deadline = time.monotonic() + PATIENCE
    while server.client.post("/v1/search", files={"image": photos[0]}).status_code != 200:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert server.stop() == 0


@pytest.mark.parametrize("n_workers", ["1", "2"])
def test_new_clients_are_refused_at_once_while_it_stops(start: Any, n_workers: str) -> None:
    server = start("--workers", n_workers)
    address = ("127.0.0.1", httpx.URL(server.url).port)
    with socket.create_connection(address, timeout=PATIENCE) as slow:
        head = "POST /v1/search HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        slow.sendall(f"{head}Expect: 100-continue\r\nContent-Length: 9\r\n\r\n".encode())
        # A worker has taken the connection and waits for the body: it is one of those that are finished.
        assert slow.recv(100).startswith(b"HTTP/1.1 100 ")
        slow.sendall(b"{")
        assert server.client.get("/health").status_code == 200
        server.process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + 15  # the slow one may hold it up for 30
        while True:
            try:
                socket.create_connection(address, timeout=1).close()
            except ConnectionRefusedError:
                break
            assert time.monotonic() < deadline, "clients wait for an answer that will not come"
            time.sleep(0.05)
        time.sleep(0.5)
        assert server.process.poll() is None, "it waits for the slow one still"
    assert server.wait_for_end() == 0


def test_a_worker_that_cannot_start_says_why(tmp_path: Path, filled: Path) -> None:
    shutil.copytree(filled, tmp_path / "home")
    (tmp_path / "home" / "config.toml").write_text('extractor = "resnet50"\nweights = "missing.h5"\n')
    failed = subprocess.run(
        [sys.executable, "-c", CLI, "--home", tmp_path / "home", "serve", "--port", "0"],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert failed.returncode == 1
    assert "error: " in failed.stderr
    assert "hint: " in failed.stderr
    assert "Traceback" not in failed.stderr
