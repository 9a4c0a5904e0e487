from __future__ import annotations

import os
from pathlib import Path

import pytest

from stylesearch.importers.tables.google import GoogleMerchant
from stylesearch.importers.tables.items import Item, Picture
from stylesearch.types import Variant
from tests.unit.importers.tables.reading import Joined, items_of, join, open_csv, open_file, read

HEAD = (
    "id\ttitle\tlink\timage link\tadditional image link\tavailability\tprice\tsale price\t"
    "google product category\tproduct type\tbrand\titem group id\tcolor\tsize\tgender\n"
)


def read_row(*cells: str) -> Item:
    (item,) = read(GoogleMerchant(), HEAD + "\t".join(cells) + "\n", "\t")
    return item


def test_an_item_of_a_group_is_a_variant_of_the_product_of_that_id() -> None:
    item = read_row(
        *("D-NS", "Dress", "https://s.example/d?c=N", "https://i.example/1.jpg"),
        *("https://i.example/2.jpg,https://i.example/3.jpg", "in_stock", "89.95 EUR", "69.95 EUR"),
        *("2271", "Women > Dresses", "Example & Sons", "D", "Navy", "S", "female"),
    )
    options = {"color": "Navy", "size": "S"}
    assert item == Item(
        "D",
        {
            "title": "Dress",
            "url": "https://s.example/d?c=N",
            "category": "Women > Dresses",
            "attributes.brand": "Example & Sons",
            "attributes.gender": "female",
            "attributes.regular_price": "89.95 EUR",
        },
        Variant("D-NS", options, "69.95 EUR", True, "https://s.example/d?c=N"),
        tuple(Picture(f"https://i.example/{number}.jpg", options) for number in (1, 2, 3)),
    )


def test_an_item_without_a_group_is_a_product() -> None:
    item = read_row(
        "T", "Tee", "https://s.example/t", "https://i.example/t.jpg", "", "out of stock", "19 EUR"
    )
    assert item.key == "T"
    assert item.variant is None
    assert item.said["price"] == "19 EUR"
    assert item.said["in_stock"] is False
    assert item.pictures == (Picture("https://i.example/t.jpg"),)


def test_what_an_item_alone_is_made_in_is_an_attribute_and_an_empty_cell_says_so() -> None:
    item = read_row(
        *("T", "Tee", "https://s.example/t", "https://i.example/t.jpg", "", "", "", "", "", "", "", ""),
        *("White", "", ""),
    )
    assert item.said["attributes.color"] == "White"
    empty = {name for name, value in item.said.items() if value is None}
    assert empty == {
        *("attributes.size", "attributes.brand", "attributes.gender", "attributes.regular_price"),
        *("category", "price", "in_stock"),
    }


@pytest.mark.parametrize(
    ("google", "types", "category"),
    [
        ("2271", "Women > Dresses > Wrap", "Women > Dresses > Wrap"),
        ("2271", "", None),
        ("Apparel & Accessories > Clothing", "", "Apparel & Accessories > Clothing"),
        ("", "Women&gt;Hats, Scarves & Gloves", "Women > Hats, Scarves & Gloves"),
        ("", "Women > Dresses, Sale > Dresses", "Women > Dresses"),
        ("", "Kleider", "Kleider"),
    ],
)
def test_the_category_is_the_first_product_type_or_else_googles_path(
    google: str, types: str, category: str | None
) -> None:
    item = read_row("T", "Tee", "u", "i", "", "", "", "", google, types)
    assert item.said["category"] == category


@pytest.mark.parametrize(
    ("price", "sale", "effective", "regular"),
    [
        ("89.95 EUR", "69.95 EUR", "69.95 EUR", "89.95 EUR"),
        ("69.95 EUR", "89.95 EUR", "69.95 EUR", None),
        ("89.95 EUR", "", "89.95 EUR", None),
        ("1.299,00 EUR", "999,00 EUR", "999,00 EUR", "1.299,00 EUR"),
    ],
)
def test_the_price_is_the_sale_price_if_that_is_lower(
    price: str, sale: str, effective: str, regular: str | None
) -> None:
    said = read_row("T", "Tee", "u", "i", "", "", price, sale).said
    assert (said["price"], said["attributes.regular_price"]) == (effective, regular)


def test_a_sale_that_is_over_does_not_count() -> None:
    head = "id\timage_link\tprice\tsale_price\tsale_price_effective_date\n"
    over, open_ended = read(
        GoogleMerchant(),
        head + "a\ti\t9 EUR\t5 EUR\t2016-02-24T13:00-0800/2016-02-29T15:30-0800\n"
        "b\ti\t9 EUR\t5 EUR\t2016-02-24T13:00-0800/9999-01-01T00:00Z\n",
        "\t",
    )
    assert (over.said["price"], open_ended.said["price"]) == ("9 EUR", "5 EUR")


def test_a_row_without_an_id_is_bad() -> None:
    items, bad = items_of(GoogleMerchant(), *open_csv(HEAD + "\tTee\n", "\t"))
    assert (items, bad) == ([], {2: "no id"})


def test_columns_are_recognized_with_blanks_and_with_underscores() -> None:
    assert GoogleMerchant().rate(open_csv(HEAD, "\t")[0]) == 3
    assert GoogleMerchant().rate(open_csv("id,title,link,image_link,price\n")[0]) == 2
    assert GoogleMerchant().rate(open_csv("id,title,image,price\n")[0]) == 0


@pytest.fixture
def exports() -> Path:
    folder = os.environ.get("STYLESEARCH_TEST_DATA")
    if not folder:
        pytest.skip("STYLESEARCH_TEST_DATA is not set")
    return Path(folder) / "exports" / "google"


def products_of(path: Path) -> dict[str, Joined]:
    table, rows = open_file(path)
    assert GoogleMerchant().rate(table) == 3
    items, bad = items_of(GoogleMerchant(), table, rows)
    assert bad == {}
    return join(items)


@pytest.mark.data
@pytest.mark.parametrize("name", ["feed.tsv", "feed.xml"])
def test_a_feed_in_both_formats(exports: Path, name: str) -> None:
    products = products_of(exports / name)
    assert list(products) == ["WD10", "TS01", "TS02", "CT7", "SK3"]
    dress = products["WD10"]
    assert [(v.id, v.price, v.in_stock) for v in dress.variants] == [
        ("WD10-NS", "89.95 EUR", True),
        ("WD10-NM", "89.95 EUR", True),
        ("WD10-NL", "89.95 EUR", False),
        ("WD10-SS", "69.95 EUR", True),
        ("WD10-SM", "69.95 EUR", True),
        ("WD10-SL", "69.95 EUR", False),
    ]
    assert dress.said["price"] == "69.95 EUR"
    assert dress.said["category"] == "Women > Dresses > Wrap dresses"
    assert len(dress.pictures) == 18
    assert dress.pictures["https://img.shop.example/p/wd10-sm_2.jpg"] == {"color": "Sand", "size": "M"}
    assert [product.said["title"] for product in products.values()][1:] == [
        "T-shirt “Río”",
        "T-shirt, 2-pack (black/white)",
        'Coat with "storm" flap',
        "Pleated skirt",
    ]
    assert [product.said["in_stock"] for product in products.values()] == [True] * 5


@pytest.mark.data
def test_a_feed_says_the_same_in_both_formats(exports: Path) -> None:
    text, xml = products_of(exports / "feed.tsv"), products_of(exports / "feed.xml")
    for key, product in text.items():
        assert xml[key].variants == product.variants
        assert xml[key].pictures == product.pictures
        assert {name: value for name, value in product.said.items() if value is not None} == {
            name: value for name, value in xml[key].said.items() if value is not None
        }
