"""Single fields of a product are changed, whatever source said them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from stylesearch.catalog import Catalog, Change, Patch, ProductChange, Writer
from stylesearch.catalog.pruning import Pruner
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


def test_a_product_is_found_by_its_place_which_stays_where_a_table_names_none(
    catalog: Catalog, writer: Writer, red: Product
) -> None:
    with writer.transaction():
        writer.upsert_products([Listing(name, place=f"shopify:{name}") for name in "ab"], source="shopify")
        writer.upsert_products([Listing("c", place="shopify:a")], source="other")
        writer.upsert_products([Listing("a", {"title": "A"})], source="shopify")
    assert catalog.sources.ids_at("shopify", "shopify:a") == ["a"]
    assert catalog.sources.ids_at("shopify", "shopify:c") == []
    assert catalog.sources.ids_at("nobody", "shopify:a") == []
    with writer.transaction():
        writer.upsert_products([Listing("a", {"title": "A"}, place="shopify:9")], source="shopify")
    assert catalog.sources.ids_at("shopify", "shopify:a") == []
    assert catalog.sources.ids_at("shopify", "shopify:9") == ["a"]


def test_a_patch_comes_later_than_what_was_ingested_before_it(catalog: Catalog, writer: Writer) -> None:
    for source, price in (("a", "1"), (API, "2"), ("a", "3")):
        with writer.transaction():
            if source == API:
                writer.patch_products({"red": Patch({"price": price})}, source=API)
            else:
                writer.sources.note_ingest(source, path="", format="", options={})
                writer.upsert_products([Listing("red", {"price": price})], source=source)
    patch(writer, Patch({"price": "4"}))
    with writer.transaction():
        writer.upsert_products([Listing("red", {"price": "5"})], source="c")
        Pruner(writer, "c").unlist(["red"])
    assert catalog.product("red").price == "4", "not what the source said that came before the patch"


def test_a_run_is_counted_where_another_source_came_last(catalog: Catalog, writer: Writer) -> None:
    def runs() -> dict[str, int]:
        return {one.name: one.run for one in catalog.sources.all()}

    for name, expected in (
        ("a", {"a": 1}),
        ("a", {"a": 1}),
        ("b", {"a": 1, "b": 2}),
        ("a", {"a": 3, "b": 2}),
        ("a", {"a": 3, "b": 2}),
    ):
        with writer.transaction():
            writer.sources.count_run(name)
        assert runs() == expected


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
