"""Reads product exports of Magento 2 and Adobe Commerce."""

from __future__ import annotations

import re
from collections import OrderedDict
from typing import Any, Final

from stylesearch.importers.base import ImportOptions
from stylesearch.importers.tables.cells import (
    copy_cells,
    make_options,
    one_or_all,
    option_name,
    read_deepest_category,
    read_flag,
    read_number,
    split_list,
    split_locators,
)
from stylesearch.importers.tables.items import BadRow, Item, Picture, Table, TableRow
from stylesearch.importers.tables.prices import choose_price, is_in_effect, trim_price
from stylesearch.listing import ATTRIBUTE
from stylesearch.types import Variant

__all__ = ["Magento"]

_MARKS: Final = frozenset(
    (
        *("attribute set code", "product websites", "additional attributes", "configurable variations"),
        *("base image", "additional images", "product online", "url key", "store view code", "visibility"),
        *("is in stock", "special price", "tax class name", "thumbnail image"),
    )
)
"""Columns of which a table with ``sku`` and ``product_type`` has several, if it is such an export."""

_KEPT_CHILDREN: Final = 50_000
"""Number of variants that are known by their parents until their own rows come."""

_USUAL_OPTIONS: Final = frozenset(("color", "size"))
"""Attributes that variants differ in in most shops; others are learned from configurable products."""

_INTERNAL: Final = frozenset(
    (
        "has_options",
        "required_options",
        "quantity_and_stock_status",
        "shipment_type",
        "gift_wrapping_available",
    )
)
"""Attributes that Magento writes for itself."""


class Magento:
    """The columns of a product export of Magento 2.

    Every variant is a row of its own, a simple product that is usually not visible individually; the row of
    the configurable product lists their SKUs and what they differ in, and comes before or after them. A row
    with a ``store_view_code`` repeats a product in another language.
    """

    name = "magento"

    def __init__(self) -> None:
        self._children: OrderedDict[str, tuple[str, dict[str, str]]] = OrderedDict()
        self._option_codes = set(_USUAL_OPTIONS)

    def rate(self, table: Table) -> int:
        if not {"sku", "product type"} <= table.columns.keys():
            return 0
        return 3 if len(_MARKS & table.columns.keys()) >= 3 else 0

    def read(self, row: TableRow, table: Table, options: ImportOptions) -> Item | None:
        sku = row.text("sku")
        if not sku:
            if any(value for values in row.cells.values() for value in values):
                raise BadRow("no sku")
            return None
        attributes = _read_pairs(row.text("additional attributes"))
        said = self._read_said(row, attributes)
        if row.text("store view code"):
            return Item(sku, {name: value for name, value in said.items() if name != "category"})
        if row.text("product type").casefold() == "configurable":
            return self._read_configurable(row, sku, said)
        parent, values = self._children.get(sku, ("", {}))
        is_alone = row.text("visibility").casefold() != "not visible individually"
        if not parent and is_alone:
            return Item(sku, said, pictures=_read_pictures(row, {}), is_shown=_is_online(row))
        if _is_online(row) is False and not options.unpublished:
            return None
        if not parent:
            values = make_options(
                (code, text) for code, text in attributes.items() if code in self._option_codes
            )
        variant = Variant(sku, values, self._read_price(row)[0] or None, _read_stock(row))
        pictures = _read_pictures(row, values)
        if parent:
            return Item(parent, {}, variant, pictures, is_part=True)
        # Its configurable product may still come, and then this is a row of that.
        return Item(sku, {"title": said.get("title")}, variant, pictures, is_shown=False)

    def _read_configurable(self, row: TableRow, sku: str, said: dict[str, Any]) -> Item:
        children: list[str] = []
        for text in row.text("configurable variations").split("|"):
            pairs = _read_pairs(text)
            child = pairs.pop("sku", "")
            if child:
                children.append(child)
                self._option_codes.update(pairs)
                self._children[child] = (sku, make_options(pairs.items()))
                self._children.move_to_end(child)
        while len(self._children) > _KEPT_CHILDREN:
            self._children.popitem(last=False)
        return Item(
            sku, said, pictures=_read_pictures(row, {}), names=tuple(children), is_shown=_is_online(row)
        )

    def _read_said(self, row: TableRow, attributes: dict[str, str]) -> dict[str, Any]:
        """What a row says of a product as a whole."""
        said = copy_cells(row, {"title": ("name",), ATTRIBUTE + "url_key": ("url key",)})
        if row.has("categories"):
            said["category"] = _read_category(row.text("categories")) or None
        price, regular = self._read_price(row)
        if row.has("price", "special price"):
            said["price"] = price or None
        if row.has("special price"):
            said[ATTRIBUTE + "regular_price"] = regular or None
        if row.has("is in stock", "qty"):
            said["in_stock"] = _read_stock(row)
        for code, text in attributes.items():
            if code not in _INTERNAL:
                name = ATTRIBUTE + option_name(code).replace(" ", "_")
                said[name] = one_or_all(split_list(text, "|"))
        return said

    @staticmethod
    def _read_price(row: TableRow) -> tuple[str, str]:
        start, end = row.text("special price from date"), row.text("special price to date")
        return choose_price(
            trim_price(row.text("price")),
            trim_price(row.text("special price")),
            on_sale=is_in_effect(start, end),
        )


def _read_pairs(text: str) -> dict[str, str]:
    r"""Reads ``color=Black,size=XS``; values may have commas, and quotes around them.

    Example:
        >>> _read_pairs('style="Full Zip, Hooded",size=XS')
        {'style': 'Full Zip, Hooded', 'size': 'XS'}
    """
    pairs: dict[str, str] = {}
    for part in re.split(r",\s*(?=[A-Za-z]\w*=)", text):
        code, equals, value = part.strip().partition("=")
        value = value.strip()
        if len(value) > 1 and value[0] == value[-1] == '"':
            value = value[1:-1].replace('""', '"')
        if equals and value:
            pairs[code.strip()] = value
    return pairs


def _read_category(text: str) -> str:
    """The deepest path without its root, which is the shop; a comma may be within a name."""
    paths: list[str] = []
    for part in split_list(text):
        if paths and "/" not in part and part != paths[0].partition("/")[0]:
            paths[-1] += ", " + part
        else:
            paths.append(part)
    return read_deepest_category([re.sub(r"^[^/]*/?", "", path, count=1) for path in paths], "/")


def _read_stock(row: TableRow) -> bool | None:
    if read_flag(row.text("manage stock")) is False and not read_flag(row.text("use config manage stock")):
        return True
    stock = read_flag(row.text("is in stock"))
    if stock is None:
        number = read_number(row.text("qty"))
        return None if number is None else number > 0
    return stock


def _is_online(row: TableRow) -> bool | None:
    """Whether the product is enabled: 1 is yes, 2 is no."""
    text = row.text("product online")
    return False if text == "2" else read_flag(text)


def _read_pictures(row: TableRow, options: dict[str, str]) -> tuple[Picture, ...]:
    hidden = set(split_locators(row.text("hide from product page")))
    locators = [row.text("base image") or row.text("small image") or row.text("thumbnail image")]
    locators += [
        locator for locator in split_locators(row.text("additional images")) if locator not in hidden
    ]
    found = dict.fromkeys(locator for locator in locators if locator not in ("", "no_selection"))
    return tuple(Picture(locator, options) for locator in found)
