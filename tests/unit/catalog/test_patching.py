"""Single fields of a product are changed, whatever source said them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from stylesearch.catalog import Catalog, Change, Patch, ProductChange, Writer
from stylesearch.catalog.source_reader import API
from stylesearch.listing import Listing
from stylesearch.types import Product, Variant

RED = Product(
    "red",
    "Red dress",
    "Dresses",
    "https://shop.example/red",
    "19.90 EUR",
    {"color": "red", "fit": "slim"},
    True,
)


@pytest.fixture
def red(writer: Writer) -> Product:
    with writer.transaction():
        writer.upsert_products([RED], source="shop.csv")
    return RED


def patch(writer: Writer, patch: Patch, product_id: str = "red") -> ProductChange:
    with writer.transaction():
        return writer.patch_products({product_id: patch}, source=API)[product_id]


def test_what_is_said_changes_and_the_rest_stays(catalog: Catalog, writer: Writer, red: Product) -> None:
    change = patch(writer, Patch({"price": "9.90 EUR", "attributes.fit": "wide", "attributes.size": "M"}))
    assert change == ProductChange(
        Change.CHANGED,
        {
            "price": ("19.90 EUR", "9.90 EUR"),
            "attributes.fit": ("slim", "wide"),
            "attributes.size": (None, "M"),
        },
    )
    attributes = {"color": "red", "fit": "wide", "size": "M"}
    assert catalog.product("red") == replace(red, price="9.90 EUR", attributes=attributes)
    assert catalog.product("red").amount == 9.9
    assert patch(writer, Patch({"price": "9.90 EUR"})) == ProductChange(Change.UNCHANGED)


def test_what_is_cleared_is_gone_whoever_said_it(catalog: Catalog, writer: Writer, red: Product) -> None:
    patch(writer, Patch({"attributes.size": "M"}))
    patch(writer, Patch(cleared=frozenset({"price", "url", "attributes.color", "attributes.size"})))
    assert catalog.product("red") == replace(red, price=None, url=None, attributes={"fit": "slim"})
    said = {one.source: one.said for one in catalog.sources.said_of("red")}
    assert said[API] == {}
    assert said["shop.csv"]["price"] == "19.90 EUR", "what a table says is not changed"


@pytest.mark.parametrize("empty", ["", None, ()])
def test_an_empty_value_clears(catalog: Catalog, writer: Writer, red: Product, empty: Any) -> None:
    patch(writer, Patch({"variants": (Variant("1"),), "price": "5"}))
    patch(writer, Patch({"variants": empty, "price": empty}))
    assert (catalog.product("red").variants, catalog.product("red").price) == ((), None)


def test_all_attributes_are_cleared_but_those_that_are_said(
    catalog: Catalog, writer: Writer, red: Product
) -> None:
    patch(writer, Patch({"attributes.fit": "wide"}, clears_attributes=True))
    assert catalog.product("red") == replace(red, attributes={"fit": "wide"})


def test_what_was_cleared_comes_back_when_a_source_says_it_again(
    catalog: Catalog, writer: Writer, red: Product
) -> None:
    patch(writer, Patch({"title": "Ours"}, frozenset({"price"})))
    with writer.transaction():
        writer.upsert_products([Listing("red", {"price": "19.90 EUR"})], source="shop.csv")
    assert catalog.product("red") == replace(red, title="Ours")


def test_products_that_are_not_there_are_left_out(catalog: Catalog, writer: Writer, red: Product) -> None:
    with writer.transaction():
        changes = writer.patch_products({"red": Patch(), "blue": Patch({"price": "1"})}, source=API)
        assert writer.known_ids(["red", "blue"]) == {"red"}
    assert changes == {"red": ProductChange(Change.UNCHANGED)}


def test_the_category_to_search_in_is_that_of_the_map(catalog: Catalog, writer: Writer, red: Product) -> None:
    with writer.transaction():
        from sqlalchemy import insert

        from stylesearch.catalog.tables import category_map

        row = {"shop_category": "Gowns", "category": "dress"}
        writer.connection().execute(insert(category_map).values(row))
    patch(writer, Patch({"category": "Gowns"}))
    assert catalog.product("red").category == "dress"


def test_products_are_found_by_what_a_source_says(catalog: Catalog, writer: Writer, red: Product) -> None:
    with writer.transaction():
        said = [Listing(name, {"attributes.shopify_id": number}) for name, number in (("a", "1"), ("b", "2"))]
        writer.upsert_products(said, source="shopify")
        writer.upsert_products([Listing("c", {"attributes.shopify_id": "1"})], source="other")
    assert catalog.sources.ids_saying("shopify", "attributes.shopify_id", "1") == ["a"]
    assert catalog.sources.ids_saying("shopify", "attributes.shopify_id", "3") == []
    assert catalog.sources.ids_saying("shop.csv", "price", "19.90 EUR") == ["red"]
    assert catalog.sources.ids_saying("nobody", "price", "19.90 EUR") == []


VARIANTS = (Variant("1", {"size": "S"}, "69.00 EUR"), Variant("2", {"size": "M"}, "89.95 EUR"))


def prices(catalog: Catalog) -> tuple[str | None, float | None, float | None]:
    product = catalog.product("red")
    return product.price, product.amount, product.amount_max


def say(writer: Writer, source: str, **said: Any) -> ProductChange:
    with writer.transaction():
        return writer.upsert_products([Listing("red", said)], source=source)["red"][1]


def test_a_price_of_a_table_does_not_count_beside_those_of_all_variants(
    catalog: Catalog, writer: Writer
) -> None:
    say(writer, "shop.csv", title="Red", price="69.00 EUR", variants=VARIANTS)
    for _ in range(2):
        assert say(writer, "prices.csv", price="49.00 EUR").change is Change.UNCHANGED
    assert prices(catalog) == ("69.00 EUR", 69.0, 89.95)
    assert catalog.sources.said_of("red")[0].said == {"price": "49.00 EUR"}


def test_a_price_counts_for_the_variants_without_one(catalog: Catalog, writer: Writer) -> None:
    say(writer, "shop.csv", title="Red", variants=(*VARIANTS, Variant("3", {"size": "L"})))
    say(writer, "prices.csv", price="49.00 EUR")
    assert prices(catalog) == ("49.00 EUR", 49.0, 89.95)


def test_a_new_product_has_the_lowest_price_of_its_variants(catalog: Catalog, writer: Writer) -> None:
    say(writer, "shop.csv", title="Red", price="49.00 EUR", variants=VARIANTS)
    assert prices(catalog) == ("69.00 EUR", 69.0, 89.95)
    again = say(writer, "shop.csv", title="Red", price="49.00 EUR", variants=VARIANTS)
    assert again == ProductChange(Change.UNCHANGED)


def test_a_price_counts_again_when_the_variants_are_gone(catalog: Catalog, writer: Writer) -> None:
    say(writer, "shop.csv", title="Red", variants=VARIANTS)
    say(writer, "prices.csv", price="49.00 EUR")
    assert prices(catalog) == (None, 69.0, 89.95)
    with writer.transaction():
        writer.upsert_products([Listing("red", {"title": "Red", "variants": ()})], source="shop.csv")
    assert prices(catalog) == ("49.00 EUR", 49.0, 49.0)
