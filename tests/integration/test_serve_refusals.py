"""What the REST API refuses, and with which words."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

import stylesearch as ss
from stylesearch.serving.api import responses
from tests.integration.live_server import serving
from tests.integration.serve_answers import RED, post_photo, problem, valid
from tests.integration.tiny_shop import draw, ingest_tiny_shop, png


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    with ss.open(ingest_tiny_shop(tmp_path_factory.mktemp("tiny"))) as shop, serving(shop) as client:
        yield client


@pytest.mark.parametrize(
    ("fields", "status", "words"),
    [
        ({"k": "0"}, 422, "k: "),
        ({"k": "101"}, 422, "k: at most 100"),
        ({"k": "5.5"}, 422, "k: "),
        ({"k": "9" * 5000}, 422, "k: "),
        ({"box": "1,2,3"}, 422, "box: "),
        ({"box": "9,9,1,1"}, 422, "box: "),
        ({"box": "nan,0,1,1"}, 422, "box: "),
        ({"box": "5000,5000,6000,6000"}, 422, "outside the picture"),
        ({"box": "-20,-20,0,50"}, 422, "outside the picture"),
        ({"category": ""}, 422, "category: "),
        ({"category": "d\0"}, 422, "category: "),
        ({"category": "shoe"}, 404, "shoe"),
        ({"space": "cosmic"}, 422, "cosmic"),
        ({"space": "siamese:none"}, 422, "none"),
        ({"space": "siamese:../../etc"}, 422, ""),
        ({"metric": "miles"}, 422, "miles"),
        ({"color": "red"}, 422, "color: "),
        ({"explain": "yes"}, 422, "explain: "),
    ],
)
def test_what_is_wrong_is_named(
    client: httpx.Client, fields: dict[str, str], status: int, words: str
) -> None:
    assert words in problem(post_photo(client, **fields), status)["detail"]


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"k": "5"}, 422),
        ({"k": True}, 422),
        ({"k": 10**200}, 422),
        ({"explain": "true"}, 422),
        ({"box": "1,2,3,4"}, 422),
        ({"box": [1, 2, 3, 4, 5]}, 422),
        ({"category": "\ud800"}, 422),
        ({"category": 5}, 422),
        ({"image": "not base64!"}, 422),
        ({"image": ["x"]}, 422),
        ({"image": None}, 422),
        ({"image": ""}, 415),
        ({"image": base64.b64encode(b"<svg/>").decode()}, 415),
        ({"nested": {"a": []}}, 422),
        ({"k": 5.0}, 200),
    ],
)
def test_json_is_taken_by_its_word(client: httpx.Client, change: dict[str, Any], status: int) -> None:
    body = {"image": base64.b64encode(RED).decode(), **change}
    answer = client.post("/v1/search", content=json.dumps(body), headers={"Content-Type": "application/json"})
    if status == 200:
        valid(answer, responses.SearchResult)
    else:
        problem(answer, status)


@pytest.mark.parametrize(
    ("files", "status"),
    [
        ([("image", ("x", RED)), ("image", ("y", RED))], 422),
        ([("picture", ("x", RED))], 422),
        ([("image", (None, "a text"))], 422),
        ([("image", ("x", b""))], 415),
        ([("image", ("x", png(draw((9, 9, 9), size=(8, 40)))))], 422),
        ([("image", ("x", RED[: len(RED) // 2]))], 415),
        ([("image", ("x", RED))] + [(f"f{n}", (None, "")) for n in range(40)], 413),
        ([("image", ("x", RED)), ("category", (None, b"\xff\xfe"))], 422),
        ([("image", ("x", RED)), ("category", (None, "a" * 70_000))], 422),
        ([("image", ("x", RED)), ("k", (None, "5")), ("k", (None, "6"))], 422),
    ],
)
def test_forms_that_say_something_else_are_refused(client: httpx.Client, files: Any, status: int) -> None:
    problem(client.post("/v1/search", files=files), status)


SEARCH_FIELDS = "k, category, space, metric, explain, where, facets, region, image, box"


@pytest.mark.parametrize(
    ("path", "files", "detail", "hint"),
    [
        (
            "/v1/search",
            [("file", ("x.jpg", RED))],
            f"file: no such field; known are {SEARCH_FIELDS}",
            "send the picture in the field image",
        ),
        (
            "/v1/search",
            [("images", ("x.jpg", RED))],
            f"images: no such field; known are {SEARCH_FIELDS}",
            "send the picture in the field image",
        ),
        (
            "/v1/search",
            [("image", ("x.jpg", RED)), ("categroy", (None, "dress"))],
            f"categroy: no such field; known are {SEARCH_FIELDS}",
            "did you mean category?",
        ),
        (
            "/v1/search/batch",
            [("image", ("x.jpg", RED))],
            "image: no such field; "
            "known are k, category, space, metric, explain, where, facets, region, images",
            "send the picture in the field images",
        ),
        (
            "/v1/detect",
            [("photo", ("x.jpg", RED))],
            "photo: no such field; known are image",
            "send the picture in the field image",
        ),
    ],
)
def test_a_form_with_another_field_is_told_which_there_are(
    client: httpx.Client, path: str, files: Any, detail: str, hint: str
) -> None:
    refused = problem(client.post(path, files=files), 422)
    assert (refused["detail"], refused["hint"]) == (detail, hint)


@pytest.mark.parametrize(
    ("path", "body", "detail", "hint"),
    [
        (
            "/v1/search",
            {"picture": "aGk=", "k": 0},
            f"picture: no such field; known are {SEARCH_FIELDS}",
            None,
        ),
        (
            "/v1/search",
            {"img": "aGk="},
            f"img: no such field; known are {SEARCH_FIELDS}",
            "did you mean image?",
        ),
        ("/v1/detect", {"Image": "aGk="}, "Image: no such field; known are image", "did you mean image?"),
        ("/v1/search/batch", {"k": 3}, "images: is missing", None),
    ],
)
def test_json_with_another_field_is_told_which_there_are(
    client: httpx.Client, path: str, body: Any, detail: str, hint: str | None
) -> None:
    refused = problem(client.post(path, json=body), 422)
    assert (refused["detail"], refused.get("hint")) == (detail, hint)


def test_a_parameter_that_there_is_not_is_named(client: httpx.Client) -> None:
    refused = problem(client.get("/v1/products", params={"colour": "red"}), 422)
    assert refused["detail"] == "colour: no such parameter"


@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [
        (b"", {}, 415),
        (RED, {"Content-Type": "image/jpeg"}, 415),
        (b"image=x", {"Content-Type": "application/x-www-form-urlencoded"}, 415),
        (b"{}", {"Content-Type": "application/json; charset=utf-16"}, 415),
        (b"{}", {"Content-Type": "application/json", "Content-Encoding": "gzip"}, 415),
        (b"{}", {"Content-Type": "application/json"}, 422),
        (b"[]", {"Content-Type": "application/json"}, 422),
        (b"{", {"Content-Type": "application/json"}, 400),
        (b"[" * 9_000, {"Content-Type": "application/json"}, 400),
        (b"[" * 200_000, {"Content-Type": "application/json"}, 413),
        (b"--x", {"Content-Type": "multipart/form-data"}, 400),
        (b"nothing", {"Content-Type": "multipart/form-data; boundary=x"}, 400),
    ],
)
def test_bodies_of_other_kinds_are_refused(
    client: httpx.Client, content: bytes, headers: dict[str, str], status: int
) -> None:
    for path in ("/v1/search", "/v1/search/batch"):
        problem(client.post(path, content=content, headers=headers), status)


@pytest.mark.parametrize(
    "query",
    ["k=0", "k=x", "k=1&k=2", "limit=5", "unknown=1", "category=", "metric=miles", "space=%00", "k=%F0%9F"],
)
def test_queries_are_taken_strictly(client: httpx.Client, query: str) -> None:
    problem(client.get(f"/v1/products/dress-red/similar?{query}"), 422)


def test_what_is_wrong_for_a_whole_batch_is_said_once(client: httpx.Client) -> None:
    photos = [("images", ("x", RED)), ("images", ("y", b"no picture"))]
    for fields, status in (
        ({"metric": "miles"}, 422),
        ({"space": "cosmic"}, 422),
        ({"category": "shoe"}, 404),
    ):
        problem(client.post("/v1/search/batch", files=photos, data=fields), status)


def test_what_is_not_there_is_not_found(client: httpx.Client) -> None:
    for path in ("/nothing", "/v1", "/v1/products/nothing", "/v1/products/nothing/similar", "/assets/x.js"):
        problem(client.get(path), 404)
    problem(client.get("/v1/products", params={"category": "shoe"}), 404)
    assert "shoe" in problem(post_photo(client, category="shoe"), 404)["detail"]


@pytest.mark.parametrize("product_id", ["%00", "a%00b", "x" * 1001])
def test_ids_that_no_product_can_have(client: httpx.Client, product_id: str) -> None:
    problem(client.get(f"/v1/products/{product_id}"), 422)
    problem(client.get(f"/v1/products/{product_id}/similar"), 422)


def test_methods_that_a_path_does_not_know(client: httpx.Client) -> None:
    for method, path, allowed in (
        ("GET", "/v1/search", "POST"),
        ("POST", "/v1/products", "GET, HEAD"),
        ("POST", "/v1/products/dress-red", "DELETE, GET, HEAD, PATCH, PUT"),
        ("GET", "/v1/webhooks/shopify", "POST"),
        ("DELETE", "/v1/products/dress-red/similar", "GET, HEAD"),
        ("OPTIONS", "/v1/categories", "GET, HEAD"),
        ("TRACE", "/health", "GET, HEAD"),
    ):
        answer = client.request(method, path)
        problem(answer, 405)
        assert answer.headers["allow"] == allowed
