from __future__ import annotations

from stylesearch.importers.tables.bigcommerce import BigCommerce
from stylesearch.importers.tables.items import Item, Picture
from stylesearch.types import Variant
from tests.unit.importers.tables.reading import items_of, join, open_csv, read

MODERN = (
    "Item,ID,Name,Type,SKU,Options,Inventory Tracking,Current Stock,Price,Sale Price,Brand ID,Categories,"
    "Product URL,Is Visible,Product Condition,Variant Image URL,Internal Image URL (Export),"
    "Image URL (Import)\n"
)
MODERN_ROWS = (
    "Product,77,Tee,physical,SH-1,,variant,0,29.99,0,39,24;23,/tee/,TRUE,New,,,\n"
    "Variant,10,,,SH-1-S,Type=Rectangle|Name=Size|Value=SType=Swatch|Name=Colour|Value=Black,,4,24.99,,,,,,,"
    "https://i.example/black.jpg,,\n"
    "Variant,11,,,SH-1-M,Type=Rectangle|Name=Size|Value=M|Type=Swatch|Name=Colour|Value=Black,,0,,,,,,,,,,\n"
    "Image,90,,,,,,,,,,,,,,,https://i.example/1.jpg,\n"
    "Image,91,,,,,,,,,,,,,,,,https://i.example/2.jpg\n"
    "Video,92,,,,,,,,,,,,,,,,\n"
    "Product,78,Cap,physical,,,none,0,10,8,,Shop/Hats/Caps;Sale,/cap/,FALSE,New,,,\n"
    "Image,93,,,,,,,,,,,,,,,https://i.example/cap.jpg,\n"
)
LEGACY = (
    "Item Type,Product ID,Product Name,Product Type,Product Code/SKU,Brand Name,Option Set,Price,Sale Price,"
    "Allow Purchases?,Product Visible?,Track Inventory,Current Stock Level,Category,"
    "Product Image ID - 1,Product Image File - 1,Product Image URL - 1,Product Image File - 2\n"
)
LEGACY_ROWS = (
    "Product,5,Mug,P,MUG,Öko,Sizes,19.9,15,Y,Y,by option,0,Shop/Kitchen;Sale,1,a/1.jpg,"
    "https://i.example/a/1.jpg,a/2.jpg\n"
    '  SKU,12,"[RB]Size=Small,[CS]Color=Silver:#cecece",,MUG-S,,,,,,,,3,,,,,\n'
    "  Rule,,,,MUG-S,,,[ADD]5,,Y,,,,,,,,\n"
)


def test_rows_of_variants_and_pictures_follow_their_product() -> None:
    items = read(BigCommerce(), MODERN + MODERN_ROWS)
    assert items[0] == Item(
        "SH-1",
        {
            "title": "Tee",
            "category": None,
            "price": "29.99",
            "in_stock": False,
            "attributes.condition": "New",
            "attributes.regular_price": None,
        },
        is_shown=True,
    )
    products = join(items)
    assert list(products) == ["SH-1", "78"]
    tee, cap = products["SH-1"], products["78"]
    assert tee.variants == [
        Variant("SH-1-S", {"size": "S", "color": "Black"}, "24.99", True),
        Variant("SH-1-M", {"size": "M", "color": "Black"}, None, False),
    ]
    assert tee.pictures == {
        "https://i.example/black.jpg": {"size": "S", "color": "Black"},
        "https://i.example/1.jpg": {},
        "https://i.example/2.jpg": {},
    }
    assert (cap.said["category"], cap.said["price"], cap.said["in_stock"]) == (
        "Shop > Hats > Caps",
        "8",
        True,
    )
    assert cap.is_shown is False


def test_the_legacy_export() -> None:
    mug, small = read(BigCommerce(), LEGACY + LEGACY_ROWS)
    assert mug.said == {
        "title": "Mug",
        "category": "Shop > Kitchen",
        "price": "15",
        "in_stock": False,
        "attributes.brand": "Öko",
        "attributes.regular_price": "19.9",
    }
    assert mug.pictures == (Picture("https://i.example/a/1.jpg"), Picture("a/2.jpg"))
    assert small == Item(
        "MUG", {}, Variant("MUG-S", {"size": "Small", "color": "Silver"}, None, True), is_part=True
    )


def test_a_row_before_the_first_product_is_bad() -> None:
    items, bad = items_of(BigCommerce(), *open_csv(MODERN + MODERN_ROWS.partition("\n")[2]))
    assert bad == {
        2: "variant before the first product",
        3: "variant before the first product",
        4: "image before the first product",
        5: "image before the first product",
    }
    assert [item.key for item in items] == ["78", "78"]


def test_both_sets_of_columns_are_recognized() -> None:
    assert BigCommerce().rate(open_csv(MODERN)[0]) == 3
    assert BigCommerce().rate(open_csv(LEGACY)[0]) == 3
    assert BigCommerce().rate(open_csv("item,name,sku,price,options\n")[0]) == 0
