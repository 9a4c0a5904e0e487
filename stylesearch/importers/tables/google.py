"""Reads product feeds of the Google Merchant Center."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

from stylesearch.importers.base import ImportOptions
from stylesearch.importers.tables.cells import (
    copy_cells,
    make_options,
    read_category,
    read_stock,
    split_list,
    split_locators,
)
from stylesearch.importers.tables.items import BadRow, Item, Picture, Table, TableRow
from stylesearch.importers.tables.prices import choose_price, is_in_effect
from stylesearch.listing import ATTRIBUTE
from stylesearch.types import Variant

__all__ = ["GoogleMerchant"]

_OPTIONS: Final = ("color", "size", "pattern", "material")
"""What items of one group differ in, beside who they are for."""

_ATTRIBUTES: Final = {
    ATTRIBUTE + "brand": ("brand",),
    ATTRIBUTE + "gender": ("gender",),
    ATTRIBUTE + "age_group": ("age group",),
    ATTRIBUTE + "condition": ("condition",),
    ATTRIBUTE + "gtin": ("gtin",),
}

_MARKS: Final = frozenset(
    (
        *("availability", "google product category", "item group id", "product type", "condition", "mpn"),
        *("additional image link", "age group", "gtin", "sale price", "identifier exists"),
    )
)
"""Columns of which a table with ``id`` and ``image_link`` has several, if it is such a feed."""


class GoogleMerchant:
    """The attributes of the product data specification, in a text file or an XML feed (RSS 2.0, Atom 1.0).

    Items with one ``item_group_id`` are variants of one product, whose id it is. Other channels take feeds
    of the same attributes.
    """

    name = "google"

    def rate(self, table: Table) -> int:
        if not {"id", "image link"} <= table.columns.keys():
            return 0
        if len(_MARKS & table.columns.keys()) >= 2:
            return 3
        return 2 if {"title", "link"} <= table.columns.keys() else 1

    def read(self, row: TableRow, table: Table, options: ImportOptions) -> Item | None:
        id = row.text("id")
        if not id:
            raise BadRow("no id")
        group = row.text("item group id")
        price, regular = self._read_price(row)
        values = make_options((name, row.text(name)) for name in _OPTIONS)
        said = copy_cells(row, {"title": ("title",), "url": ("link",)})
        if row.has("product type", "google product category"):
            said["category"] = self._read_category(row)
        said |= copy_cells(row, _ATTRIBUTES)
        if row.has("sale price"):
            said[ATTRIBUTE + "regular_price"] = regular or None
        stock = read_stock(row.text("availability"))
        variant = None
        if group:
            variant = Variant(id, values, price or None, stock, row.text("link") or None)
        else:
            said |= self._read_single(row, price, stock)
        return Item(group or id, said, variant, self._read_pictures(row, values if group else {}))

    @staticmethod
    def _read_single(row: TableRow, price: str, stock: bool | None) -> dict[str, Any]:
        """What an item says that is in no group."""
        said = copy_cells(row, {ATTRIBUTE + name: (name,) for name in _OPTIONS})
        if row.has("price", "sale price"):
            said["price"] = price or None
        if row.has("availability"):
            said["in_stock"] = stock
        return said

    @staticmethod
    def _read_price(row: TableRow) -> tuple[str, str]:
        start, _, end = row.text("sale price effective date").partition("/")
        return choose_price(row.text("price"), row.text("sale price"), on_sale=is_in_effect(start, end))

    @staticmethod
    def _read_category(row: TableRow) -> str | None:
        """The first product type; else Google's own category, if it is a path and not a number."""
        return _first_path(row.cells.get("product type", ())) or next(
            (
                path
                for text in row.cells.get("google product category", ())
                if (path := read_category(text)) and not path.isdigit()
            ),
            None,
        )

    @staticmethod
    def _read_pictures(row: TableRow, options: dict[str, str]) -> tuple[Picture, ...]:
        cells = [
            text
            for name in ("image link", "additional image link", "lifestyle image link")
            for text in row.cells.get(name, ())
        ]
        locators = dict.fromkeys(locator for text in cells for locator in split_locators(text))
        return tuple(Picture(locator, options) for locator in locators)


def _first_path(texts: Iterable[str]) -> str:
    """The first path in cells that may each list several, with commas between them and in names as well."""
    for text in texts:
        parts = split_list(text)
        is_list = len(parts) > 1 and all(re.search("[>»]|&gt;", part) for part in parts)
        if path := read_category(parts[0] if is_list else text):
            return path
    return ""
