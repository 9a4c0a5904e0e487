"""Products as Shopify's webhooks send them become what its CSV export says of them."""

from __future__ import annotations

from typing import Any

import pytest

from stylesearch.importers.base import ImportOptions
from stylesearch.serving.problems import Problem
from stylesearch.serving.products.shopify_product import read_product
from stylesearch.types import Variant


def payload(**changes: Any) -> dict[str, Any]:
    """A coat in two colors, of which the navy one has a picture of its own."""
    return {
        "id": 632910392,
        "title": "Wool  coat",
        "body_html": "<p>Warm.</p>",
        "vendor": "Rag & Co",
        "product_type": "Women > Coats",
        "handle": "wool-coat",
        "updated_at": "2026-11-29T10:00:00-05:00",
        "published_at": "2026-11-01T10:00:00-05:00",
        "status": "active",
        "tags": "Wool, Winter",
        "options": [{"name": "Colour", "position": 1}, {"name": "Size", "position": 2}],
        "variants": [
            variant(1, "C-N", "Navy", "M", price="89.00", compare_at_price="120.00", inventory_quantity=0),
            variant(2, "C-N-L", "Navy", "L", price="89.00", inventory_quantity=0),
            variant(3, "C-R", "Rust", "M", price="99.00", inventory_quantity=4, image_id=12),
        ],
        "images": [
            {"id": 11, "src": "https://cdn.example/navy.jpg?v=1", "variant_ids": [1, 2]},
            {"id": 12, "src": "//cdn.example/rust one.jpg", "variant_ids": []},
            {"id": 13, "src": "https://cdn.example/back.jpg", "variant_ids": []},
            {"id": 14, "src": "https://cdn.example/back.jpg", "variant_ids": [3]},
        ],
        **changes,
    }


def variant(number: int, sku: str, *values: str, **more: Any) -> dict[str, Any]:
    options = {f"option{n}": value for n, value in enumerate(values, 1)}
    return {
        "id": number,
        "sku": sku,
        "inventory_policy": "deny",
        "inventory_management": "shopify",
        "image_id": None,
        **options,
        **more,
    }


def said_of(payload: dict[str, Any], options: ImportOptions | None = None) -> dict[str, Any]:
    (listing,) = read_product(payload, options).listings
    return dict(listing.said)


def test_a_product_with_variants() -> None:
    found = read_product(payload())
    (listing,) = found.listings
    assert (listing.id, listing.place) == ("wool-coat", "shopify:632910392")
    assert not listing.is_whole, "what an export says beside stays"
    assert listing.said == {
        "title": "Wool coat",
        "category": "Women > Coats",
        "price": "89.00",
        "in_stock": True,
        "variants": (
            Variant("C-N", {"color": "Navy", "size": "M"}, "89.00", False),
            Variant("C-N-L", {"color": "Navy", "size": "L"}, "89.00", False),
            Variant("C-R", {"color": "Rust", "size": "M"}, "99.00", True),
        ),
        "attributes.vendor": "Rag & Co",
        "attributes.tags": ["Wool", "Winter"],
        "attributes.regular_price": "120.00",
        "attributes.sku": None,
    }
    assert [(one.product, one.path, one.options) for one in found.images] == [
        (listing, "https://cdn.example/navy.jpg?v=1", {"color": "Navy"}),
        (listing, "https://cdn.example/rust%20one.jpg", {"color": "Rust", "size": "M"}),
        (listing, "https://cdn.example/back.jpg", {"color": "Rust", "size": "M"}),
    ]


def test_a_product_that_is_sold_in_one_way_only() -> None:
    only = variant(1, "C-1", "Default Title", price="10.00", inventory_quantity=0)
    said = said_of(payload(variants=[only], options=[{"name": "Title"}]))
    assert [said[name] for name in ("price", "in_stock", "variants", "attributes.sku")] == [
        *("10.00", False, (), "C-1")
    ]
    assert said["attributes.regular_price"] is None


@pytest.mark.parametrize(
    ("more", "in_stock"),
    [
        ({"inventory_quantity": 1}, True),
        ({"inventory_quantity": -2}, False),
        ({"inventory_quantity": 0, "inventory_policy": "continue"}, True),
        ({"inventory_quantity": 0, "inventory_management": None}, True),
        ({}, None),
        ({"inventory_quantity": "many"}, None),
    ],
)
def test_what_can_be_bought(more: dict[str, Any], in_stock: bool | None) -> None:
    said = said_of(payload(variants=[variant(1, "", "Navy", **more)]))
    assert said.get("in_stock") is in_stock


@pytest.mark.parametrize(
    ("changes", "is_shown"),
    [
        ({}, True),
        ({"status": "draft"}, False),
        ({"status": "archived"}, False),
        ({"published_at": None}, False),
    ],
)
def test_what_customers_see(changes: dict[str, Any], is_shown: bool) -> None:
    found = read_product(payload(**changes))
    assert (len(found.listings), len(found.images)) == ((1, 3) if is_shown else (0, 0))
    assert found.hidden_ids == {"wool-coat"}
    assert read_product(payload(**changes), ImportOptions(unpublished=True)).listings


def test_the_category_of_shopify_stands_in_for_a_type() -> None:
    changed = payload(product_type="", category={"full_name": "Apparel &  Accessories>Clothing"})
    assert said_of(changed)["category"] == "Apparel & Accessories > Clothing"
    assert said_of(payload(product_type=None))["category"] is None


@pytest.mark.parametrize(
    "changes",
    [
        {"id": None},
        {"id": "632910392"},
        {"id": True},
        {"id": -1},
        {"id": 10**30},
        {"id": 1.5},
        {"handle": ""},
        {"handle": None},
        {"handle": []},
    ],
)
def test_a_product_without_its_names_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(Problem) as raised:
        read_product(payload(**changes))
    assert raised.value.status == 422


@pytest.mark.parametrize("value", [None, [], {}, 5, "x", [None, 5, "x", []], [{"id": {}}], [[[]]], True])
@pytest.mark.parametrize("name", ["title", "variants", "images", "options", "tags", "category", "vendor"])
def test_values_of_other_types_say_nothing(name: str, value: Any) -> None:
    found = read_product(payload(**{name: value}))
    assert [one.id for one in found.listings] == ["wool-coat"]


def test_addresses_that_are_no_web_pages_are_no_pictures() -> None:
    addresses = ["file:///etc/passwd", "javascript:alert(1)", "http://[", "", None, "https://x/" + "a" * 3000]
    images = [{"id": number, "src": address} for number, address in enumerate(addresses)]
    assert read_product(payload(images=images)).images == ()


def test_texts_can_be_stored() -> None:
    said = said_of(payload(title="a\0b\ud800 \n c", vendor="u\u0308" * 2000))
    assert said["title"] == "ab c"
    assert said["attributes.vendor"] == "\u00fc" * 1000


def test_it_is_read_with_the_options_of_its_source() -> None:
    said = said_of(payload(), ImportOptions(currency="EUR"))
    assert (said["price"], said["attributes.regular_price"]) == ("89.00 EUR", "120.00 EUR")
    assert [one.price for one in said["variants"]] == ["89.00 EUR", "89.00 EUR", "99.00 EUR"]
    gone = payload(variants=[variant(1, "C", "Default Title", price="1", inventory_quantity=0)])
    left_out = read_product(gone, ImportOptions(sold_out=False))
    assert (left_out.listings, left_out.images, left_out.hidden_ids) == ((), (), {"wool-coat"})
    apart = read_product(payload(), ImportOptions(variants="separate", sold_out=False))
    assert [(one.id, one.place, one.said["title"]) for one in apart.listings] == [
        ("C-R", "shopify:632910392", "Wool coat, Rust, M")
    ]
    assert {one.path for one in apart.images} == {
        "https://cdn.example/rust%20one.jpg",
        "https://cdn.example/back.jpg",
    }
    assert apart.hidden_ids == {"C-N", "C-N-L", "C-R"}


def test_a_product_that_gains_sizes_has_no_sku_of_its_own() -> None:
    assert said_of(payload())["attributes.sku"] is None
