"""The service under clients that want too much, and under its own mistakes."""

from __future__ import annotations

import hashlib
import json
import re
import socket
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import ImageFile

import stylesearch as ss
from stylesearch.errors import ExtractorError
from stylesearch.images.decode import decode_elsewhere
from stylesearch.serving.problems import QueueFull, SearchTimeout, ServiceStopping
from stylesearch.serving.settings import ServiceSettings
from stylesearch.workspace.workspace import Workspace
from tests.integration.live_server import serving
from tests.integration.tiny_shop import COLORS, draw, ingest_tiny_shop, jpeg

RED = jpeg(draw(COLORS["dress"]["red"], seed=50))


class Refusing:
    """Stands in for what searches, and cannot."""

    ready = True
    queue_length = 0

    def __init__(self, error: Exception) -> None:
        self.error = error

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def search(self, photo: bytes, *_: Any) -> Any:
        raise self.error

    async def similar(self, product_id: str, *_: Any) -> Any:
        raise self.error


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ingest_tiny_shop(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def shop(home: Path) -> Iterator[Workspace]:
    with ss.open(home) as shop:
        yield shop


def post(client: httpx.Client, photo: bytes = RED, **headers: str) -> httpx.Response:
    return client.post("/v1/search", files={"image": ("x", photo)}, headers=headers)


def test_a_body_that_is_too_large_is_refused_and_its_sender_told(shop: Workspace) -> None:
    def pieces() -> Iterator[bytes]:
        for _ in range(400):
            yield b"x" * 10_000

    with serving(shop, ServiceSettings(max_bytes=100_000)) as client:
        declared = post(client, b"x" * 4_000_000)
        chunked = client.post("/v1/search", content=pieces(), headers={"Content-Type": "application/json"})
        for answer in (declared, chunked):
            assert answer.status_code == 413
            assert answer.headers["content-type"] == "application/problem+json"
            assert "100000 bytes" in answer.json()["detail"]
        assert post(client).status_code == 200
        assert re.search(r'stylesearch_rejected_total\{reason="bytes"\} 2', client.get("/metrics").text)


def png_that_says(width: int, height: int) -> bytes:
    """A header, and next to nothing behind it."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    size = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    head = chunk(b"IHDR", size + b"\x08\x02\0\0\0")
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")


def test_pixels_are_counted_before_they_are_decoded(shop: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[tuple[int, int]] = []
    real = ImageFile.ImageFile.load

    def noted(image: ImageFile.ImageFile) -> Any:
        decoded.append(image.size)
        return real(image)

    with serving(shop, ServiceSettings(max_pixels=1_000_000)) as client:
        decode_elsewhere(None)  # where it can be seen what is decoded
        monkeypatch.setattr(ImageFile.ImageFile, "load", noted)
        for photo in (png_that_says(1001, 1000), png_that_says(60_000, 60_000)):
            answer = post(client, photo)
            assert answer.status_code == 413
            assert "pixels" in answer.json()["detail"]
        assert decoded == []
        assert post(client, png_that_says(1000, 1000)).status_code == 415  # and there is not much in it
        assert (1000, 1000) in decoded


def test_a_body_that_does_not_come_is_not_waited_for(shop: Workspace) -> None:
    with serving(shop, ServiceSettings(timeout=0.3)) as client:
        address = (client.base_url.host, client.base_url.port or 80)
        headers = b"Host: localhost\r\nContent-Type: application/json\r\nContent-Length: 50\r\n"
        with socket.create_connection(address, timeout=10) as connection:
            connection.sendall(b"POST /v1/search HTTP/1.1\r\n" + headers + b"\r\n{")
            received = b""
            while data := connection.recv(65536):  # and the connection is closed
                received += data
        assert received.startswith(b"HTTP/1.1 408")
        assert json.loads(received.partition(b"\r\n\r\n")[2])["status"] == 408


def test_so_many_requests_a_minute_from_each_client(shop: Workspace) -> None:
    # Five at once, and one a minute: on no machine do eight requests take that long.
    with serving(shop, ServiceSettings(rate_limit=1, trusted_proxies=("127.0.0.1",))) as client:
        began = time.monotonic()
        statuses = [client.get("/v1/categories").status_code for _ in range(8)]
        assert statuses == [200] * 5 + [429] * 3
        limited = post(client)
        assert limited.status_code == 429
        assert 60 - (time.monotonic() - began) <= int(limited.headers["retry-after"]) <= 60
        assert limited.headers["content-type"] == "application/problem+json"
        assert post(client, **{"X-Forwarded-For": "203.0.113.9"}).status_code == 200
        for path in ("/health", "/ready", "/metrics", "/", "/v1/page"):
            assert client.get(path).status_code == 200
        assert 'stylesearch_rejected_total{reason="rate"} 4.0' in client.get("/metrics").text
    with serving(shop, ServiceSettings(rate_limit=1)) as client:  # no proxy is trusted
        statuses = [
            client.get("/v1/categories", headers={"X-Forwarded-For": f"203.0.113.{n}"}).status_code
            for n in range(8)
        ]
        assert statuses == [200] * 5 + [429] * 3


def test_an_unknown_category_is_refused_before_the_photo_is_looked_at(shop: Workspace) -> None:
    with serving(shop, photo_search=Refusing(RuntimeError("it was looked at"))) as client:
        answer = client.post("/v1/search", files={"image": ("x", RED)}, data={"category": "hat"})
        assert answer.status_code == 404
        assert "hat" in answer.json()["detail"]


def test_a_name_that_somebody_else_made_lead_here_is_not_answered_to(shop: Workspace) -> None:
    with serving(shop) as client:
        for path in ("/", "/v1/products", "/metrics", "/nothing"):
            answer = client.get(path, headers={"Host": f"evil.example:{client.base_url.port}"})
            assert answer.status_code == 421
            assert answer.headers["content-type"] == "application/problem+json"
            assert client.get(path, headers={"Host": "localhost"}).status_code in (200, 404)
        assert client.get("/health", headers={"Host": "evil.example"}).status_code == 200
        assert 'stylesearch_rejected_total{reason="host"} 4.0' in client.get("/metrics").text
    with serving(shop, ServiceSettings(allowed_hosts=("shop.example",))) as client:
        assert client.get("/v1/page", headers={"Host": "shop.example"}).status_code == 200


def test_no_limit_unless_asked_for(shop: Workspace) -> None:
    with serving(shop) as client:
        assert {client.get("/v1/categories").status_code for _ in range(60)} == {200}


@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [
        (QueueFull("32 photos are waiting", retry_after=1.5), 503, "queue"),
        (ServiceStopping("the service stops", retry_after=5), 503, "stopping"),
        (SearchTimeout("not within 30 seconds", retry_after=5), 504, "timeout"),
        (ExtractorError("the model at /srv/model cannot be run"), 500, ""),
        (RuntimeError("secret"), 500, ""),
    ],
)
def test_what_cannot_be_searched_is_said_in_plain_words(
    shop: Workspace, error: Exception, status: int, reason: str
) -> None:
    with serving(shop, photo_search=Refusing(error)) as client:
        for answer in (post(client), client.get("/v1/products/dress-red/similar")):
            assert answer.status_code == status
            assert answer.headers["content-type"] == "application/problem+json"
            assert "Traceback" not in answer.text
            assert "secret" not in answer.text
            assert ("retry-after" in answer.headers) is (status == 503)
            assert answer.headers["content-security-policy"]
        batch = client.post("/v1/search/batch", files=[("images", ("x", RED))])
        if status in (500, 503):  # there was room for none of them
            assert batch.status_code == status
            assert ("retry-after" in batch.headers) is (status == 503)
        else:
            assert batch.json()["results"][0]["problem"]["status"] == status
        if reason:
            text = client.get("/metrics").text
            assert f'stylesearch_rejected_total{{reason="{reason}"}} 3.0' in text


def test_every_answer_is_guarded(shop: Workspace) -> None:
    with serving(shop) as client:
        image = client.get("/v1/products/dress-red").json()["images"][0]["links"]["original"]
        for method, path in (
            ("GET", "/"),
            ("GET", "/nothing"),
            ("PUT", "/"),
            ("GET", "/v1/products?x=1"),
            ("POST", "/v1/search"),
            ("GET", image),
            ("GET", "/openapi.json"),
            ("HEAD", "/metrics"),
        ):
            headers = client.request(method, path).headers
            assert "default-src 'none'" in headers["content-security-policy"]
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["x-frame-options"] == "DENY"
            for_all = "cross-origin" if path == image else "same-origin"
            assert headers["cross-origin-resource-policy"] == for_all
            assert headers["x-request-id"]
            assert "cache-control" in headers
            assert "access-control-allow-origin" not in headers


def test_other_origins_may_ask_only_where_that_is_configured(shop: Workspace) -> None:
    allowed, other = {"Origin": "https://shop.example"}, {"Origin": "https://evil.example"}
    preflight = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
    with serving(shop) as client:
        for headers in (allowed, {**allowed, **preflight}):
            answer = client.request(
                "OPTIONS" if preflight.keys() & headers else "GET", "/v1/page", headers=headers
            )
            assert "access-control-allow-origin" not in answer.headers
    with serving(shop, ServiceSettings(cors_origins=("https://shop.example",))) as client:
        answer = client.get("/v1/page", headers=allowed)
        assert answer.headers["access-control-allow-origin"] == "https://shop.example"
        assert "access-control-allow-credentials" not in answer.headers
        assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
        assert client.options("/v1/search", headers={**allowed, **preflight}).status_code == 200
        assert "access-control-allow-origin" not in client.get("/v1/page", headers=other).headers
        for refused in (client.get("/v1/products?x=1", headers=allowed), client.get("/x", headers=allowed)):
            assert refused.is_client_error
            assert refused.headers["access-control-allow-origin"] == "https://shop.example"
        assert "access-control-allow-origin" not in client.get("/v1/nothing", headers=other).headers
        delete = {**allowed, "Access-Control-Request-Method": "DELETE"}
        assert client.options("/v1/products/x", headers=delete).status_code == 400, "writing is for servers"


def test_photos_are_kept_only_where_that_is_configured(shop: Workspace, home: Path, tmp_path: Path) -> None:
    before = {path for path in home.rglob("*") if path.is_file()}
    with serving(shop) as client:
        assert post(client).status_code == 200
    assert {path for path in home.rglob("*") if path.is_file()} - before <= {
        home / "catalog.db-wal",
        home / "catalog.db-shm",
    }
    kept = tmp_path / "kept"
    with serving(shop, ServiceSettings(keep_uploads=str(kept))) as client:
        assert post(client).status_code == post(client).status_code == 200
        assert post(client, b"no picture").status_code == 415
    assert {path.name: path.read_bytes() for path in kept.iterdir()} == {
        f"{hashlib.sha256(RED).hexdigest()}.jpg": RED
    }


@pytest.mark.parametrize(
    "named", ["/etc/passwd", "file:///etc/passwd", "http://127.0.0.1:1/x.jpg", "data:image/png;base64,AAAA"]
)
def test_nothing_that_a_client_names_is_opened(shop: Workspace, named: str) -> None:
    with serving(shop) as client:
        assert client.post("/v1/search", json={"image": named}).status_code == 422
        assert post(client, named.encode()).status_code == 415


def test_the_log_says_what_the_client_is_not_told(shop: Workspace, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    with serving(shop, photo_search=Refusing(RuntimeError("the reason"))) as client:
        answer = post(client, **{"X-Request-ID": "shop-4711"})
    assert answer.json()["request_id"] == "shop-4711"
    (failure,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert "the reason" in caplog.text
    assert failure.name == "stylesearch.serving.middleware.error_handler"
    (line,) = [record.fields for record in caplog.records if record.message == "request"]  # type: ignore[attr-defined]
    assert (line["status"], line["route"], line["client"]) == (500, "/v1/search", "127.0.0.1")
