"""Reads rows by a format, and joins them to products in the plainest way."""

from __future__ import annotations

import csv
import io
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stylesearch.importers.base import ImportOptions
from stylesearch.importers.tables.feed import open_feed
from stylesearch.importers.tables.items import BadRow, Item, Table, TableFormat, TableRow, plain_name
from stylesearch.money import lowest_price
from stylesearch.types import Variant

__all__ = ["Joined", "items_of", "join", "open_csv", "open_file", "read"]


@dataclass
class Joined:
    """A product, joined of its rows."""

    key: str
    said: dict[str, Any] = field(default_factory=dict)
    variants: list[Variant] = field(default_factory=list)
    pictures: dict[str, dict[str, str]] = field(default_factory=dict)
    is_shown: bool | None = None


def open_csv(text: str, delimiter: str = ",") -> tuple[Table, Iterator[TableRow]]:
    """A table as the importer makes it of a text file."""
    reader = csv.reader(io.StringIO(text), delimiter=delimiter)
    written = next(reader)
    names = [plain_name(name) for name in written]
    table = Table(dict(zip(names, written, strict=True)))

    def rows() -> Iterator[TableRow]:
        for values in reader:
            cells: dict[str, tuple[str, ...]] = {}
            for name, value in zip(names, values, strict=False):
                cells[name] = (*cells.get(name, ()), unicodedata.normalize("NFC", value.strip()))
            yield TableRow(reader.line_num, cells)

    return table, rows()


def open_file(path: Path) -> tuple[Table, list[TableRow]]:
    """A table in a file of any of the shop systems."""
    if path.suffix == ".xml":
        with open_feed(path) as (table, rows):
            found = list(rows)
        assert all(isinstance(row, TableRow) for row in found), found
        return table, [row for row in found if isinstance(row, TableRow)]
    text = path.read_text(encoding="utf-8-sig").lstrip("\ufeff").lstrip("\n")
    table, lines = open_csv(text, "\t" if path.suffix == ".tsv" else ",")
    return table, list(lines)


def items_of(
    format: TableFormat, table: Table, rows: Iterable[TableRow], **options: Any
) -> tuple[list[Item], dict[int, str]]:
    """What the rows say, and why others cannot be used, by line."""
    items, bad = [], {}
    for row in rows:
        try:
            item = format.read(row, table, ImportOptions(**options))
        except BadRow as error:
            bad[row.line] = str(error)
        else:
            if item is not None:
                items.append(item)
    return items, bad


def read(format: TableFormat, text: str, delimiter: str = ",", **options: Any) -> list[Item]:
    """What the rows of a text say; none may be bad."""
    items, bad = items_of(format, *open_csv(text, delimiter), **options)
    assert bad == {}
    return items


def join(items: Iterable[Item]) -> dict[str, Joined]:
    """Joins rows to products: by key, and by the other names of a product."""
    items = list(items)
    keys = {item.key for item in items}
    owners = {name: item.key for item in reversed(items) for name in item.names if name != item.key}
    groups: dict[str, list[Item]] = {}
    for item in items:
        groups.setdefault(owners.get(item.key, item.key), []).append(item)
    assert groups.keys() <= keys
    return {key: _join_rows(key, rows) for key, rows in groups.items()}


def _join_rows(key: str, rows: list[Item]) -> Joined:
    product = Joined(key)
    for item in sorted(rows, key=lambda item: (item.key != key, item.is_part)):
        for name, value in item.said.items():
            if product.said.get(name) is None:
                product.said[name] = value
        if product.is_shown is None:
            product.is_shown = item.is_shown
        if item.variant:
            product.variants.append(item.variant)
        for picture in item.pictures:
            options = dict(picture.options)
            if picture.locator in product.pictures and options:
                known = product.pictures[picture.locator] or options
                options = {name: value for name, value in known.items() if options.get(name) == value}
            elif picture.locator in product.pictures:
                options = product.pictures[picture.locator]
            product.pictures[picture.locator] = options
    if product.variants:
        product.said["price"] = lowest_price(
            variant.price for variant in product.variants
        ) or product.said.get("price")
        stocks = [variant.in_stock for variant in product.variants if variant.in_stock is not None]
        if stocks:
            product.said["in_stock"] = any(stocks)
    return product
