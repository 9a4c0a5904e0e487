"""Reads product exports of Shopify."""

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
    read_category,
    read_flag,
    read_number,
    split_list,
)
from stylesearch.importers.tables.items import BadRow, Item, Picture, Table, TableRow
from stylesearch.importers.tables.prices import choose_price
from stylesearch.listing import ATTRIBUTE
from stylesearch.types import Variant

__all__ = ["Shopify"]

_HANDLE: Final = ("handle", "url handle")
_SKU: Final = ("variant sku", "sku")
_PRICE: Final = ("variant price", "price")
_COMPARE_AT: Final = ("variant compare at price", "compare at price")
_IMAGE: Final = ("image src", "product image url")
_VARIANT_IMAGE: Final = ("variant image", "variant image url")
_TRACKER: Final = ("variant inventory tracker", "inventory tracker")
_QUANTITY: Final = ("variant inventory qty", "inventory quantity")
_POLICY: Final = ("variant inventory policy", "continue selling when out of stock")
_PUBLISHED: Final = ("published", "published on online store")
_CATEGORY: Final = (
    "type",
    "custom product type",
    "product category",
    "standardized product type",
    "standard product type",
    "google shopping / google product category",
)

_ATTRIBUTES: Final = {
    ATTRIBUTE + "vendor": ("vendor",),
    ATTRIBUTE + "gender": ("google shopping / gender",),
    ATTRIBUTE + "age_group": ("google shopping / age group",),
    ATTRIBUTE + "image_alt": ("image alt text",),
}

_MARKS: Final = frozenset(
    (
        *("body (html)", "variant sku", "variant price", "option1 value", "option1 name", "image src"),
        *("variant image", "variant grams", "variant inventory policy", "product image url"),
        *("variant image url", "compare at price", "published on online store"),
        *("continue selling when out of stock", "option1 linked to", "weight value (grams)"),
    )
)
"""Columns of which a table with a handle has several, if Shopify wrote it."""

_METAFIELD: Final = re.compile(r"(?P<label>.*?) ?\((?:product\.)?metafields\..*\)")

_KEPT_HANDLES: Final = 10_000
"""Number of products whose first row is remembered for rows that come later."""


class Shopify:
    """The columns of a product CSV of Shopify, those until 2024 and those since.

    A product has a row for each variant and each further picture. The first row says what the product is and
    how its options are called; the others have its handle, and either a variant or a picture or both, which
    have nothing to do with each other.
    """

    name = "shopify"

    def __init__(self) -> None:
        self._first_rows: OrderedDict[str, tuple[tuple[str, ...], bool | None]] = OrderedDict()

    def rate(self, table: Table) -> int:
        columns = table.columns.keys()
        if columns.isdisjoint(_HANDLE) or columns.isdisjoint((*_PRICE, *_IMAGE, *_VARIANT_IMAGE)):
            return 0
        return 3 if len(_MARKS & columns) >= 2 else 0

    def read(self, row: TableRow, table: Table, options: ImportOptions) -> Item | None:
        handle = row.text(*_HANDLE)
        if not handle:
            if any(value for values in row.cells.values() for value in values):
                raise BadRow(f"no handle in the column {table.columns.get('handle', 'URL handle')!r}")
            return None
        title = row.text("title")
        names, is_shown = self._read_first_row(row, handle)
        values = _read_options(row, names)
        is_variant = bool(values or row.text(*_PRICE) or row.text(*_SKU))
        said = self._read_product(row, table) if title else {}
        variant = None
        if is_variant and values:
            variant = Variant(
                _read_sku(row), values, choose_price(*self._read_prices(row))[0] or None, _can_be_bought(row)
            )
        elif is_variant or title:
            said |= self._read_single(row)
        return Item(
            handle,
            said,
            variant,
            self._read_pictures(row, values),
            is_shown=is_shown,
            is_part=not title,
        )

    def _read_product(self, row: TableRow, table: Table) -> dict[str, Any]:
        """What the first row says of the product as a whole."""
        said: dict[str, Any] = {"title": row.text("title")}
        if row.has(*_CATEGORY):
            paths = (read_category(row.text(name)) for name in _CATEGORY)
            said["category"] = next((path for path in paths if path and not path.isdigit()), None)
        said |= copy_cells(row, _ATTRIBUTES)
        if row.has("tags"):
            said[ATTRIBUTE + "tags"] = split_list(row.text("tags")) or None
        if row.has(*_COMPARE_AT):
            said[ATTRIBUTE + "regular_price"] = choose_price(*self._read_prices(row))[1] or None
        for column, written in table.columns.items():
            if found := _METAFIELD.fullmatch(written):
                name = ATTRIBUTE + option_name(found["label"]).replace(" ", "_")
                said.setdefault(name, one_or_all(split_list(row.text(column), ";")))
        return said

    def _read_single(self, row: TableRow) -> dict[str, Any]:
        """What a row says of a product that is sold in one way only."""
        said: dict[str, Any] = {}
        if row.has(*_PRICE):
            said["price"] = choose_price(*self._read_prices(row))[0] or None
        if row.has(*_QUANTITY, *_TRACKER, *_POLICY):
            said["in_stock"] = _can_be_bought(row)
        if sku := _read_sku(row):
            said[ATTRIBUTE + "sku"] = sku
        return said

    @staticmethod
    def _read_prices(row: TableRow) -> tuple[str, str]:
        """The price before a reduction, or else the price; and the price."""
        price = row.text(*_PRICE)
        return row.text(*_COMPARE_AT) or price, price

    def _read_first_row(self, row: TableRow, handle: str) -> tuple[tuple[str, ...], bool | None]:
        """What only the first row of a handle says, for this row: names of options, and if it is shown."""
        names = tuple(row.text(f"option{number} name") for number in (1, 2, 3))
        known_names, is_shown = self._first_rows.get(handle, (names, None))
        if row.text("title"):
            is_shown = _is_shown(row)
        if not any(names):
            names = known_names
        self._first_rows[handle] = names, is_shown
        self._first_rows.move_to_end(handle)
        if len(self._first_rows) > _KEPT_HANDLES:
            self._first_rows.popitem(last=False)
        return names, is_shown

    @staticmethod
    def _read_pictures(row: TableRow, options: dict[str, str]) -> tuple[Picture, ...]:
        pictures = []
        if image := row.text(*_IMAGE):
            pictures.append(Picture(image))
        if image := row.text(*_VARIANT_IMAGE):
            pictures.append(Picture(image, options))
        return tuple(pictures)


def _read_options(row: TableRow, names: tuple[str, ...]) -> dict[str, str]:
    """The options of the row's variant."""
    values = [row.text(f"option{number} value") for number in (1, 2, 3)]
    if values[0].casefold() == "default title" and not any(values[1:]):
        return {}
    return make_options(
        (name or f"option {number}", value)
        for number, (name, value) in enumerate(zip(names, values, strict=True), 1)
    )


def _read_sku(row: TableRow) -> str:
    """The SKU, without the apostrophe that keeps spreadsheets from reading a number."""
    return row.text(*_SKU).removeprefix("'")


def _is_shown(row: TableRow) -> bool | None:
    status = row.text("status").casefold()
    if status in ("draft", "archived", "unlisted"):
        return False
    published = read_flag(row.text(*_PUBLISHED))
    if published is not None:
        return published
    return True if status or row.has(*_PUBLISHED) else None


def _can_be_bought(row: TableRow) -> bool | None:
    """Whether the row's variant can be bought: Shopify sells all whose stock it does not track."""
    if read_flag(row.text(*_POLICY)) or row.text(*_POLICY).casefold() == "continue":
        return True
    if row.has(*_TRACKER) and not row.text(*_TRACKER):
        return True
    quantity = read_number(row.text(*_QUANTITY))
    return None if quantity is None else quantity > 0
