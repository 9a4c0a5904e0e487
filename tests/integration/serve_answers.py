"""Reading what the service answers, and seeing to it that it is what OpenAPI describes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
from pydantic import BaseModel

from stylesearch.serving.api import responses
from tests.integration.tiny_shop import COLORS, KEY, draw, jpeg

__all__ = ["AUTHORIZED", "RED", "best", "ids", "post_photo", "problem", "put", "stored", "valid"]

AUTHORIZED = {"Authorization": f"Bearer {KEY}"}

RED = jpeg(draw(COLORS["dress"]["red"], seed=50))
"""A photo of the red dress, which is none of the shop's pictures."""


def valid(response: Any, model: type[BaseModel], status: int = 200) -> Any:
    """The answer, which is as OpenAPI describes it."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    model.model_validate(response.json(), strict=True)
    return response.json()


def problem(response: Any, status: int) -> dict[str, Any]:
    """The error, which is one."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = response.json()
    responses.ProblemModel.model_validate(body, strict=True)
    assert body["status"] == status
    assert body["request_id"] == response.headers["x-request-id"]
    return body


def ids(found: dict[str, Any]) -> list[str]:
    return [hit["product"]["id"] for hit in found["hits"]]


def post_photo(client: httpx.Client, photo: bytes = RED, **fields: str) -> Any:
    return client.post("/v1/search", files={"image": ("C:\\me\\..\\x.php", photo)}, data=fields)


def put(
    client: httpx.Client,
    product_id: str,
    *images: bytes,
    headers: dict[str, str] = AUTHORIZED,
    **product: Any,
) -> httpx.Response:
    """Puts a product with these pictures, as a form."""
    data = json.dumps({"title": "A coat", "category": "coat", **product})
    files = [("product", (None, data)), *(("images", ("../../evil.php", image)) for image in images)]
    return client.put(f"/v1/products/{product_id}", files=files, headers=headers)  # type: ignore[arg-type]


def best(client: httpx.Client, photo: bytes, **fields: str) -> str:
    """The id of the product that a photo finds first."""
    found = client.post("/v1/search", files={"image": ("x", photo)}, data={"k": "1", **fields}).json()
    return str(found["hits"][0]["product"]["id"])


def stored(home: Path) -> set[str]:
    """Names of the files that were put in."""
    return {path.name for path in (home / "uploads").rglob("*") if path.is_file()}
