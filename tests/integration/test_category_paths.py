"""A category above others stands for them in every search and list."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

import stylesearch as ss
from stylesearch.errors import NotInCatalog
from stylesearch.serving.settings import ServiceSettings
from tests.integration.conftest import Command
from tests.integration.live_server import serving
from tests.integration.serve_answers import RED, ids, post_photo, problem
from tests.integration.tiny_shop import COLORS, ingest_tiny_shop

IDS = [f"{category}-{color}" for category in sorted(COLORS) for color in sorted(COLORS[category])]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = ingest_tiny_shop(tmp_path_factory.mktemp("tiny"))
    with ss.open(home) as shop:
        shop.categories.map({"dress": "Damen > Kleider", "skirt": "Damen > Kleider > Kurz"})
    return home


@pytest.fixture(scope="module")
def client(home: Path) -> Iterator[httpx.Client]:
    with ss.open(home) as shop, serving(shop, ServiceSettings()) as client:
        yield client


@pytest.mark.parametrize(
    ("category", "expected"),
    [
        ("Damen", IDS),
        ("Damen>Kleider", IDS),
        ("Damen > Kleider > Kurz", [one for one in IDS if one.startswith("skirt")]),
    ],
)
def test_a_search_takes_the_categories_below_along(
    stylesearch: Command, home: Path, tmp_path: Path, client: httpx.Client, category: str, expected: list[str]
) -> None:
    photo = tmp_path / "red.jpg"
    photo.write_bytes(RED)
    printed = stylesearch("--home", home, "query", photo, "-c", category, "--json").json
    assert sorted(hit["product"] for hit in printed["hits"]) == expected
    assert sorted(ids(post_photo(client, category=category).json())) == expected
    listed = client.get("/v1/products", params={"category": category}).json()
    assert [one["id"] for one in listed["products"]] == expected
    like = client.get("/v1/products/dress-red/similar", params={"category": category}).json()
    assert sorted(ids(like)) == [one for one in expected if one != "dress-red"]


def test_the_nearest_of_several_categories_is_first(home: Path) -> None:
    with ss.open(home) as shop:
        whole = shop.query(RED, k=6, regions="whole")
        found = shop.query(RED, k=6, category="Damen", regions="whole")
        assert [(one.product.id, one.distance) for one in found] == [
            (one.product.id, one.distance) for one in whole
        ]
        with pytest.raises(NotInCatalog, match="no category is called 'Dame'"):
            shop.query(RED, category="Dame")


def test_a_category_of_no_product_is_an_error(client: httpx.Client) -> None:
    for category in ("Dam", "Damen > Röcke", "Kleider"):
        assert "no category" in problem(post_photo(client, category=category), 404)["detail"]
        found = client.get("/v1/products", params={"category": category})
        assert "no category" in problem(found, 404)["detail"]
