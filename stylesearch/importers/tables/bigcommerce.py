"""Reads product exports of BigCommerce."""

from __future__ import annotations

import re
from typing import Any, Final

from stylesearch.importers.base import ImportOptions
from stylesearch.importers.tables.cells import (
    copy_cells,
    make_options,
    read_deepest_category,
    read_flag,
    read_number,
    split_list,
)
from stylesearch.importers.tables.items import BadRow, Item, Picture, Table, TableRow
from stylesearch.importers.tables.prices import choose_price, trim_price
from stylesearch.listing import ATTRIBUTE
from stylesearch.types import Variant

__all__ = ["BigCommerce"]

_KIND: Final = ("item", "item type")
_ID: Final = ("id", "product id")
_NAME: Final = ("name", "product name")
_SKU: Final = ("sku", "product code/sku")
_CATEGORIES: Final = ("categories", "category", "category string")
_VISIBLE: Final = ("is visible", "product visible?", "product visible")
_TRACKING: Final = ("inventory tracking", "track inventory")
_STOCK: Final = ("current stock", "current stock level", "stock level")
_BUYABLE: Final = ("allow purchases?", "allow purchases")
_URL: Final = ("product url",)
_VARIANT_IMAGE: Final = ("variant image url", "product image url")
_IMAGE: Final = ("internal image url (export)", "image url (import)")

_ATTRIBUTES: Final = {
    ATTRIBUTE + "brand": ("brand name", "brand"),
    ATTRIBUTE + "condition": ("product condition",),
}

_MODERN: Final = frozenset(("options", "inventory tracking", "is visible", "variant image url", "brand id"))
_LEGACY: Final = frozenset(
    ("product code/sku", "option set", "product visible?", "track inventory", "category", "product name")
)

_MODERN_OPTION: Final = re.compile(r"Name=(.*?)\|Value=(.*?)(?=\|?Type=|$)")
_LEGACY_OPTION: Final = re.compile(r"\[[A-Z]+\]([^=]+)=(.*?)(?=,\s*\[[A-Z]+\]|$)")
_NUMBERED_IMAGE: Final = re.compile(r"product image (url|file) (\d+)")
_LISTED_IMAGE: Final = re.compile(r"Product Image URL: *(.+?)(?=,\s|\||$)")


class BigCommerce:
    """The columns of BigCommerce's product export, today's and the legacy one.

    The rows of variants and pictures follow the row of their product, and do not name it.
    """

    name = "bigcommerce"

    def __init__(self) -> None:
        self._product = ""

    def rate(self, table: Table) -> int:
        columns = table.columns.keys()
        if "item" in columns and len(_MODERN & columns) >= 2:
            return 3
        return 3 if "item type" in columns and len(_LEGACY & columns) >= 3 else 0

    def read(self, row: TableRow, table: Table, options: ImportOptions) -> Item | None:
        kind = row.text(*_KIND).casefold()
        if kind == "product":
            self._product = row.text(*_SKU) or row.text(*_ID) or row.text(*_NAME)
            if not self._product:
                raise BadRow("a product without SKU, ID and name")
            return Item(
                self._product,
                self._read_said(row),
                pictures=self._read_pictures(row, table),
                is_shown=read_flag(row.text(*_VISIBLE)),
            )
        if kind not in ("variant", "sku", "image"):
            return None
        if not self._product:
            raise BadRow(f"{kind} before the first product")
        if kind == "image":
            image = row.text(*_IMAGE)
            return Item(self._product, pictures=(Picture(image),), is_part=True) if image else None
        return self._read_variant(row)

    def _read_variant(self, row: TableRow) -> Item:
        pairs = _MODERN_OPTION.findall(row.text("options")) or _LEGACY_OPTION.findall(row.text(*_NAME))
        values = make_options((name.strip(), re.sub(r":#.*$", "", value).strip()) for name, value in pairs)
        price = choose_price(trim_price(row.text("price")), trim_price(row.text("sale price")))[0]
        variant = Variant(row.text(*_SKU) or row.text(*_ID), values, price or None, _read_stock(row))
        image = row.text(*_VARIANT_IMAGE)
        return Item(self._product, {}, variant, (Picture(image, values),) if image else (), is_part=True)

    @staticmethod
    def _read_said(row: TableRow) -> dict[str, Any]:
        said = copy_cells(row, {"title": _NAME} | _ATTRIBUTES)
        if row.has(*_CATEGORIES):
            said["category"] = _read_category(row.text(*_CATEGORIES)) or None
        if row.text(*_URL).startswith(("http://", "https://")):
            said["url"] = row.text(*_URL)
        price, regular = choose_price(trim_price(row.text("price")), trim_price(row.text("sale price")))
        if row.has("price"):
            said["price"] = price or None
        if row.has("sale price"):
            said[ATTRIBUTE + "regular_price"] = regular or None
        if row.has(*_STOCK, *_BUYABLE):
            said["in_stock"] = _read_stock(row)
        return said

    @staticmethod
    def _read_pictures(row: TableRow, table: Table) -> tuple[Picture, ...]:
        """The pictures of a product's own row, which only the legacy export has."""
        numbered: dict[int, str] = {}
        for column in table.columns:
            found = _NUMBERED_IMAGE.fullmatch(column)
            if found and (text := row.text(column)) and (found[1] == "url" or int(found[2]) not in numbered):
                numbered[int(found[2])] = text
        locators = [locator for _, locator in sorted(numbered.items())]
        locators += _LISTED_IMAGE.findall(row.text("product images"))
        return tuple(Picture(locator) for locator in dict.fromkeys(locators))


def _read_category(text: str) -> str:
    """The deepest path: ``Shop/Dresses;Sale``, or ``Category Path: Shop/Dresses``; not numbers."""
    if re.fullmatch(r"[\d;,\s]*", text):
        return ""
    paths = re.findall(r"Category Path: *(.+?)(?=\||$)", text) or split_list(text, ";")
    return read_deepest_category(paths, "/")


def _read_stock(row: TableRow) -> bool | None:
    """Whether it can be bought: what is not tracked can."""
    if read_flag(row.text(*_BUYABLE)) is False:
        return False
    if row.text(*_TRACKING).casefold() == "none":
        return True
    number = read_number(row.text(*_STOCK))
    return None if number is None else number > 0
