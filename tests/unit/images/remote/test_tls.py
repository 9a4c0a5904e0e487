from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stylesearch.images.remote import PictureCache
from tests.unit.images.remote.conftest import QUICK, jpeg
from tests.unit.images.remote.test_fetch import fail_one, fetch_one

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


@pytest.fixture
def secure_port(tmp_path: Path) -> Iterator[int]:
    """A server over TLS that answers every request with a picture."""
    (tmp_path / "own.pem").write_text(OWN)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "own.pem")
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
