from __future__ import annotations

import pytest

from stylesearch.importers.tables.items import Item, Picture
from stylesearch.importers.tables.prestashop import PrestaShop
from stylesearch.types import Variant
from tests.unit.importers.tables.reading import items_of, open_csv, read

IMPORT = (
    "Product ID;Active (0/1);Name *;Categories (x,y,z...);Price tax excluded;Tax rules ID;Reference #;"
    "Manufacturer;Quantity;Visibility;Tags (x,y,z...);Available for order (0 = No, 1 = Yes);"
    "Image URLs (x,y,z...);Feature(Name:Value:Position);Condition;Out of stock action\n"
)
LIST = (
    "Product ID;Image;Name;Reference;Category;Price (tax excl.);Price (tax incl.);Quantity;Status;Position\n"
)
COMBINATIONS = (
    "Product ID*;Attribute (Name:Type:Position)*;Value (Value:Position)*;Reference;Impact on price;"
    "Quantity;Image URLs (x,y,z...)\n"
)


def test_a_product_of_an_import_file() -> None:
    (dress,) = read(
        PrestaShop(),
        IMPORT + "7;1;Kleid Änne;Home/Women/Dresses,Sale;49.90;1;K-7;Öko;5;both;a, b;1;"
        "https://i.example/1.jpg,https://i.example/2.jpg;Farbe:Rot:1,Fabric:Linen:2;new;0\n",
        ";",
    )
    assert dress == Item(
        "7",
        {
            "title": "Kleid Änne",
            "category": "Women > Dresses",
            "price": "49.90",
            "in_stock": True,
            "attributes.sku": "K-7",
            "attributes.brand": "Öko",
            "attributes.condition": "new",
            "attributes.tags": ["a", "b"],
            "attributes.color": "Rot",
            "attributes.fabric": "Linen",
        },
        pictures=(Picture("https://i.example/1.jpg"), Picture("https://i.example/2.jpg")),
        is_shown=True,
    )


def test_a_product_of_the_list_has_the_price_with_tax() -> None:
    (mug,) = read(PrestaShop(), LIST + "9;https://i.example/9.jpg;Mug;M9;Home;11.9;14.28;0;1;3\n", ";")
    assert mug.said == {
        "title": "Mug",
        "category": None,
        "price": "14.28",
        "in_stock": False,
        "attributes.sku": "M9",
    }
    assert (mug.key, mug.is_shown, mug.pictures) == ("9", True, (Picture("https://i.example/9.jpg"),))


@pytest.mark.parametrize(
    ("change", "is_shown", "in_stock"),
    [
        ((";1;X", ";0;X"), False, False),
        (("both", "none"), False, False),
        ((";new;0", ";new;1"), True, True),
        ((";0;both;;1", ";5;both;;0"), True, False),
    ],
)
def test_status_and_stock(change: tuple[str, str], is_shown: bool, in_stock: bool) -> None:
    row = "7;1;X;1,2;9;1;R;;0;both;;1;;;new;0\n"
    assert change[0] in row
    (item,) = read(PrestaShop(), IMPORT + row.replace(*change), ";")
    assert (item.is_shown, item.said["in_stock"], item.said["category"]) == (is_shown, in_stock, None)


def test_a_combination_is_a_variant_of_a_product_of_another_table() -> None:
    (item,) = read(
        PrestaShop(),
        COMBINATIONS
        + "7;Color:color:0, Disk space:select:1;Blue:0, 16GB:1;R-B16;40;10;https://i.example/b.jpg\n",
        ";",
    )
    options = {"color": "Blue", "disk space": "16GB"}
    assert item == Item(
        "7", {}, Variant("R-B16", options, None, True), (Picture("https://i.example/b.jpg", options),)
    )


def test_rows_that_cannot_be_used() -> None:
    items, bad = items_of(PrestaShop(), *open_csv(COMBINATIONS + "7;Color:color:0;Blue:0, S:1;;;1;\n", ";"))
    assert (items, bad) == ([], {2: "1 attributes and 2 values"})
    items, bad = items_of(PrestaShop(), *open_csv(LIST + ";;Mug;;;;;;;\n", ";"))
    assert (items, bad) == ([], {2: "neither a product ID nor a reference"})


def test_the_columns_are_recognized() -> None:
    for header in (IMPORT, LIST, COMBINATIONS):
        assert PrestaShop().rate(open_csv(header, ";")[0]) == 3
    assert PrestaShop().rate(open_csv("id;name;price;image;category\n", ";")[0]) == 0
