"""The OpenAPI document of a shop that runs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest

import stylesearch as ss
from stylesearch.serving.api import responses
from stylesearch.serving.settings import ServiceSettings
from tests.integration.live_server import serving
from tests.integration.tiny_shop import KEY, ingest_tiny_shop


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    home = ingest_tiny_shop(tmp_path_factory.mktemp("tiny"))
    with ss.open(home) as shop, serving(shop, ServiceSettings(api_keys=(KEY,), max_k=50)) as client:
        yield client


def test_the_description_has_what_this_shop_has(client: httpx.Client) -> None:
    answer = client.get("/openapi.json")
    document = answer.json()
    names = {name for path in document["paths"].values() for name in path}
    assert names == {"get", "post", "put", "patch", "delete"}
    (space,) = (
        one["schema"]
        for one in document["paths"]["/v1/products/{id}/similar"]["get"]["parameters"]
        if one["name"] == "space"
    )
    assert space["enum"] == ["mixed", "raw", "whitened"]
    unchanged = client.get("/openapi.json", headers={"If-None-Match": answer.headers["etag"]})
    assert unchanged.status_code == 304


def test_examples_of_the_description_work(client: httpx.Client) -> None:
    document = client.get("/openapi.json").json()
    for path, operations in document["paths"].items():
        examples = {one["name"]: one for one in operations.get("get", {}).get("parameters", [])}
        for name in re.findall(r"{(\w+)}", path):
            path = path.replace(f"{{{name}}}", quote(examples[name]["example"], safe=""))
        query = {"category": examples["category"]["example"]} if "category" in examples else {}
        if "get" in operations:
            assert client.get(path, params=query).status_code == 200, path
    for path in ("/v1/search", "/v1/search/batch", "/v1/detect"):
        example = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]["example"]
        assert client.post(path, json=example).status_code == 200
    schemas = document["components"]["schemas"]
    for name in schemas:
        example = _example({"$ref": f"#/components/schemas/{name}"}, schemas)
        getattr(responses, name).model_validate(example, strict=True)


def _example(schema: dict[str, Any], schemas: dict[str, Any]) -> Any:
    """The value that a reader is shown: examples of the fields, put together."""
    if "$ref" in schema:
        return _example(schemas[schema["$ref"].rpartition("/")[2]], schemas)
    for name in ("const", "default"):
        if name in schema:
            return schema[name]
    if "examples" in schema:
        return schema["examples"][0]
    if "anyOf" in schema:
        return _example(schema["anyOf"][0], schemas)
    if schema["type"] == "object":
        return {name: _example(field, schemas) for name, field in schema["properties"].items()}
    if schema["type"] == "array":
        return [_example(schema["items"], schemas)]
    assert schema["type"] == "boolean", schema
    return True


def test_the_example_of_a_new_product_works_and_harms_nothing(client: httpx.Client) -> None:
    before = client.get("/v1/categories").json()["products"]
    operations = client.get("/openapi.json").json()["paths"]["/v1/products/{id}"]
    put, delete = (operations[method]["parameters"][0]["example"] for method in ("put", "delete"))
    body = operations["put"]["requestBody"]["content"]["application/json"]["example"]
    headers = {"X-API-Key": KEY}
    assert client.put(f"/v1/products/{put}", json=body, headers=headers).status_code == 201
    assert client.delete(f"/v1/products/{delete}", headers=headers).status_code == 204
    assert client.get("/v1/categories").json()["products"] == before


def test_limits_are_those_of_this_server(client: httpx.Client) -> None:
    operation = client.get("/openapi.json").json()["paths"]["/v1/search"]["post"]
    for body in operation["requestBody"]["content"].values():
        assert body["schema"]["properties"]["k"]["maximum"] == 50


def test_what_any_route_may_answer_is_described(client: httpx.Client) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    for path, operations in paths.items():
        for operation in operations.values():
            assert {"413", "421", "500"} <= operation["responses"].keys(), path
    for path in ("/v1/images/{hash}", "/v1/images/{hash}/thumbnail"):
        assert "Retry-After" in paths[path]["get"]["responses"]["503"]["headers"]
