"""Who may not put a product in, and what may not be put."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

import stylesearch as ss
from stylesearch.serving.settings import ServiceSettings
from stylesearch.workspace.workspace import Workspace
from tests.integration.live_server import serving
from tests.integration.serve_answers import AUTHORIZED, put, stored
from tests.integration.tiny_shop import KEY, draw, ingest_tiny_shop, png

ORANGE, TEAL = (240, 140, 10), (10, 140, 140)
SETTINGS = ServiceSettings(api_keys=("another-key-0123456789", KEY))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ingest_tiny_shop(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def shop(home: Path) -> Iterator[Workspace]:
    with ss.open(home) as shop:
        yield shop


@pytest.fixture(scope="module")
def client(shop: Workspace) -> Iterator[httpx.Client]:
    with serving(shop, SETTINGS) as client:
        yield client


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong-key-0123456789"}, {"X-API-Key": ""}])
def test_without_the_key_nothing_is_read_or_changed(
    client: httpx.Client, home: Path, headers: dict[str, str]
) -> None:
    for answer in (
        put(client, "c", png(draw(ORANGE)), headers=headers),
        client.put("/v1/products/c", content=b"{", headers=headers),
        client.delete("/v1/products/dress-red", headers=headers),
        client.delete("/v1/products/nothing", headers=headers),
    ):
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")
    assert client.get("/v1/products/dress-red").status_code == 200
    assert stored(home) == set()


def test_without_a_configured_key_writing_is_off(shop: Workspace) -> None:
    with serving(shop) as client:
        assert put(client, "c", png(draw(ORANGE))).status_code == 403
        assert client.delete("/v1/products/dress-red", headers=AUTHORIZED).status_code == 403


@pytest.mark.parametrize(
    ("product", "words"),
    [
        ({"title": ""}, "title: "),
        ({"title": 5}, "title: "),
        ({"title": "x" * 501}, "title: "),
        ({"title": "\ud800"}, "title: "),
        ({"title": "a\0"}, "title: "),
        ({"category": "a\nb"}, "category: "),
        ({"category": " "}, "category: "),
        ({"price": True}, "price: "),
        ({"url": "javascript:alert(1)"}, "url: "),
        ({"url": "file:///etc/passwd"}, "url: "),
        ({"attributes": []}, "attributes: "),
        ({"attributes": {"a": "\ud800"}}, "attributes: "),
        ({"attributes": {"a": "\0"}}, "attributes: "),
        ({"attributes": {"a": [[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]}}, "attributes: "),
        ({"path": "/etc/passwd"}, "path: "),
    ],
)
def test_products_that_make_no_sense_are_refused(
    client: httpx.Client, home: Path, product: dict[str, Any], words: str
) -> None:
    answer = put(client, "c", png(draw(ORANGE)), **product)
    assert answer.status_code == 422
    assert words in answer.json()["detail"]
    assert stored(home) == set()


@pytest.mark.parametrize(
    "product_id", ["%2E", "%2E%2E", "%20x", "a%0Ab", "a%00b", "%7F", "x" * 201], ids=lambda text: text[:8]
)
def test_ids_that_are_asking_for_trouble_are_refused(client: httpx.Client, product_id: str) -> None:
    # A client that resolves dots asks for another path, which nothing answers a PUT on.
    assert put(client, product_id, png(draw(ORANGE))).status_code in (404, 405, 422)


@pytest.mark.parametrize(
    ("images", "status", "words"),
    [
        ([], 422, "1 to 20 pictures"),
        ([png(draw(ORANGE, seed=n)) for n in range(21)], 422, "1 to 20 pictures"),
        ([png(draw(ORANGE)), b"%PDF-1.7"], 415, "picture 2"),
        ([png(draw(ORANGE, size=(10, 10)))], 422, "picture 1"),
    ],
)
def test_a_product_with_a_bad_image_is_not_put(
    client: httpx.Client, home: Path, images: list[bytes], status: int, words: str
) -> None:
    answer = put(client, "c", *images)
    assert answer.status_code == status
    assert words in answer.json()["detail"]
    assert client.get("/v1/products/c").status_code == 404
    assert stored(home) == set()


def test_forms_without_a_product_or_with_more_are_refused(client: httpx.Client) -> None:
    image = ("images", ("x", png(draw(ORANGE))))
    product = ("product", (None, '{"title": "T", "category": "c"}'))
    for files, detail in (
        ([image], "product: a part with the product as JSON is wanted"),
        ([product, image, ("more", (None, "x"))], "more: no such field; known are product, images"),
        ([product, ("image", ("x", png(draw(ORANGE))))], "image: no such field; known are product, images"),
        ([product, product, image], "product: given more than once"),
    ):
        refused = client.put("/v1/products/c", files=files, headers=AUTHORIZED)
        assert (refused.status_code, refused.json()["detail"]) == (422, detail)
    broken = [("product", (None, "{")), image]
    assert client.put("/v1/products/c", files=broken, headers=AUTHORIZED).status_code == 400
