from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from stylesearch.catalog import Catalog, ImageEntry, Writer
from stylesearch.types import Domain, Product

Shop = dict[str, int]
Entry = Callable[..., ImageEntry]


@pytest.fixture
def with_unseen(writer: Writer, shop: Shop, store: Any, entry: Entry) -> None:
    """Products that have no picture to be shown: only a customer's, only a failed one, none at all."""
    worn = Product("worn", "Seen in the street", "street wear")
    store((worn, entry("worn", "/street/worn.jpg", domain=Domain.CONSUMER)))
    with writer.transaction():
        writer.upsert_products(
            [Product("bad", "Damaged", "dress"), Product("bare", "No picture", "hat")], source="shop"
        )
        writer.upsert_images([ImageEntry("bad", "/shop/bad.jpg", error="damaged")], source="shop")


def ids(products: list[Product]) -> list[str]:
    return [product.id for product in products]


def test_only_products_with_a_image_are_shown(catalog: Catalog, with_unseen: None) -> None:
    assert ids(catalog.shown.products()) == ["blue", "pleated", "red"]
    assert ids(catalog.shown.products(category="dress")) == ["blue", "red"]
    assert catalog.shown.products(category="hat") == []
    assert catalog.shown.counts() == {"dress": 2, "skirt": 1}


def test_pages_follow_each_other(catalog: Catalog, shop: Shop) -> None:
    assert ids(catalog.shown.products(limit=2)) == ["blue", "pleated"]
    assert ids(catalog.shown.products(after="pleated", limit=2)) == ["red"]
    assert ids(catalog.shown.products(after="c")) == ["pleated", "red"], "there need be no such product"
    assert ids(catalog.shown.products(category="dress", after="blue")) == ["red"]


def test_images_of_many_products_at_once(catalog: Catalog, with_unseen: None) -> None:
    found = catalog.shown.images(["red", "worn", "bad", "nothing", "red"])
    assert {product_id: [image.path for image in images] for product_id, images in found.items()} == {
        "red": ["/shop/red-1.jpg", "/shop/red-2.jpg"],
        "worn": [],
        "bad": [],
        "nothing": [],
    }
    assert catalog.shown.images([]) == {}


def test_images_by_their_digest(catalog: Catalog, with_unseen: None, store: Any, entry: Entry) -> None:
    store(
        (Product("twin", "The same dress", "dress"), entry("twin", "/shop/twin.jpg", "sha of /shop/blue.jpg"))
    )
    found = catalog.images_with_digest("sha of /shop/blue.jpg")
    assert [image.path for image in found] == ["/shop/blue.jpg", "/shop/twin.jpg"]
    assert catalog.images_with_digest("sha of /street/worn.jpg") == []
    (street,) = catalog.images_with_digest("sha of /street/worn.jpg", domain=None)
    assert street.domain is Domain.CONSUMER
    assert catalog.images_with_digest("nothing") == []


def test_whether_a_file_is_in_use(catalog: Catalog, shop: Shop, writer: Writer) -> None:
    assert catalog.is_in_use("sha of /shop/blue.jpg", "/shop/blue.jpg")
    assert not catalog.is_in_use("sha of /shop/blue.jpg", "/shop/elsewhere.jpg")
    assert not catalog.is_in_use("other", "/shop/blue.jpg")
    with writer.transaction():
        writer.remove_products(["blue"])
    assert not catalog.is_in_use("sha of /shop/blue.jpg", "/shop/blue.jpg")


def test_totals_count_everything(catalog: Catalog, with_unseen: None) -> None:
    assert catalog.totals() == (6, 6)
