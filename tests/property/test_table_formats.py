"""Whatever is in the cells, a row is an item, nothing, or a bad row, and never another error."""

from __future__ import annotations

from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stylesearch.importers.base import ImportOptions
from stylesearch.importers.tables import TABLE_FORMATS
from stylesearch.importers.tables.items import BadRow, Table, TableFormat, TableRow, plain_name
from stylesearch.importers.tables.row_store import RowStore
from stylesearch.money import Money, parse_price

COLUMNS = {
    "shopify": "Handle,Title,Type,Tags,Published,Option1 Name,Option1 Value,Option2 Name,Option2 Value,"
    "Variant SKU,Variant Inventory Tracker,Variant Inventory Qty,Variant Inventory Policy,Variant Price,"
    "Variant Compare At Price,Image Src,Variant Image,Fit (product.metafields.custom.fit),Status",
    "google": "id,title,link,image_link,additional_image_link,availability,price,sale_price,"
    "sale_price_effective_date,google_product_category,product_type,item_group_id,color,size",
    "woocommerce": "ID,Type,SKU,Name,Published,Visibility in catalog,In stock?,Stock,Backorders allowed?,"
    "Date sale price starts,Sale price,Regular price,Categories,Tags,Images,Parent,External URL,"
    "Attribute 1 name,Attribute 1 value(s)",
    "magento": "sku,store_view_code,product_type,categories,name,product_online,visibility,price,"
    "special_price,special_price_from_date,base_image,additional_images,additional_attributes,qty,"
    "is_in_stock,hide_from_product_page,configurable_variations",
    "prestashop": "Product ID;Active (0/1);Name *;Categories (x,y,z...);Price tax excluded;Reference #;"
    "Quantity;Image URLs (x,y,z...);Feature(Name:Value:Position);Tags (x,y,z...)",
    "bigcommerce": "Item,ID,Name,SKU,Options,Inventory Tracking,Current Stock,Price,Sale Price,Categories,"
    "Is Visible,Variant Image URL,Internal Image URL (Export),Product Images",
}
CELLS = st.one_of(
    st.text(max_size=20),
    st.text(alphabet="0123456789.,-€$ ", max_size=12),
    st.text(alphabet="ab=,|;:/\\>&\"' []", max_size=20),
    st.sampled_from(
        ["1", "0", "true", "variation", "Variant", "Product", "configurable", "id:1", "TRUE", "2020-01-01"]
    ),
)


@pytest.mark.parametrize("name", COLUMNS)
@given(data=st.data())
def test_no_cells_break_a_format(name: str, data: st.DataObject) -> None:
    written = COLUMNS[name].split(";" if name == "prestashop" else ",")
    columns = {plain_name(column): column for column in written}
    format: TableFormat = TABLE_FORMATS.load(name)()
    table = Table(columns)
    assert format.rate(table) == 3
    with closing(RowStore()) as store:
        for line in range(1, 4):
            cells = data.draw(st.lists(CELLS, min_size=len(columns), max_size=len(columns)))
            row = TableRow(
                line, {column: (cell.strip(),) for column, cell in zip(columns, cells, strict=True)}
            )
            try:
                item = format.read(row, table, ImportOptions())
            except BadRow as error:
                assert str(error)
                continue
            if item is not None:
                assert item.key
                assert all(picture.locator for picture in item.pictures)
                assert all(
                    name and value for name, value in (item.variant.options if item.variant else {}).items()
                )
                store.add(line, item)
        for product in store.products():
            assert product.rows


@given(st.one_of(st.text(max_size=30), st.text(alphabet="0123456789.,'-€$ EURkr", max_size=20)))
def test_no_text_breaks_a_price(text: str) -> None:
    money = parse_price(text)
    assert money is None or (isinstance(money, Money) and money.amount >= 0)
