"""Which products meet a filter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from stylesearch.catalog import Catalog, ImageEntry, Writer
from stylesearch.errors import ConfigError, UnknownName
from stylesearch.types import Domain, Product, ProductFilter, Variant
from stylesearch.workspace.products import check_filter, stream_products

MADE = {"color": "red", "sizes": 5, "new": True, "Size (EU)": "38", "note": "it's 'new' \\ x.y"}

LISTED = {"tags": ["rosé", 'new "in"']}


@pytest.fixture
def filled(catalog: Catalog, writer: Writer, entry: Callable[..., ImageEntry]) -> Catalog:
    gown = Product("gown", "Gown", "Women > Dresses > Gowns", price="200 EUR", in_stock=False)
    sizes = (Variant("s", {"size": "S"}, "30 EUR"), Variant("l", {"size": "L"}, "40 EUR"))
    with writer.transaction():
        writer.upsert_products(
            [
                Product("belt", "Belt", "women > Belts", attributes={"color": "Red", "new": False}),
                Product("dress", "Dress", "Women > Dresses", None, "30 EUR", MADE, True, sizes),
                gown,
                Product("voucher", "Voucher", "Women"),
            ],
            source="shop.csv",
        )
        writer.upsert_products([Product("wool", "Wool", "Womenswear", attributes=LISTED)], source="feed")
        writer.upsert_products([Product("gown", "Gown", "Women > Dresses > Gowns")], source="feed")
        writer.upsert_images(
            [
                entry("dress", "/shop/dress.jpg"),
                entry("belt", "/street/belt.jpg", domain=Domain.CONSUMER),
                ImageEntry("gown", "/shop/gown.jpg", error="no picture"),
            ],
            source="shop.csv",
        )
    return catalog


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ({}, ["belt", "dress", "gown", "voucher", "wool"]),
        ({"category": "Women"}, ["dress", "gown", "voucher"]),
        ({"category": "Women > Dresses"}, ["dress", "gown"]),
        ({"category": " Women>Dresses "}, ["dress", "gown"]),
        ({"category": "Women > Dresses > Gowns"}, ["gown"]),
        ({"category": "Women > Dress"}, []),
        ({"category": "%"}, []),
        ({"attributes": {"color": "red"}}, ["belt", "dress"]),
        ({"attributes": {"color": "red", "sizes": "5"}}, ["dress"]),
        ({"attributes": {"color": "red", "sizes": "6"}}, []),
        ({"attributes": {"new": "true"}}, ["dress"]),
        ({"attributes": {"new": "false"}}, ["belt"]),
        ({"attributes": {"Size (EU)": "38"}}, ["dress"]),
        ({"attributes": {"size": "L"}}, ["dress"]),
        ({"attributes": {"Größe": "L"}}, ["dress"]),
        ({"attributes": {"SIZE": "XL"}}, []),
        ({"attributes": {"size": "l"}}, ["dress"]),
        ({"attributes": {"id": "s"}}, []),
        ({"attributes": {"Farbe": "RED"}}, ["belt", "dress"]),
        ({"attributes": {"tags": "rosé"}}, ["wool"]),
        ({"attributes": {"Tags": 'new "in"'}}, ["wool"]),
        ({"attributes": {"tags": "new"}}, []),
        ({"attributes": {"note": MADE["note"]}}, ["dress"]),
        ({"min_price": 35}, ["dress", "gown"]),
        ({"max_price": 35}, ["dress"]),
        ({"min_price": 41}, ["gown"]),
        ({"min_price": 40, "max_price": 200}, ["dress", "gown"]),
        ({"max_price": 29.99}, []),
        ({"in_stock": True}, ["dress"]),
        ({"in_stock": False}, ["gown"]),
        ({"source": "feed"}, ["gown", "wool"]),
        ({"source": "feed", "category": "Women"}, ["gown"]),
        ({"without_picture": True}, ["belt", "gown", "voucher", "wool"]),
        ({"where": "color=red and price<50"}, ["dress"]),
        ({"where": ["sizes>=5", "not new=false"]}, ["dress"]),
        ({"where": "color!=red"}, ["gown", "voucher", "wool"]),
        ({"where": "color exists"}, ["belt", "dress"]),
        ({"where": "not color exists and source=feed"}, ["gown", "wool"]),
        ({"where": "size in (M, l)"}, ["dress"]),
        ({"where": "price=31..39"}, ["dress"]),
        ({"where": "not price=31..39"}, ["belt", "gown", "voucher", "wool"]),
        ({"where": "price in (30, 200.0)"}, ["dress", "gown"]),
        ({"where": "price>40"}, ["gown"]),
        ({"where": "price exists"}, ["dress", "gown"]),
        ({"where": "category in (Womenswear, Women > Dresses > Gowns)"}, ["gown", "wool"]),
        ({"where": "not category = Women"}, ["belt", "wool"]),
        ({"where": "in_stock=no"}, ["gown"]),
        ({"where": "not in_stock = true"}, ["belt", "gown", "voucher", "wool"]),
        ({"where": {"size (eu)": 38.0, "tags": ['new "in"', "x"]}}, []),
        ({"where": {"size (eu)": 38.0, "sizes": None}}, []),
        ({"where": {"size (eu)": 38.0}, "in_stock": True}, ["dress"]),
        ({"where": "'size (eu)'=38"}, ["dress"]),
    ],
)
def test_products_meet_all_conditions(
    filled: Catalog, conditions: dict[str, Any], expected: list[str]
) -> None:
    where = ProductFilter(**conditions)
    assert [one.id for one in filled.products(where)] == expected
    assert filled.selection.count(where) == len(expected)
    assert [one.product.id for one in filled.selection.details(where)] == expected


def test_pages_follow_each_other(filled: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stylesearch.workspace.products.PAGE", 2)
    where = ProductFilter("Women")
    assert [one.id for one in stream_products(filled, where)] == ["dress", "gown", "voucher"]
    assert [one.id for one in stream_products(filled, where, limit=2)] == ["dress", "gown"]
    assert [one.id for one in stream_products(filled, where, after="dress")] == ["gown", "voucher"]


def test_details_have_the_usable_images(filled: Catalog) -> None:
    images = {one.product.id: [image.path for image in one.images] for one in filled.selection.details()}
    assert images == {
        "belt": ["/street/belt.jpg"],
        "dress": ["/shop/dress.jpg"],
        "gown": [],
        "voucher": [],
        "wool": [],
    }


@pytest.mark.parametrize(
    ("conditions", "message"),
    [
        ({"category": "Woman"}, "no category is called 'Woman'. Did you mean 'Women'?"),
        ({"category": "Women > Dress"}, "Did you mean 'Women > Dresses'?"),
        ({"attributes": {"colr": "red"}}, "no attribute is called 'colr'. Did you mean 'color'?"),
        ({"attributes": {"color": "reed"}}, "no product has color 'reed'. Did you mean 'Red'?"),
        ({"where": "price<9 and colr=red"}, "no attribute is called 'colr'. Did you mean 'color'?"),
        ({"attributes": {"size": "XL"}}, "no product has size 'xl'. Did you mean 'L'?"),
        ({"source": "shop.cvs"}, "no source is called 'shop.cvs'. Did you mean 'shop.csv'?"),
    ],
)
def test_a_name_that_nothing_has_is_refused_with_the_nearest_one(
    filled: Catalog, conditions: dict[str, Any], message: str
) -> None:
    with pytest.raises(UnknownName) as refused:
        check_filter(filled, ProductFilter(**conditions))
    assert message in str(refused.value)


def test_stock_is_not_asked_for_where_nothing_is_known_of_it(catalog: Catalog) -> None:
    in_stock = ProductFilter(where="in_stock=true")
    with catalog.writing() as writer, writer.transaction():
        writer.upsert_products([Product("a", "A", "dress")], source="s")
    with pytest.raises(UnknownName, match="no product says whether it is in stock"):
        check_filter(catalog, in_stock)
    check_filter(catalog, ProductFilter(where="not in_stock=true"))
    with catalog.writing() as writer, writer.transaction():
        writer.upsert_products([Product("b", "B", "dress", in_stock=False)], source="s")
    check_filter(catalog, in_stock)


@pytest.mark.parametrize(
    ("conditions", "message"),
    [
        (
            {"min_price": 20, "max_price": 10},
            "the lowest price has to be below the highest one. Received: 20 and 10",
        ),
        ({"min_price": -1}, "min_price has to be a number from 0 on. Received: -1"),
        ({"max_price": float("nan")}, "max_price has to be a number from 0 on. Received: nan"),
        ({"attributes": {'size "EU"': "1"}}, "an attribute has a name, without quotes"),
    ],
)
def test_conditions_that_make_no_sense_are_refused(conditions: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ProductFilter(**conditions)
