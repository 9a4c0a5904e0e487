"""A damaged catalog is a 503 of every endpoint, ``unusable``, and never a 500; ``/ready`` says so too."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

import stylesearch as ss
from stylesearch.serving.settings import ServiceSettings
from tests.integration.damages import FILE_DAMAGES, ROW_DAMAGES, SCHEMA_DAMAGES, damage
from tests.integration.live_server import serving
from tests.integration.serve_answers import AUTHORIZED, post_photo, problem, put
from tests.integration.tiny_shop import KEY, draw, ingest_tiny_shop, png

READING = ("/v1/products", "/v1/products/dress-red", "/v1/products/dress-red/similar", "/v1/categories")

TOLD = {
    "a title that is no UTF-8": ["/v1/products", "/v1/products/dress-red"],
    "attributes that are no JSON": ["/v1/products", "/v1/products/dress-red"],
    "a box that is none": ["/v1/products", "/v1/products/dress-red"],
    "a flipped bit of a vector": ["/v1/products/dress-red/similar"],
    # Products by category are counted by whoever writes.
    "no table of products": [*(path for path in READING if path != "/v1/categories"), "photo"],
    "no table of counts": ["/v1/categories"],
    "pages of noise": [*READING, "photo"],
}
"""Requests that certainly come upon a damage."""


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ingest_tiny_shop(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def home(tiny: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny, tmp_path / "home"))


def answers(client: httpx.Client) -> Iterator[tuple[str, httpx.Response]]:
    """Asks for all that reads or changes products."""
    yield "photo", post_photo(client, k="6")
    for path in READING:
        yield path, client.get(path)
    for path in ("/v1/products?category=dress", "/metrics", "/v1/page"):
        yield path, client.get(path)
    sha256 = "0" * 64
    yield "image", client.get(f"/v1/images/{sha256}")
    yield "thumbnail", client.get(f"/v1/images/{sha256}/thumbnail")
    lines = json.dumps({"id": "dress-blue", "price": "5 EUR"}).encode()
    bulk = {**AUTHORIZED, "Content-Type": "application/jsonl"}
    yield "bulk", client.post("/v1/products/bulk", content=lines, headers=bulk)
    yield "patch", client.patch("/v1/products/dress-red", json={"price": "5 EUR"}, headers=AUTHORIZED)
    yield "put", put(client, "coat", png(draw((9, 9, 9))))
    yield "delete", client.delete("/v1/products/dress-green", headers=AUTHORIZED)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::stylesearch.search.IndexWarning")
@pytest.mark.parametrize("name", [*ROW_DAMAGES, *SCHEMA_DAMAGES, *FILE_DAMAGES])
def test_every_endpoint_answers_or_says_unusable(home: Path, name: str) -> None:
    damage(home, name)
    with ss.open(home) as shop:
        try:
            with serving(shop, ServiceSettings(api_keys=(KEY,))) as client:
                check_all(client, name)
        except AssertionError as error:
            raise AssertionError(f"{name}: {error}") from error


def check_all(client: httpx.Client, name: str) -> None:
    told = set()
    for asked, answer in answers(client):
        assert answer.status_code != 500, f"{asked}: {answer.text}"
        if answer.status_code == 503 and not asked.startswith("/ready"):
            assert problem(answer, 503)["reason"] == "unusable", f"{asked}: {answer.text}"
            told.add(asked)
        elif asked == "bulk":
            for line in answer.text.splitlines():
                assert json.loads(line)["status"] != 500, line
    missed = set(TOLD.get(name, ())) - told
    assert not missed, f"{missed} say nothing"
    if told:
        assert client.get("/ready").status_code == 503
    assert client.get("/health").status_code == 200
