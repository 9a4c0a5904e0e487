"""Many changes of products in one request: each line has its result, and a wrong one stops no other."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

import stylesearch as ss
from stylesearch.serving.api import bulk as api_bulk
from stylesearch.serving.api import responses
from stylesearch.serving.products import writer
from stylesearch.serving.settings import ServiceSettings
from stylesearch.workspace.workspace import Workspace
from tests.integration.live_server import serving
from tests.integration.serve_answers import AUTHORIZED, RED, ids, post_photo, problem, put, stored
from tests.integration.tiny_shop import COLORS, KEY, ingest_tiny_shop

# A category that was not there has no index yet: it is searched exactly, and a warning says so.
pytestmark = pytest.mark.filterwarnings("ignore::stylesearch.search.gallery.IndexWarning")

SETTINGS = ServiceSettings(api_keys=(KEY,))
LINES = {"Content-Type": "application/x-ndjson"}


@pytest.fixture(scope="module")
def ingested(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ingest_tiny_shop(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def home(ingested: Path, tmp_path: Path) -> Path:
    shutil.copytree(ingested, tmp_path / "home")
    return tmp_path / "home"


@pytest.fixture
def shop(home: Path) -> Iterator[Workspace]:
    with ss.open(home) as shop:
        yield shop


@pytest.fixture
def client(shop: Workspace) -> Iterator[httpx.Client]:
    with serving(shop, SETTINGS) as client:
        yield client


def send(client: httpx.Client, *lines: Any, **headers: str) -> httpx.Response:
    """Sends lines: bytes as they are, anything else as JSON."""
    body = b"\n".join(one if isinstance(one, bytes) else json.dumps(one).encode() for one in lines)
    return client.post("/v1/products/bulk", content=body, headers={**AUTHORIZED, **LINES, **headers})


def results(answer: httpx.Response) -> list[dict[str, Any]]:
    """The results, each as OpenAPI describes it."""
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/x-ndjson"
    found = [json.loads(line) for line in answer.text.splitlines()]
    for one in found:
        responses.BulkResult.model_validate(one, strict=True)
    return found


def test_each_line_has_its_result(client: httpx.Client, home: Path) -> None:
    image = put(client, "coat-1", RED).json()["images"][0]
    assert stored(home) == {f"{image['hash']}.jpg"}
    answer = send(
        client,
        {"id": "dress-red", "price": "9.90 EUR", "in_stock": False, "attributes": {"color": "red"}},
        b"",
        {"id": "dress-blue", "category": "gown"},
        {"id": "nothing", "price": "1"},
        b"{not json",
        {"id": "dress-red", "price": True},
        {"price": "1"},
        {"id": "coat-1", "delete": True},
        {"id": "dress-green", "delete": True, "price": "1"},
        {"id": "dress-green", "price": None},
        {"id": "dress-green"},
        {"id": "nothing", "delete": True},
    )
    found = results(answer)
    assert [(one["line"], one["id"], one["status"], one.get("change")) for one in found] == [
        (1, "dress-red", 200, "changed"),
        (3, "dress-blue", 200, "changed"),
        (4, "nothing", 404, None),
        (5, None, 400, None),
        (6, "dress-red", 422, None),
        (7, None, 422, None),
        (8, "coat-1", 204, "deleted"),
        (9, "dress-green", 422, None),
        (10, "dress-green", 200, "changed"),
        (11, "dress-green", 200, "unchanged"),
        (12, "nothing", 404, None),
    ]
    errors = [one["error"] for one in found if "error" in one]
    assert "no such product" in errors[0]
    assert "not JSON" in errors[1]
    assert "price: " in errors[2]
    assert "id: " in errors[3]
    assert "delete: " in errors[4]
    red = client.get("/v1/products/dress-red").json()
    assert (red["price"], red["amount"], red["in_stock"]) == ("9.90 EUR", 9.9, False)
    assert red["attributes"] == {"fabric": "silk", "color": "red"}
    assert ids(post_photo(client, category="gown").json()) == ["dress-blue"]
    assert client.get("/v1/products/dress-green").json()["price"] is None
    assert client.get("/v1/products/coat-1").status_code == 404
    assert stored(home) == set()


def test_a_line_that_is_refused_keeps_its_id(client: httpx.Client) -> None:
    variants = [{"id": "1", "price": "69.00"}, {"id": "2", "price": "89.95"}]
    answer = send(
        client,
        {"id": "dress-red", "foo": 1},
        {"id": "dress-red", "variants": variants},
        {"id": "dress-red", "price": "49.00"},
        {"id": 5, "price": "49.00"},
    )
    found = results(answer)
    assert [(one["id"], one["status"]) for one in found] == [
        ("dress-red", 422),
        ("dress-red", 200),
        ("dress-red", 422),
        (None, 422),
    ]
    assert "change the prices of the variants" in found[2]["error"]


def test_changes_of_one_product_are_done_in_their_order(client: httpx.Client) -> None:
    lines = [
        {"id": "dress-red", "price": "1"},
        {"id": "dress-red", "price": "2", "title": "Two"},
        {"id": "dress-red", "price": "3"},
        {"id": "dress-red", "delete": True},
        {"id": "dress-red", "price": "4"},
        {"id": "dress-red", "delete": True},
    ]
    found = results(send(client, *lines))
    assert [one["status"] for one in found] == [200, 200, 200, 204, 404, 404]


def test_more_lines_than_a_transaction_takes(client: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_bulk, "LINES_AT_ONCE", 7)
    names = [f"dress-{name}" for name in COLORS["dress"]]
    lines = [{"id": names[number % 3], "price": f"{number}.00"} for number in range(100)]
    found = results(send(client, *lines))
    assert [one["line"] for one in found] == list(range(1, 101))
    assert {one["status"] for one in found} == {200}
    assert [client.get(f"/v1/products/{name}").json()["price"] for name in names] == [
        *("99.00", "97.00", "98.00")
    ]


def test_lines_come_in_any_pieces(client: httpx.Client) -> None:
    body = (
        b'\xef\xbb\xbf\r\n{"id": "dress-red", "title": "R\xc3\xa4d"}\r\n\n{"id": "dress-blue", "price": "7"}'
    )

    def pieces() -> Iterator[bytes]:
        for byte in body:
            yield bytes([byte])

    answer = client.post("/v1/products/bulk", content=pieces(), headers={**AUTHORIZED, **LINES})
    assert [(one["line"], one["status"]) for one in results(answer)] == [(2, 200), (4, 200)]
    assert client.get("/v1/products/dress-red").json()["title"] == "R\u00e4d"


def limited(shop: Workspace, **limits: int) -> Any:
    return serving(shop, dataclasses.replace(SETTINGS, **limits))


def test_a_line_that_is_too_long_is_refused_alone(shop: Workspace) -> None:
    with limited(shop, bulk_max_line=200) as client:
        long = {"id": "dress-red", "title": "x" * 300}
        found = results(send(client, long, {"id": "dress-blue", "price": "1"}))
    assert [(one["line"], one["status"]) for one in found] == [(1, 413), (2, 200)]
    assert found[0]["error"] == "the line has more than 200 bytes"


def test_lines_behind_the_last_one_allowed_are_not_read(shop: Workspace) -> None:
    with limited(shop, bulk_max_lines=2) as client:
        answer = send(client, *[{"id": "dress-red", "price": str(number)} for number in range(5)])
        assert [(one["line"], one["status"]) for one in results(answer)] == [(1, 200), (2, 200), (3, 413)]
        assert "not read" in results(answer)[-1]["error"]
        assert client.get("/v1/products/dress-red").json()["price"] == "1"


def test_a_body_may_be_larger_than_that_of_other_routes_and_has_a_limit_too(shop: Workspace) -> None:
    with limited(shop, max_bytes=1024, bulk_max_bytes=200_000) as client:
        lines = [{"id": "dress-red", "title": "x" * 100, "price": str(number)} for number in range(20)]
        assert [one["status"] for one in results(send(client, *lines))] == [200] * 20
        assert problem(send(client, *lines * 100), 413)["detail"] == "the body has more than 200000 bytes"
        assert client.get("/v1/products/dress-red").json()["price"] == "19"

        def pieces() -> Iterator[bytes]:
            for line in lines * 100:
                yield json.dumps({**line, "price": "0"}).encode() + b"\n"

        answer = client.post("/v1/products/bulk", content=pieces(), headers={**AUTHORIZED, **LINES})
        found = results(answer)
        assert found[-1]["status"] == 413
        assert {one["status"] for one in found[:-1]} == {200}
        assert found[-1]["line"] == len(found)
        assert answer.headers["connection"] == "close"


def test_while_another_process_writes_nothing_is_read(
    client: httpx.Client, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "LOCK_SECONDS", 0.1)
    with ss.open(home) as elsewhere, elsewhere.catalog.writing():
        answer = send(client, {"id": "dress-red", "price": "1"})
    assert problem(answer, 503)["reason"] == "locked"
    assert int(answer.headers["retry-after"]) >= 1


def test_lines_whose_turn_comes_while_another_process_writes_say_so(
    client: httpx.Client, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "LOCK_SECONDS", 0.1)
    monkeypatch.setattr(api_bulk, "LINES_AT_ONCE", 1)
    really = writer.apply_changes
    with ss.open(home) as elsewhere:
        entered = elsewhere.catalog.writing()
        n_calls = 0

        def another_comes(*arguments: Any, **named: Any) -> Any:
            nonlocal n_calls
            n_calls += 1
            if n_calls == 2:
                entered.__enter__()
            if n_calls == 4:
                entered.__exit__(None, None, None)
            return really(*arguments, **named)

        monkeypatch.setattr(writer, "apply_changes", another_comes)
        found = results(send(client, *[{"id": "dress-red", "price": str(number)} for number in range(4)]))
    assert [one["status"] for one in found] == [200, 503, 503, 200]
    assert found[1]["id"] == "dress-red"
    assert found[1]["retry_after"] >= 1
    assert client.get("/v1/products/dress-red").json()["price"] == "3"


def test_too_many_at_once_are_told_to_come_back(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "MAX_BULKS", 0)
    assert problem(send(client, {"id": "dress-red"}), 503)["reason"] == "busy"


def test_who_may_not_and_what_is_no_json_lines(client: httpx.Client, shop: Workspace) -> None:
    line = {"id": "dress-red", "delete": True}
    assert problem(send(client, line, Authorization="Bearer wrong-key-0123456789"), 401)
    assert problem(send(client, line, **{"Content-Type": "application/json"}), 415)
    assert problem(send(client, line, **{"Content-Encoding": "gzip"}), 415)
    with serving(shop) as without_key:
        assert problem(send(without_key, line), 403)
    assert client.get("/v1/products/dress-red").status_code == 200
    assert results(send(client)) == []
    assert results(send(client, {"id": "x" * 1001}))[0]["status"] == 422
    deep = b'{"id": "dress-red", "attributes": {"a": ' + b"[" * 5000 + b"]" * 5000 + b"}}"
    assert results(send(client, deep))[0]["status"] in (400, 422)
    assert results(send(client, b'{"id": "\\ud800"}', b"[]", b"5", b"null"))[0]["status"] == 422


def test_a_product_that_is_called_bulk_is_a_product(client: httpx.Client) -> None:
    assert put(client, "bulk", RED).status_code == 201
    assert client.get("/v1/products/bulk").json()["id"] == "bulk"
    assert client.delete("/v1/products/bulk", headers=AUTHORIZED).status_code == 204
