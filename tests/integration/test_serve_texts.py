"""Texts that are none, at every route that takes one: not UTF-8, half a surrogate pair, NUL, line ends."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

import stylesearch as ss
from stylesearch.serving.settings import ServiceSettings
from tests.integration.live_server import serving
from tests.integration.serve_answers import AUTHORIZED, RED, problem, put
from tests.integration.tiny_shop import KEY, draw, ingest_tiny_shop, png

SECRET = "shpss_0123456789abcdef"
PHOTO = base64.b64encode(RED).decode()
ORANGE = png(draw((240, 140, 10)))
BAD = ["%FF", "%FD", "a%C3", "%ED%A0%80", "%C0%80", "%F5%80%80%80"]
"""No UTF-8: bytes that are never in it, a cut one, half a surrogate pair, an overlong NUL, too high a one."""


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    home = ingest_tiny_shop(tmp_path_factory.mktemp("tiny"))
    settings = ServiceSettings(api_keys=(KEY,), shopify_secrets=(SECRET,))
    with ss.open(home) as shop, serving(shop, settings) as client:
        yield client


@pytest.mark.parametrize("written", BAD)
def test_an_id_that_is_no_utf_8_is_no_product(client: httpx.Client, written: str) -> None:
    path = f"/v1/products/{written}"
    for answer in (
        client.get(path),
        client.get(f"{path}/similar"),
        client.get(f"/v1/%70roducts/{written}"),  # encoded more than necessary
        client.delete(path, headers=AUTHORIZED),
        client.patch(path, json={"price": "1"}, headers=AUTHORIZED),
        put(client, written, ORANGE),
    ):
        assert "UTF-8" in problem(answer, 422)["detail"]


def test_one_id_does_not_stand_for_another(client: httpx.Client) -> None:
    """As a replacement character for each byte that cannot be read did."""
    assert put(client, "%EF%BF%BD", ORANGE).status_code == 201
    for written in BAD[:2]:
        problem(client.delete(f"/v1/products/{written}", headers=AUTHORIZED), 422)
    assert client.get("/v1/products/%EF%BF%BD").json()["id"] == "\ufffd"
    assert client.delete("/v1/products/%EF%BF%BD", headers=AUTHORIZED).status_code == 204


@pytest.mark.parametrize("written", [*BAD, "%00"])
@pytest.mark.parametrize(
    "path",
    [
        "/v1/products?category={}",
        "/v1/products?cursor={}",
        "/v1/products?{}=1",
        "/v1/products/dress-red/similar?category={}",
        "/v1/products/dress-red/similar?space={}",
        "/v1/products/dress-red/similar?metric={}",
    ],
)
def test_a_query_that_is_no_text_is_refused(client: httpx.Client, path: str, written: str) -> None:
    problem(client.get(path.format(written)), 422)


@pytest.mark.parametrize("text", ["\ud800", "a\udfffb", "a\0b"])
@pytest.mark.parametrize("name", ["category", "space", "metric", "region", "k\ud800"])
def test_a_search_for_what_is_no_text_is_refused(client: httpx.Client, name: str, text: str) -> None:
    headers = {"Content-Type": "application/json"}
    for path, photo in (("/v1/search", {"image": PHOTO}), ("/v1/search/batch", {"images": [PHOTO]})):
        body = json.dumps({**photo, name: text})
        problem(client.post(path, content=body, headers=headers), 422)


@pytest.mark.parametrize("value", [b"\xff", b"\xed\xa0\x80", b"a\0b"])
@pytest.mark.parametrize("name", ["category", "space", "metric", "region"])
def test_a_field_of_a_form_that_is_no_text_is_refused(client: httpx.Client, name: str, value: bytes) -> None:
    files: Any = [("image", ("x.jpg", RED)), (name, (None, value))]
    problem(client.post("/v1/search", files=files), 422)


@pytest.mark.parametrize("text", ["\ud800", "a\0b"])
@pytest.mark.parametrize(
    "change",
    [
        lambda text: {"title": text},
        lambda text: {"category": text},
        lambda text: {"price": text},
        lambda text: {"url": f"https://shop.example/{text}"},
        lambda text: {"attributes": {"a": text}},
        lambda text: {"attributes": {text: "a"}},
        lambda text: {"attributes": {"a": [{"b": text}]}},
        lambda text: {"variants": [{"id": text}]},
        lambda text: {"variants": [{"options": {text: "a"}}]},
        lambda text: {"variants": [{"options": {"a": text}}]},
        lambda text: {"variants": [{"price": text}]},
        lambda text: {"variants": [{"url": f"https://shop.example/{text}"}]},
    ],
)
def test_no_change_of_a_product_stores_what_is_no_text(client: httpx.Client, change: Any, text: str) -> None:
    body = json.dumps(change(text))
    before = client.get("/v1/products/dress-red").json()
    path, headers = "/v1/products/dress-red", {**AUTHORIZED, "Content-Type": "application/json"}
    problem(client.patch(path, content=body, headers=headers), 422)
    whole = {"title": "T", "category": "dress", "images": [PHOTO], **change(text)}
    problem(client.put("/v1/products/new", content=json.dumps(whole), headers=headers), 422)
    problem(put(client, "new", ORANGE, **change(text)), 422)
    line = json.dumps({"id": "dress-red", **change(text)})
    (result,) = bulk(client, line)
    assert result["status"] == 422
    assert client.get("/v1/products/dress-red").json() == before
    assert client.get("/v1/products/new").status_code == 404


@pytest.mark.parametrize("text", ["a\nb", "a\x1bb", "a\x85b", "a\u2028b", "\x7f"])
def test_ids_categories_and_options_are_one_line(client: httpx.Client, text: str) -> None:
    headers = {**AUTHORIZED, "Content-Type": "application/json"}
    for change in (
        {"category": text},
        {"variants": [{"id": text}]},
        {"variants": [{"options": {text: "a"}}]},
        {"variants": [{"options": {"a": text}}]},
    ):
        body = json.dumps(change)
        problem(client.patch("/v1/products/dress-red", content=body, headers=headers), 422)
    written = "".join(f"%{byte:02X}" for byte in text.encode())
    problem(put(client, written, ORANGE), 422)


@pytest.mark.parametrize("product_id", ["\ud800", "a\0b"])
def test_lines_name_products_by_texts(client: httpx.Client, product_id: str) -> None:
    (result,) = bulk(client, json.dumps({"id": product_id, "delete": True}))
    assert result["status"] == 422


def bulk(client: httpx.Client, line: str) -> list[dict[str, Any]]:
    headers = {**AUTHORIZED, "Content-Type": "application/x-ndjson"}
    answer = client.post("/v1/products/bulk", content=line, headers=headers)
    assert answer.status_code == 200
    return [json.loads(one) for one in answer.text.splitlines()]


@pytest.mark.parametrize("handle", ["red\ud800", "red\0", "re\nd", "red\x7f", "\u2028red"])
def test_a_webhook_names_its_product_by_one_line(client: httpx.Client, handle: str) -> None:
    """A handle of which a part was left out would be that of another product."""
    assert "handle" in problem(webhook(client, {"id": 1, "handle": handle}), 422)["detail"]


def test_other_texts_of_a_webhook_lose_what_cannot_be_stored(client: httpx.Client) -> None:
    """The shop sends such a product again for two days, and then nothing any more: it is not refused."""
    payload = {"id": 1, "handle": "red", "status": "draft", "title": "a\ud800\0b", "tags": "\ud800"}
    assert webhook(client, payload).status_code == 200


def webhook(client: httpx.Client, payload: dict[str, Any]) -> httpx.Response:
    body = json.dumps(payload).encode()
    signature = base64.b64encode(hmac.digest(SECRET.encode(), body, hashlib.sha256)).decode()
    headers = {
        "Content-Type": "application/json",
        "X-Shopify-Topic": "products/update",
        "X-Shopify-Hmac-Sha256": signature,
        "X-Shopify-Event-Id": "é\x01",
        "X-Shopify-Triggered-At": "\x01",
    }
    raw = {name: value.encode("latin-1") for name, value in headers.items()}
    return client.post("/v1/webhooks/shopify", content=body, headers=raw)  # type: ignore[arg-type]
