from __future__ import annotations

from pathlib import Path

import pytest

from stylesearch.importers.base import ImportOptions, Note
from stylesearch.importers.tables.importer import TableImporter
from stylesearch.importers.tables.items import Item, Picture
from stylesearch.importers.tables.magento import Magento
from stylesearch.listing import Record
from stylesearch.types import Variant
from tests.unit.importers.tables.reading import items_of, join, open_csv, read

HEAD = (
    "sku,store_view_code,attribute_set_code,product_type,categories,name,product_online,visibility,price,"
    "special_price,special_price_from_date,special_price_to_date,url_key,base_image,additional_images,"
    "additional_attributes,qty,is_in_stock,hide_from_product_page,configurable_variations\n"
)
SMALL = (
    'MH01-XS-Black,,Top,simple,"Default Category/Men/Tops,Default Category",Chaz Hoodie-XS-Black,1,'
    "Not Visible Individually,52.000000,,,,chaz-xs-black,/m/h/mh01-black.jpg,/m/h/mh01-black.jpg,"
    '"color=Black,has_options=0,size=XS",100.0000,1,,\n'
)
GRAY = (
    "MH01-XS-Gray,,Top,simple,Default Category/Men/Tops,Chaz Hoodie-XS-Gray,1,Not Visible Individually,"
    '52.000000,42.500000,,,chaz-xs-gray,/m/h/mh01-gray.jpg,,"color=Gray,size=XS,fit=Slim",0.0000,0,,\n'
)
PARENT = (
    'MH01,,Top,configurable,"Default Category/Men/Tops/Hoodies,Default Category/Sale",Chaz Hoodie,1,'
    '"Catalog, Search",52.000000,,,,chaz,/m/h/mh01-main.jpg,"/m/h/mh01-main.jpg,/m/h/mh01-back.jpg,'
    '/m/h/mh01-swatch.jpg","material=Cotton|Fleece,style=""Full Zip, Hooded""",0.0000,1,'
    '/m/h/mh01-swatch.jpg,"sku=MH01-XS-Black,size=XS,color=Black|sku=MH01-XS-Gray,size=XS,color=Gray"\n'
)
GERMAN = "MH01,german,Top,configurable,Standard/Herren,Chaz Kapuzenpulli,,,,,,,,,,,,,,\n"
BAG = (
    '24-MB01,,Bag,simple,"Default Category/Gear,Default Category/Gear/Bags, purses",Joust Bag,1,'
    '"Catalog, Search",34.000000,,,,joust,/m/b/mb01.jpg,no_selection,"activity=Gym",100.0000,1,,\n'
)


def test_a_simple_product() -> None:
    (bag,) = read(Magento(), HEAD + BAG)
    assert bag == Item(
        "24-MB01",
        {
            "title": "Joust Bag",
            "category": "Gear > Bags, purses",
            "price": "34.00",
            "in_stock": True,
            "attributes.url_key": "joust",
            "attributes.regular_price": None,
            "attributes.activity": "Gym",
        },
        pictures=(Picture("/m/b/mb01.jpg"),),
        is_shown=True,
    )


def test_a_configurable_product() -> None:
    (hoodie,) = read(Magento(), HEAD + PARENT)
    assert hoodie.names == ("MH01-XS-Black", "MH01-XS-Gray")
    assert hoodie.said["category"] == "Men > Tops > Hoodies"
    assert hoodie.said["attributes.material"] == ["Cotton", "Fleece"]
    assert hoodie.said["attributes.style"] == "Full Zip, Hooded"
    assert [picture.locator for picture in hoodie.pictures] == ["/m/h/mh01-main.jpg", "/m/h/mh01-back.jpg"]


@pytest.mark.parametrize("rows", [SMALL + GRAY + PARENT, PARENT + SMALL + GRAY, SMALL + PARENT + GRAY])
def test_variants_come_before_or_after_the_product_that_names_them(rows: str) -> None:
    products = join(read(Magento(), HEAD + rows))
    assert list(products) == ["MH01"]
    hoodie = products["MH01"]
    assert hoodie.said["title"] == "Chaz Hoodie"
    assert (hoodie.said["price"], hoodie.is_shown) == ("42.50", True)
    assert {variant.id: variant for variant in hoodie.variants} == {
        "MH01-XS-Black": Variant("MH01-XS-Black", {"color": "Black", "size": "XS"}, "52.00", True),
        "MH01-XS-Gray": Variant("MH01-XS-Gray", {"color": "Gray", "size": "XS"}, "42.50", False),
    }
    assert hoodie.pictures["/m/h/mh01-gray.jpg"] == {"color": "Gray", "size": "XS"}


def test_what_a_product_differs_in_is_learned_from_those_before() -> None:
    other = PARENT.replace("size=XS,color=Black", "fit=Wide").replace("size=XS,color=Gray", "fit=Slim")
    *_, gray = read(Magento(), HEAD + other.replace("MH01", "MH02") + GRAY)
    assert gray.variant is not None
    assert gray.variant.options == {"color": "Gray", "size": "XS", "fit": "Slim"}


def test_a_row_of_another_store_view_adds_nothing() -> None:
    with_it, without = (join(read(Magento(), HEAD + rows))["MH01"] for rows in (PARENT + GERMAN, PARENT))
    assert with_it == without


def test_a_sale_price_counts_from_and_to_its_dates() -> None:
    for dates, price in (
        ("2020-01-01 00:00:00,2020-02-01 00:00:00", "52.00"),
        ("2020-01-01 00:00:00,", "42.50"),
    ):
        (gray,) = read(Magento(), HEAD + GRAY.replace("42.500000,,", f"42.500000,{dates}"))
        assert gray.variant is not None
        assert gray.variant.price == price


def test_disabled_products_are_not_shown_and_disabled_variants_left_out() -> None:
    (bag,) = read(Magento(), HEAD + BAG.replace("Joust Bag,1", "Joust Bag,2"))
    assert bag.is_shown is False
    disabled = GRAY.replace("XS-Gray,1", "XS-Gray,2")
    assert [item.key for item in read(Magento(), HEAD + PARENT + disabled)] == ["MH01"]
    assert len(read(Magento(), HEAD + PARENT + disabled, unpublished=True)) == 2


def test_a_row_without_a_sku_is_bad() -> None:
    items, bad = items_of(Magento(), *open_csv(HEAD + BAG.replace("24-MB01", "")))
    assert (items, bad) == ([], {2: "no sku"})


def test_the_columns_are_recognized() -> None:
    assert Magento().rate(open_csv(HEAD)[0]) == 3
    assert Magento().rate(open_csv("sku,name,price,image\n")[0]) == 0
    assert Magento().rate(open_csv("sku,product_type,visibility\n")[0]) == 0


def test_pictures_lie_below_the_media_root_and_what_has_no_product_is_hidden(tmp_path: Path) -> None:
    for name in ("mh01-main.jpg", "mh01-back.jpg", "mh01-black.jpg", "mh01-gray.jpg"):
        path = tmp_path / "media" / "m" / "h" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    table = tmp_path / "export.csv"
    table.write_text(HEAD + SMALL + GRAY + PARENT + SMALL.replace("MH01-XS-Black", "orphan"))
    options = ImportOptions(media_root=str(tmp_path / "media"))
    *found, note = TableImporter("magento").records(table, options)
    assert [(Path(one.path).name, dict(one.options)) for one in found if isinstance(one, Record)] == [
        ("mh01-black.jpg", {"color": "Black", "size": "XS"}),
        ("mh01-gray.jpg", {"color": "Gray", "size": "XS"}),
        ("mh01-main.jpg", {}),
        ("mh01-back.jpg", {}),
    ]
    assert {one.product.id for one in found if isinstance(one, Record)} == {"MH01"}
    assert isinstance(note, Note)
    assert note.text.startswith("1 product is left out: not shown to customers")
