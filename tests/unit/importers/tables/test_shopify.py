from __future__ import annotations

import os
from pathlib import Path

import pytest

from stylesearch.importers.base import ImportOptions
from stylesearch.importers.tables.importer import TableImporter
from stylesearch.importers.tables.items import Item, Picture
from stylesearch.importers.tables.shopify import Shopify
from stylesearch.listing import Record
from stylesearch.types import Variant
from tests.unit.importers.tables.reading import items_of, join, open_csv, open_file, read

OLD = (
    "Handle,Title,Body (HTML),Vendor,Product Category,Type,Tags,Published,Option1 Name,Option1 Value,"
    "Option2 Name,Option2 Value,Variant SKU,Variant Inventory Tracker,Variant Inventory Qty,"
    "Variant Inventory Policy,Variant Price,Variant Compare At Price,Image Src,Image Position,"
    "Image Alt Text,Google Shopping / Gender,Variant Image,Included / Austria,"
    "Fabric (product.metafields.custom.fabric),Status\n"
)
OLD_ROWS = (
    'wrap,"Wrap dress, ""Lena""",<p>Soft</p>,Öko & Co,Apparel & Accessories > Clothing > Dresses,Dresses,'
    '"summer, linen",true,Farbe,Navy,Size,S,W-NS,shopify,3,deny,69.95,89.95,https://i.example/1.jpg,1,'
    "From the front,female,https://i.example/navy.jpg,true,linen,active\n"
    "wrap,,,,,,,,,Navy,,M,W-NM,shopify,0,deny,69.95,89.95,https://i.example/2.jpg,2,,,"
    "https://i.example/navy.jpg,,,\n"
    "wrap,,,,,,,,,Sand,,M,W-SM,shopify,0,continue,72.00,,,,,,,,,\n"
    "wrap,,,,,,,,,,,,,,,,,,https://i.example/3.jpg,3,,,,,,\n"
    "scarf,Scarf,,,,,,false,Title,Default Title,,,SC,,0,deny,19.9,,https://i.example/s.jpg,1,,,,,,draft\n"
)
NEW = (
    "Title,URL handle,Description,Vendor,Product category,Type,Tags,Published on online store,Status,SKU,"
    "Option1 name,Option1 value,Option1 Linked To,Price,Compare-at price,Inventory tracker,"
    "Inventory quantity,Continue selling when out of stock,Product image URL,Image alt text,"
    "Variant image URL,Google Shopping / Google product category\n"
)
NEW_ROWS = (
    "Cap,cap,Warm,Hats Ltd,Apparel & Accessories > Hats,,a,TRUE,Active,C-R,Colour,Red,,12,15,shopify,0,DENY,"
    "https://i.example/c.jpg,,https://i.example/r.jpg,\n"
    ",cap,,,,,,,,C-B,,Blue,,13,,shopify,0,CONTINUE,,,https://i.example/b.jpg,\n"
)


def test_the_first_row_says_the_product_and_each_row_a_variant_or_a_picture() -> None:
    first, second, third, fourth, scarf = read(Shopify(), OLD + OLD_ROWS)
    assert first == Item(
        "wrap",
        {
            "title": 'Wrap dress, "Lena"',
            "category": "Dresses",
            "attributes.vendor": "Öko & Co",
            "attributes.gender": "female",
            "attributes.image_alt": "From the front",
            "attributes.tags": ["summer", "linen"],
            "attributes.regular_price": "89.95",
            "attributes.fabric": "linen",
        },
        Variant("W-NS", {"color": "Navy", "size": "S"}, "69.95", True),
        (
            Picture("https://i.example/1.jpg"),
            Picture("https://i.example/navy.jpg", {"color": "Navy", "size": "S"}),
        ),
        is_shown=True,
    )
    assert second.variant == Variant("W-NM", {"color": "Navy", "size": "M"}, "69.95", False)
    assert third.variant == Variant("W-SM", {"color": "Sand", "size": "M"}, "72.00", True)
    assert fourth == Item("wrap", pictures=(Picture("https://i.example/3.jpg"),), is_shown=True, is_part=True)
    assert (second.said, second.is_part, second.is_shown) == ({}, True, True)
    assert (scarf.variant, scarf.said["price"], scarf.said["attributes.sku"]) == (None, "19.9", "SC")


def test_the_columns_since_2024() -> None:
    cap, blue = read(Shopify(), NEW + NEW_ROWS)
    assert cap.key == blue.key == "cap"
    assert cap.said["category"] == "Apparel & Accessories > Hats"
    assert cap.variant == Variant("C-R", {"color": "Red"}, "12", False)
    assert blue.variant == Variant("C-B", {"color": "Blue"}, "13", True)
    assert blue.pictures == (Picture("https://i.example/b.jpg", {"color": "Blue"}),)
    assert (cap.is_shown, blue.is_part) == (True, True)


def test_both_sets_of_columns_are_recognized_and_others_are_not() -> None:
    assert Shopify().rate(open_csv(OLD)[0]) == 3
    assert Shopify().rate(open_csv(NEW)[0]) == 3
    assert Shopify().rate(open_csv("handle,title,image\n")[0]) == 0
    assert Shopify().rate(open_csv("sku,price,Variant Price,Image Src\n")[0]) == 0
    inventory = "Handle,Title,Option1 Name,Option1 Value,SKU,HS Code,Location,On hand\n"
    assert Shopify().rate(open_csv(inventory)[0]) == 0


@pytest.mark.parametrize(
    ("published", "status", "is_shown"),
    [
        ("true", "active", True),
        ("", "active", True),
        ("TRUE", "", True),
        ("false", "active", False),
        ("true", "draft", False),
        ("true", "Archived", False),
    ],
)
def test_what_is_not_published_is_not_shown(published: str, status: str, is_shown: bool) -> None:
    (item,) = read(Shopify(), f"Handle,Title,Published,Variant Price,Status\nx,X,{published},1,{status}\n")
    assert item.is_shown is is_shown


def test_all_rows_of_a_draft_are_not_shown() -> None:
    head = "Handle,Title,Option1 Name,Option1 Value,Variant Price,Status\n"
    assert [item.is_shown for item in read(Shopify(), f"{head}x,X,Size,S,1,draft\nx,,,M,1,\n")] == [
        False,
        False,
    ]


def test_a_draft_with_variants_is_left_out_unless_asked_for(tmp_path: Path) -> None:
    table = tmp_path / "products_export.csv"
    table.write_text(
        "Handle,Title,Option1 Name,Option1 Value,Variant Price,Image Src,Status\n"
        "x,X,Size,S,1,https://i.example/1.jpg,draft\nx,,,M,1,https://i.example/2.jpg,\n"
        "y,Y,Size,S,1,https://i.example/3.jpg,active\n"
    )
    for unpublished, expected in ((False, ["y"]), (True, ["x", "x", "y"])):
        listed = TableImporter("shopify").records(table, ImportOptions(unpublished=unpublished))
        assert [one.product.id for one in listed if isinstance(one, Record)] == expected


def test_an_apostrophe_before_a_number_is_no_part_of_it() -> None:
    head = "Handle,Title,Option1 Name,Option1 Value,Variant SKU,Variant Price\n"
    (item,) = read(Shopify(), f"{head}x,X,Size,S,'0012,1\n")
    assert item.variant is not None
    assert item.variant.id == "0012"


def test_without_columns_of_status_nothing_is_said() -> None:
    (item,) = read(Shopify(), "Handle,Title,Variant SKU,Variant Price\nx,X,s,1\n")
    assert item.is_shown is None
    assert item.said == {"title": "X", "price": "1", "attributes.sku": "s"}


def test_an_empty_cell_of_the_first_row_is_said_to_be_empty() -> None:
    (item,) = read(Shopify(), "Handle,Title,Vendor,Type,Tags,Variant Price,Image Src\nx,X,,,,,\n")
    assert item.said == {
        "title": "X",
        "category": None,
        "attributes.vendor": None,
        "attributes.tags": None,
        "price": None,
    }
    assert item.pictures == ()


def test_stock_that_is_not_tracked_can_be_bought_and_stock_elsewhere_is_not_known() -> None:
    head = "Handle,Title,Option1 Name,Option1 Value,Variant Price,Variant Inventory Tracker"
    with_quantity = read(
        Shopify(), f"{head},Variant Inventory Qty\nx,X,Size,S,1,,0\nx,,,M,1,shopify,0\nx,,,L,1,shopify,-2\n"
    )
    assert [item.variant.in_stock for item in with_quantity if item.variant] == [True, False, False]
    (without,) = read(Shopify(), f"{head}\nx,X,Size,S,1,shopify\n")
    assert without.variant is not None
    assert without.variant.in_stock is None


def test_rows_of_a_product_may_be_apart() -> None:
    head = "Handle,Title,Option1 Name,Option1 Value,Variant Price\n"
    items = read(Shopify(), f"{head}a,A,Size,S,1\nb,B,Größe,36,2\na,,,M,1\nb,,,38,2\n")
    assert [dict(item.variant.options) for item in items if item.variant] == [
        {"size": "S"},
        {"size": "36"},
        {"size": "M"},
        {"size": "38"},
    ]


def test_a_row_without_a_handle_is_bad_and_an_empty_one_is_none() -> None:
    items, bad = items_of(Shopify(), *open_csv("Handle,Title,Variant Price,Image Src\n,X,1,\n,,,\n"))
    assert (items, bad) == ([], {2: "no handle in the column 'Handle'"})


def test_options_of_a_picture_are_what_its_variants_share() -> None:
    wrap = join(read(Shopify(), OLD + OLD_ROWS))["wrap"]
    assert wrap.pictures == {
        "https://i.example/1.jpg": {},
        "https://i.example/navy.jpg": {"color": "Navy"},
        "https://i.example/2.jpg": {},
        "https://i.example/3.jpg": {},
    }
    assert wrap.said["price"] == "69.95"


@pytest.fixture
def exports() -> Path:
    folder = os.environ.get("STYLESEARCH_TEST_DATA")
    if not folder:
        pytest.skip("STYLESEARCH_TEST_DATA is not set")
    return Path(folder) / "exports" / "shopify"


@pytest.mark.data
def test_real_jewelry(exports: Path) -> None:
    table, rows = open_file(exports / "jewelery.csv")
    assert Shopify().rate(table) == 3
    items, bad = items_of(Shopify(), table, rows)
    products = join(items)
    assert (bad, len(rows), len(products)) == ({}, 41, 20)
    assert sum(len(product.pictures) for product in products.values()) == 41
    anchor = products["leather-anchor"]
    assert anchor.said["price"] == "55"
    assert anchor.said["category"] == "Bracelet"
    assert [dict(variant.options) for variant in anchor.variants] == [{"color": "Gold"}, {"color": "Silver"}]
    assert [Path(name).name for name in anchor.pictures] == [
        "anchor-bracelet-mens_925x.jpg",
        "anchor-bracelet-for-men_925x.jpg",
        "leather-anchor-bracelet-for-men_925x.jpg",
    ]
    assert products["gemstone"].pictures[
        "https://burst.shopifycdn.com/photos/purple-gemstone-necklace_925x.jpg"
    ] == {"color": "Purple"}


@pytest.mark.data
def test_real_garden(exports: Path) -> None:
    table, rows = open_file(exports / "home-and-garden.csv")
    items, bad = items_of(Shopify(), table, rows)
    products = join(items)
    assert (bad, len(products)) == ({}, 20)
    pot = products["clay-plant-pot"]
    assert [(variant.options, variant.price) for variant in pot.variants] == [
        ({"size": "Regular"}, "9.99"),
        ({"size": "Large"}, "15.99"),
    ]
    assert products["copper-light"].said["attributes.regular_price"] == "75"
    assert all(product.is_shown for product in products.values())
