from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import RequestReceived

from stylesearch.images.remote import Fetched, PictureCache
from tests.unit.images.remote.conftest import QUICK, jpeg
from tests.unit.images.remote.test_fetch import fail_one, fetch_all, fetch_one

Names = dict[str, Callable[[], str]]
OWN = """\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgQKnj9XPfLW/LqyB7
70vIQCUL0bWCRRGUvhdN/+VB/bWhRANCAASqSxTGJQewuE8GQrHMjY6JTsx2su4Y
EnycFbMZZCKL62VIhmNWjZMsSmyC8qOMDNG8OuX0B+OUS63VidwTkL3x
-----END PRIVATE KEY-----
-----BEGIN CERTIFICATE-----
MIIBlTCCATugAwIBAgIUEUlff18APgNbkEh5RDo1zTtvs84wCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJc2hvcC50ZXN0MCAXDTI2MTEzMDIwMjczMloYDzIxMjYxMTA2
MjAyNzMyWjAUMRIwEAYDVQQDDAlzaG9wLnRlc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAASqSxTGJQewuE8GQrHMjY6JTsx2su4YEnycFbMZZCKL62VIhmNWjZMs
SmyC8qOMDNG8OuX0B+OUS63VidwTkL3xo2kwZzAdBgNVHQ4EFgQUpCEFLVQRUvX1
xJOWH6k6WINrsvMwHwYDVR0jBBgwFoAUpCEFLVQRUvX1xJOWH6k6WINrsvMwDwYD
VR0TAQH/BAUwAwEB/zAUBgNVHREEDTALgglzaG9wLnRlc3QwCgYIKoZIzj0EAwID
SAAwRQIhAIJMUOeYnRAgTKPqYerH6kBG1Wf0NWTlrc/S6reURld4AiByozaSeNdq
WUOPCsnbLH/6NS+3lj1QnkAI35zC2Gox3g==
-----END CERTIFICATE-----
"""
"""Key and certificate of shop.test, signed by itself; for this test alone."""


def answer_by_http2(connection: ssl.SSLSocket) -> None:
    """Answers every request of a connection with a picture of its own: its path is the seed."""
    protocol = H2Connection(H2Configuration(client_side=False))
    protocol.initiate_connection()
    connection.sendall(protocol.data_to_send())
    while data := connection.recv(65536):
        for event in protocol.receive_data(data):
            if isinstance(event, RequestReceived):
                path = dict(event.headers)[b":path"]
                body = jpeg(int(path.strip(b"/")))
                protocol.send_headers(
                    event.stream_id, [(":status", "200"), ("content-length", str(len(body)))]
                )
                protocol.send_data(event.stream_id, body, end_stream=True)
        connection.sendall(protocol.data_to_send())


@pytest.fixture
def secure_port(tmp_path: Path) -> Iterator[int]:
    """A server over TLS that answers every request with a picture."""
    (tmp_path / "own.pem").write_text(OWN)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "own.pem")
    context.set_alpn_protocols(["h2", "http/1.1"])
    listening = socket.create_server(("127.0.0.1", 0))
    listening.settimeout(0.05)
    ended = threading.Event()

    def serve() -> None:
        while not ended.is_set():
            try:
                accepted, _ = listening.accept()
            except TimeoutError:
                continue
            try:
                accepted.settimeout(2.0)
                with context.wrap_socket(accepted, server_side=True) as secure:
                    if secure.selected_alpn_protocol() == "h2":
                        answer_by_http2(secure)
                        continue
                    secure.recv(65536)
                    head = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
                    secure.sendall(head % len(jpeg()) + jpeg())
            except OSError:  # the client does not trust us
                accepted.close()

    thread = threading.Thread(target=serve)
    thread.start()
    yield int(listening.getsockname()[1])
    ended.set()
    thread.join()
    listening.close()


def test_tls_verifies_the_name_of_the_host_and_not_its_address(
    secure_port: int, cache: PictureCache, hosts: Names, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hosts["shop.test"] = hosts["other.test"] = lambda: "127.0.0.1"
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "own.pem"))
    assert fetch_one(f"https://shop.test:{secure_port}/a.jpg", cache).path.read_bytes() == jpeg()
    reason = fail_one(f"https://other.test:{secure_port}/a.jpg", cache).reason
    assert reason.startswith("no trusted certificate: Hostname mismatch")


def test_pictures_come_over_one_connection_by_http2(
    secure_port: int, cache: PictureCache, hosts: Names, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hosts["shop.test"] = lambda: "127.0.0.1"
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "own.pem"))
    urls = [f"https://shop.test:{secure_port}/{n}" for n in range(30)]
    found = fetch_all(urls, cache, replace(QUICK, http2=True))  # the server has one connection at a time
    pictures = [one.path.read_bytes() for one in map(found.get, urls) if isinstance(one, Fetched)]
    assert pictures == [jpeg(n) for n in range(30)]


def test_a_certificate_of_nobody_is_refused(secure_port: int, cache: PictureCache, hosts: Names) -> None:
    hosts["shop.test"] = lambda: "127.0.0.1"
    reason = fail_one(f"https://shop.test:{secure_port}/a.jpg", cache).reason
    assert reason == "no trusted certificate: self-signed certificate"


def test_a_server_without_tls_is_told(cache: PictureCache) -> None:
    with socket.create_server(("127.0.0.1", 0)) as plain:
        port = plain.getsockname()[1]

        def answer() -> None:
            for _ in range(QUICK.n_host_failures):
                one, _ = plain.accept()
                one.recv(1000)
                one.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                one.close()

        thread = threading.Thread(target=answer)
        thread.start()
        assert "no connection over TLS" in fail_one(f"https://127.0.0.1:{port}/a.jpg", cache).reason
        thread.join()
