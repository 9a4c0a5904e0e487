"""Several sources of one product: each changes only what it says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stylesearch.catalog import Catalog, Change, ProductChange, Writer
from stylesearch.errors import UnknownName
from stylesearch.listing import Listing
from stylesearch.types import Product, Variant

RED = Product(
    "red", "Red dress", "Women > Dresses", "https://shop.example/red", "19.90 EUR", {"color": "red"}, True
)


def say(writer: Writer, source: str, *listings: Listing | Product) -> ProductChange:
    """What the last of the listings changed."""
    with writer.transaction():
        return list(writer.upsert_products(listings, source=source).values())[-1][1]


@pytest.fixture
def red(writer: Writer) -> Product:
    say(writer, "shop.csv", RED)
    return RED


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"title": None, "category": None, "price": None, "url": None, "attributes.color": None},
        {"title": "", "variants": ()},
    ],
)
def test_what_another_source_does_not_say_stays(
    catalog: Catalog, writer: Writer, red: Product, said: dict[str, Any]
) -> None:
    change = say(writer, "street.csv", Listing("red", said, guesses={"title": "Red"}))
    assert change == ProductChange(Change.UNCHANGED)
    assert catalog.product("red") == red


def test_an_empty_cell_takes_back_what_the_same_source_said(
    catalog: Catalog, writer: Writer, red: Product
) -> None:
    change = say(writer, "shop.csv", Listing("red", {"price": None, "attributes.color": None}))
    assert change.fields == {"price": ("19.90 EUR", None), "attributes.color": ("red", None)}
    assert catalog.product("red") == replace(red, price=None, attributes={})
    assert catalog.product("red").amount is None


def test_a_column_that_is_gone_takes_nothing_back(catalog: Catalog, writer: Writer, red: Product) -> None:
    say(writer, "shop.csv", Listing("red", {"title": "Red dress"}))
    assert catalog.product("red") == red


def test_a_feed_that_leaves_a_field_out_takes_it_back(catalog: Catalog, writer: Writer, red: Product) -> None:
    say(writer, "shop.csv", Listing("red", {"title": "Red dress", "price": "9 EUR"}, is_whole=True))
    assert catalog.product("red") == Product("red", "Red dress", "uncategorized", price="9 EUR")


def test_of_two_sources_that_disagree_the_later_counts_and_it_is_said(
    catalog: Catalog, writer: Writer, red: Product
) -> None:
    change = say(writer, "feed.xml", Listing("red", {"price": "15 EUR", "title": "Red dress"}))
    assert change.fields == {"price": ("19.90 EUR", "15 EUR")}
    assert change.overruled == {"price": "shop.csv"}
    assert (catalog.product("red").price, catalog.product("red").amount) == ("15 EUR", 15.0)
    again = say(writer, "shop.csv", red)
    assert (again.fields, again.overruled) == ({"price": ("15 EUR", "19.90 EUR")}, {"price": "feed.xml"})


def test_what_is_taken_back_falls_to_the_other_source(catalog: Catalog, writer: Writer, red: Product) -> None:
    say(writer, "feed.xml", Listing("red", {"price": "15 EUR"}))
    say(writer, "feed.xml", Listing("red", {"price": None}))
    assert catalog.product("red") == red


def test_what_another_source_has_overruled_is_not_taken_back(
    catalog: Catalog, writer: Writer, red: Product
) -> None:
    say(writer, "feed.xml", Listing("red", {"price": "15 EUR"}))
    say(writer, "shop.csv", Listing("red", {"price": None}))
    assert catalog.product("red").price == "15 EUR"


def test_a_guessed_title_stands_until_a_source_says_one(catalog: Catalog, writer: Writer) -> None:
    say(writer, "folder", Listing("a1", guesses={"title": "A1", "category": "photos"}))
    assert catalog.product("a1") == Product("a1", "A1", "photos")
    say(writer, "folder", Listing("a1", guesses={"title": "A 1", "category": "pictures"}))
    assert catalog.product("a1") == Product("a1", "A 1", "pictures")
    say(writer, "shop.csv", Product("a1", "Blouse", "tops"))
    say(writer, "folder", Listing("a1", guesses={"title": "A1", "category": "photos"}))
    assert catalog.product("a1") == Product("a1", "Blouse", "tops")


def test_variants_give_the_range_of_prices(catalog: Catalog, writer: Writer) -> None:
    variants = (
        Variant("a-s", {"size": "S"}, "1.299,00 EUR", True),
        Variant("a-m", {"size": "M"}, "1.399,00 EUR", False, "https://shop.example/a-m"),
    )
    product = Product("a", "A", "coat", price="1.299,00 EUR", in_stock=True, variants=variants)
    assert say(writer, "shop.csv", product).change is Change.NEW
    assert say(writer, "shop.csv", product).change is Change.UNCHANGED
    stored = catalog.product("a")
    assert stored == product
    assert (stored.amount, stored.amount_max, stored.currency) == (1299.0, 1399.0, "EUR")


def test_what_each_source_says_can_be_read(catalog: Catalog, writer: Writer, red: Product) -> None:
    say(writer, "street.csv", Listing("red", {"attributes.age": "new"}, place="street/red"))
    with writer.transaction():
        writer.sources.note_ingest(
            "street.csv", path="/street.csv", format="csv", options={"domain": "consumer"}
        )
    street, shop = catalog.sources.said_of("red")
    assert (street.source, street.place, street.said) == (
        "street.csv",
        "street/red",
        {"attributes.age": "new"},
    )
    assert shop.said["price"] == "19.90 EUR"
    assert catalog.sources.ids_of_places("street.csv", ["street/red", "other"]) == {"street/red": "red"}
    assert catalog.sources.places_of_ids("shop.csv", ["red"]) == {"red": ""}


def test_a_source_is_known_by_its_name_its_path_and_where_a_link_leads(
    catalog: Catalog, writer: Writer, tmp_path: Path
) -> None:
    target = tmp_path / "export-1.csv"
    target.touch()
    latest = tmp_path / "latest"
    latest.symlink_to(target)
    with writer.transaction():
        writer.sources.note_ingest(str(target), path=str(target), format="csv", options={})
        writer.sources.note_ingest(
            "feed", path="/exports/feed.xml", format="google", options={"currency": "EUR"}
        )
    by_link, by_path = catalog.sources.of_path(str(latest)), catalog.sources.of_path("/exports/feed.xml")
    assert by_link is not None
    assert by_link.name == str(target)
    assert by_path is not None
    assert (by_path.name, by_path.options) == ("feed", {"currency": "EUR"})
    assert catalog.sources.of_path("/elsewhere") is None
    with pytest.raises(UnknownName, match="feed"):
        catalog.sources.get("fed")
    gone = {one.source.name: one.is_gone for one in catalog.sources.status()}
    assert gone == {str(target): False, "feed": True}
