"""Reads product tables of PrestaShop."""

from __future__ import annotations

import re
from typing import Any, Final

from stylesearch.importers.base import ImportOptions
from stylesearch.importers.tables.cells import (
    make_options,
    option_name,
    read_deepest_category,
    read_flag,
    read_number,
    split_list,
    split_locators,
)
from stylesearch.importers.tables.items import BadRow, Item, Picture, Table, TableRow
from stylesearch.listing import ATTRIBUTE
from stylesearch.types import Variant

__all__ = ["PrestaShop"]

_ID: Final = ("product id", "product id*", "id")
_NAME: Final = ("name *", "name*", "name")
_ACTIVE: Final = ("active (0/1)", "active", "status", "enabled")
_CATEGORIES: Final = ("categories (x,y,z...)", "categories", "category")
_PRICE: Final = (
    *("price tax included", "price (tax incl.)", "price tax incl.", "price tax excluded"),
    *("price (tax excl.)", "price tax excl.", "price"),
)
_REFERENCE: Final = ("reference #", "reference")
_IMAGES: Final = ("image urls (x,y,z...)", "image urls", "image url", "images url", "image")
_QUANTITY: Final = ("quantity",)
_TAGS: Final = ("tags (x,y,z...)", "tags")
_FEATURES: Final = ("feature(name:value:position)", "feature (name:value:position:customized)", "feature")
_OPTIONS: Final = ("attribute (name:type:position)*", "attribute (name:type:position)")
_VALUES: Final = ("value (value:position)*", "value (value:position)")

_MARKS: Final = frozenset(
    (
        *_PRICE[:6],
        *("active (0/1)", "categories (x,y,z...)", "image urls (x,y,z...)", "tax rules id", "reference #"),
        *(
            "on sale (0/1)",
            "url rewritten",
            "wholesale price",
            "ecotax",
            "delete existing images (0 = no, 1 = yes)",
        ),
    )
)
"""Columns of which a table with an id and a name has several, if it is PrestaShop's."""

_ROOTS: Final = frozenset(("root", "home", "accueil", "startseite", "inicio"))


class PrestaShop:
    """The columns of PrestaShop's import files, and of the export of its list of products.

    Combinations are a table of their own, which names products by their number: a second source.
    """

    name = "prestashop"

    def rate(self, table: Table) -> int:
        columns = table.columns.keys()
        if any(name in columns for name in _OPTIONS) and any(name in columns for name in _VALUES):
            return 3
        if not any(name in columns for name in _ID) or not any(name in columns for name in _NAME):
            return 0
        return 3 if len(_MARKS & columns) >= 2 else 0

    def read(self, row: TableRow, table: Table, options: ImportOptions) -> Item | None:
        key = row.text(*_ID) or row.text(*_REFERENCE)
        if not key:
            if any(value for values in row.cells.values() for value in values):
                raise BadRow("neither a product ID nor a reference")
            return None
        if row.has(*_OPTIONS):
            return self._read_combination(row, key)
        return Item(
            key,
            self._read_said(row),
            pictures=_read_pictures(row, {}),
            is_shown=False if row.text("visibility").casefold() == "none" else read_flag(row.text(*_ACTIVE)),
        )

    @staticmethod
    def _read_combination(row: TableRow, key: str) -> Item:
        names, values = split_list(row.text(*_OPTIONS)), split_list(row.text(*_VALUES))
        if len(names) != len(values):
            raise BadRow(f"{len(names)} attributes and {len(values)} values")
        options = make_options(
            (name.partition(":")[0], re.sub(r":\d*$", "", value))
            for name, value in zip(names, values, strict=True)
        )
        variant = Variant(row.text(*_REFERENCE), options, None, _read_stock(row))
        return Item(key, {}, variant, _read_pictures(row, options))

    @staticmethod
    def _read_said(row: TableRow) -> dict[str, Any]:
        said: dict[str, Any] = {}
        if row.has(*_NAME):
            said["title"] = row.text(*_NAME) or None
        if row.has(*_CATEGORIES):
            said["category"] = _read_category(row.text(*_CATEGORIES)) or None
        if row.has(*_PRICE):
            said["price"] = row.text(*_PRICE) or None
        if row.has(*_QUANTITY):
            said["in_stock"] = _read_stock(row)
        for name, columns in (
            ("sku", _REFERENCE),
            ("brand", ("manufacturer", "brand")),
            ("condition", ("condition",)),
        ):
            if row.has(*columns):
                said[ATTRIBUTE + name] = row.text(*columns) or None
        if row.has(*_TAGS):
            said[ATTRIBUTE + "tags"] = split_list(row.text(*_TAGS)) or None
        for feature in split_list(row.text(*_FEATURES)):
            name, _, rest = feature.partition(":")
            value = rest.partition(":")[0].strip()
            if name and value:
                said.setdefault(ATTRIBUTE + option_name(name).replace(" ", "_"), value)
        return said


def _read_category(text: str) -> str:
    """The deepest category: names, or paths with ``/`` from the shop's start page; not numbers."""
    paths = []
    for part in split_list(text):
        first, slash, rest = part.partition("/")
        is_root = first.strip().casefold() in _ROOTS
        path = rest if is_root and slash else "" if is_root else part
        if not path.strip().isdigit():
            paths.append(path)
    return read_deepest_category(paths, "/")


def _read_stock(row: TableRow) -> bool | None:
    """Whether it can be bought: what is out of stock can where the shop takes orders for it (action 1)."""
    if read_flag(row.text("available for order (0 = no, 1 = yes)", "available for order (0/1)")) is False:
        return False
    number = read_number(row.text(*_QUANTITY))
    return None if number is None else number > 0 or row.text("out of stock action") == "1"


def _read_pictures(row: TableRow, options: dict[str, str]) -> tuple[Picture, ...]:
    return tuple(Picture(locator, options) for locator in dict.fromkeys(split_locators(row.text(*_IMAGES))))
