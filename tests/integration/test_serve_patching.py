"""Products that are changed over the API without their pictures."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

import stylesearch as ss
from stylesearch.serving.api import responses
from stylesearch.serving.products import writer
from stylesearch.serving.settings import ServiceSettings
from stylesearch.workspace.workspace import Workspace
from tests.integration.live_server import serving
from tests.integration.serve_answers import AUTHORIZED, RED, best, ids, post_photo, problem, put, valid
from tests.integration.tiny_shop import KEY, ingest_tiny_shop

# A category that was not there has no index yet: it is searched exactly, and a warning says so.
pytestmark = pytest.mark.filterwarnings("ignore::stylesearch.search.gallery.IndexWarning")


@pytest.fixture(scope="module")
def ingested(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ingest_tiny_shop(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def home(ingested: Path, tmp_path: Path) -> Path:
    shutil.copytree(ingested, tmp_path / "home")
    return tmp_path / "home"


@pytest.fixture
def table(ingested: Path) -> Path:
    return ingested.parent / "source" / "products.csv"


@pytest.fixture
def shop(home: Path) -> Iterator[Workspace]:
    with ss.open(home) as shop:
        yield shop


@pytest.fixture
def client(shop: Workspace) -> Iterator[httpx.Client]:
    with serving(shop, ServiceSettings(api_keys=(KEY,))) as client:
        yield client


def patch(client: httpx.Client, product_id: str, change: Any, **headers: str) -> httpx.Response:
    kind = {"Content-Type": "application/json"}  # escaped: half a surrogate pair cannot be UTF-8
    body = json.dumps(change).encode()
    return client.patch(f"/v1/products/{product_id}", content=body, headers={**AUTHORIZED, **kind, **headers})


def test_what_is_named_changes_and_the_rest_stays(client: httpx.Client) -> None:
    before = client.get("/v1/products/dress-red").json()
    change = {"price": "29.90 EUR", "in_stock": False, "attributes": {"color": "red"}}
    after = valid(patch(client, "dress-red", change), responses.ProductWithImages)
    assert after == {
        **before,
        "price": "29.90 EUR",
        "amount": 29.9,
        "amount_max": 29.9,
        "currency": "EUR",
        "in_stock": False,
        "attributes": {"fabric": "silk", "color": "red"},
    }
    assert client.get("/v1/products/dress-red").json() == after
    assert post_photo(client, k="1").json()["hits"][0]["product"] == {
        name: value for name, value in after.items() if name != "images"
    }
    assert valid(patch(client, "dress-red", change), responses.ProductWithImages) == after
    assert valid(patch(client, "dress-red", {}), responses.ProductWithImages) == after


def test_null_clears_whatever_said_it(client: httpx.Client) -> None:
    assert patch(client, "dress-blue", {"attributes": {"color": "blue", "size": "M"}}).status_code == 200
    change = {"price": None, "url": None, "attributes": {"fabric": None, "color": None}}
    after = patch(client, "dress-blue", change).json()
    assert [after[name] for name in ("price", "amount", "url")] == [None, None, None]
    assert after["attributes"] == {"size": "M"}
    assert patch(client, "dress-blue", {"attributes": None}).json()["attributes"] == {}


def test_a_table_says_again_what_was_cleared_and_keeps_what_it_never_said(
    client: httpx.Client, home: Path, table: Path
) -> None:
    assert patch(client, "dress-blue", {"price": None, "attributes": {"color": "blue"}}).status_code == 200
    with ss.open(home) as elsewhere:
        elsewhere.ingest(table)
    after = client.get("/v1/products/dress-blue").json()
    assert (after["price"], after["attributes"]) == ("19.90", {"fabric": "silk", "color": "blue"})


def test_variants_are_replaced_and_decide_the_range_of_prices(client: httpx.Client) -> None:
    navy = {"id": "1", "options": {"color": "Navy"}, "price": "19.90", "in_stock": True}
    rust = {"options": {"color": "Rust"}, "price": "25.00"}
    after = patch(client, "dress-green", {"variants": [navy, rust]}).json()
    assert [one["options"]["color"] for one in after["variants"]] == ["Navy", "Rust"]
    assert (after["amount"], after["amount_max"]) == (19.9, 25.0)
    assert len(patch(client, "dress-green", {"variants": [navy]}).json()["variants"]) == 1
    for nothing in (None, []):
        assert patch(client, "dress-green", {"variants": [navy]}).json()["variants"] != []
        assert patch(client, "dress-green", {"variants": nothing}).json()["variants"] == []


def test_a_price_that_no_variant_has_is_refused(client: httpx.Client) -> None:
    navy, rust = {"id": "1", "price": "69.00 EUR"}, {"id": "2", "price": "89.95 EUR"}
    after = patch(client, "dress-green", {"variants": [navy, rust]}).json()
    assert (after["price"], after["amount"], after["amount_max"]) == ("69.00 EUR", 69.0, 89.95)
    refused = patch(client, "dress-green", {"price": "49.00 EUR"})
    assert "change the prices of the variants" in problem(refused, 422)["detail"]
    assert client.get("/v1/products/dress-green").json() == after
    assert patch(client, "dress-green", {"price": "89.95 EUR"}).status_code == 200
    both = patch(client, "dress-green", {"price": "49.00 EUR", "variants": [{"id": "1"}]}).json()
    assert (both["amount"], both["amount_max"]) == (49.0, 49.0), "of the variant that has none"


@pytest.mark.parametrize(
    ("number", "text"), [(19.9, "19.90"), (20, "20"), (19.999, "20.00"), (0, "0"), (1234567.5, "1234567.50")]
)
def test_a_price_may_be_a_number(client: httpx.Client, number: float, text: str) -> None:
    after = valid(patch(client, "dress-red", {"price": number}), responses.ProductWithImages)
    assert after["price"] == text
    assert after["amount"] == float(text)


@pytest.mark.parametrize("price", [-1, 1e13, True, [1]])
def test_a_price_that_is_none_is_refused(client: httpx.Client, price: object) -> None:
    assert "price: " in problem(patch(client, "dress-red", {"price": price}), 422)["detail"]


def test_a_new_category_is_searched_at_once(client: httpx.Client, home: Path) -> None:
    with ss.open(home) as elsewhere:
        assert patch(client, "dress-red", {"category": "gown", "title": "A gown"}).status_code == 200
        assert ids(post_photo(client, category="gown").json()) == ["dress-red"]
        assert "dress-red" not in ids(post_photo(client, category="dress").json())
        assert elsewhere.query(RED, k=1, category="gown", regions="whole")[0].product.title == "A gown"
    assert best(client, RED) == "dress-red"


def test_putting_again_takes_back_what_was_patched(client: httpx.Client) -> None:
    put(client, "dress-red", RED, title="Put", category="dress", price="5", in_stock=True)
    patch(client, "dress-red", {"title": "Patched", "attributes": {"color": "red"}})
    after = put(client, "dress-red", RED, title="Put", category="dress").json()
    assert (after["title"], after["attributes"], after["in_stock"]) == ("Put", {"fabric": "silk"}, None)
    assert after["price"] == "19.90", "the table has one"


def test_ids_with_slashes_are_patched_too(client: httpx.Client) -> None:
    assert patch(client, "skirt-pink%2Fpurple", {"price": "1"}).json()["id"] == "skirt-pink/purple"


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        ({"title": None}, 422, "title: "),
        ({"title": ""}, 422, "title: "),
        ({"category": None}, 422, "category: "),
        ({"category": "a\nb"}, 422, "category: "),
        ({"price": True}, 422, "price: "),
        ({"in_stock": "yes"}, 422, "in_stock: "),
        ({"in_stock": 1}, 422, "in_stock: "),
        ({"url": "javascript:alert(1)"}, 422, "url: "),
        ({"variants": [{"url": "javascript:alert(1)"}]}, 422, "variants.0.url: "),
        ({"variants": [{"options": {"": "x"}}]}, 422, "variants.0.options"),
        ({"variants": [{"id": "\0"}]}, 422, "variants.0.id: "),
        ({"variants": [{}] * 1001}, 422, "variants: "),
        ({"variants": [{"options": {"color": "x" * 200}}] * 500}, 422, "variants: more than 65536 bytes"),
        ({"attributes": {"a": "\ud800"}}, 422, "attributes: "),
        ({"attributes": {"a": "x" * 70_000}}, 422, "attributes: "),
        ({"images": []}, 422, "images: "),
        ({"id": "other"}, 422, "id: "),
        ({"amount": 5}, 422, "amount: "),
        ([], 422, "not an object"),
    ],
)
def test_changes_that_make_no_sense_are_refused(
    client: httpx.Client, change: Any, status: int, words: str
) -> None:
    before = client.get("/v1/products/dress-red").json()
    assert words in problem(patch(client, "dress-red", change), status)["detail"]
    assert client.get("/v1/products/dress-red").json() == before


def test_who_may_not_and_what_is_not_there(client: httpx.Client, shop: Workspace) -> None:
    for headers in ({}, {"X-API-Key": "wrong-key-0123456789"}):
        answer = client.patch("/v1/products/dress-red", content=b"{", headers=headers)
        assert answer.status_code == 401
    told = problem(patch(client, "nothing", {"price": "1"}), 404)
    assert told["hint"] == "GET /v1/products lists all"
    broken = client.patch(
        "/v1/products/dress-red", content=b"{", headers={**AUTHORIZED, "Content-Type": "application/json"}
    )
    assert problem(broken, 400)
    typed = {**AUTHORIZED, "Content-Type": "application/merge-patch+json"}
    assert client.patch("/v1/products/dress-red", content=b"{}", headers=typed).status_code == 200
    form = client.patch("/v1/products/dress-red", files={"price": (None, "1")}, headers=AUTHORIZED)
    assert problem(form, 415)
    with serving(shop) as without_key:
        assert patch(without_key, "dress-red", {}).status_code == 403


def test_while_another_process_writes_one_is_told_to_come_back(
    client: httpx.Client, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "LOCK_SECONDS", 0.1)
    with ss.open(home) as elsewhere, elsewhere.catalog.writing():
        answer = patch(client, "dress-red", {"price": "1"})
    assert problem(answer, 503)["reason"] == "locked"
    assert int(answer.headers["retry-after"]) >= 1
    assert client.get("/v1/products/dress-red").json()["price"] == "19.90"


def test_a_price_that_a_table_no_longer_says_stays_as_it_was_patched(
    client: httpx.Client, home: Path, table: Path, tmp_path: Path
) -> None:
    assert patch(client, "dress-red", {"price": "5.00 EUR"}).status_code == 200
    with table.open(newline="") as file:
        rows = [[cell for number, cell in enumerate(row) if number != 5] for row in csv.reader(file)]
    shorter = table.with_name("shorter.csv")
    with shorter.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    with ss.open(home) as elsewhere:
        elsewhere.ingest(shorter)
    assert client.get("/v1/products/dress-red").json()["price"] == "5.00 EUR"
