"""The page may show the pictures of the shop's own servers, where that is set."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

import stylesearch as ss
from stylesearch.serving.settings import ServiceSettings
from tests.integration.live_server import serving
from tests.integration.serve_answers import post_photo
from tests.integration.tiny_shop import ingest_tiny_shop

ADDRESS = "https://cdn.example/red.jpg?v=1"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A shop whose red dress has a picture behind a URL."""
    home = ingest_tiny_shop(tmp_path)
    with sqlite3.connect(home / "catalog.db") as catalog:
        catalog.execute(
            "UPDATE images SET file = path, path = ?, options = ? WHERE path LIKE '%dress0.jpg'",
            (ADDRESS, '{"color": "Red"}'),
        )
    return home


@pytest.mark.parametrize(
    "address", ["https://user:secret@cdn.example/red.jpg", "https://token@cdn.example/r"]
)
def test_an_address_with_a_password_is_not_shown(home: Path, address: str) -> None:
    with sqlite3.connect(home / "catalog.db") as catalog:
        catalog.execute("UPDATE images SET path = ? WHERE path = ?", (address, ADDRESS))
    with ss.open(home) as shop, serving(shop, ServiceSettings(images="shop")) as client:
        image = client.get("/v1/products/dress-red").json()["images"][0]
        assert image["links"]["shown"] == image["links"]["thumbnail"]
        assert image["options"] == {"color": "Red"}


@pytest.mark.parametrize(
    ("images", "policy"),
    [("thumbnail", "img-src 'self' blob: data:;"), ("shop", "img-src 'self' blob: data: https: http:;")],
)
def test_the_page_may_load_what_the_answers_name(home: Path, images: str, policy: str) -> None:
    with ss.open(home) as shop, serving(shop, ServiceSettings(images=images)) as client:
        hits = post_photo(client, k="3").json()["hits"]
        image = hits[0]["image"]
        listed = client.get("/v1/products/dress-red").json()["images"][0]
        similar = client.get("/v1/products/dress-blue/similar").json()["hits"]
        assert image["options"] == {"color": "Red"}
        assert image["links"]["shown"] == (ADDRESS if images == "shop" else image["links"]["thumbnail"])
        assert listed == image
        assert image in [hit["image"] for hit in similar]
        assert hits[1]["image"]["links"]["shown"] == hits[1]["image"]["links"]["thumbnail"], "a file has none"
        assert policy in client.get("/").headers["content-security-policy"]
        assert client.get(image["links"]["thumbnail"]).status_code == 200, "the file is still ours"
