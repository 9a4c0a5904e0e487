"""Keeps the rows of a table on the disk until all rows of a product are known.

The rows of a product may be anywhere in a file, and a million of them do not fit in memory, so they are
kept in an SQLite database in a temporary file, which SQLite creates only when its cache is full.
"""

from __future__ import annotations

import contextlib
import marshal
import sqlite3
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from stylesearch.errors import DatasetError
from stylesearch.importers.tables.items import Item, Picture
from stylesearch.types import Box, Domain, Variant

__all__ = ["MAX_ROWS", "ProductRows", "RowStore"]

MAX_ROWS: Final = 10_000
"""Rows of one product; more are left out, so that they fit in memory."""

_BATCH: Final = 1000
_CACHE_KIB: Final = 48_000


@dataclass(frozen=True, slots=True)
class ProductRows:
    """The rows of one product.

    Attributes:
        key: id of the product.
        rows: line and item of each row, at most ``MAX_ROWS``. Rows about the product come before those of
            its variants, and its own before those that mean it by another name; else in the order of the
            table.
        more: the line of the first row that is left out; 0 for none.
        n_more: number of rows that are left out.
    """

    key: str
    rows: list[tuple[int, Item]]
    more: int = 0
    n_more: int = 0


class RowStore:
    """Keeps rows by product; must be closed after use.

    Rows are one product if they have the same key, or if one product lists the key of the other among its
    ``names``; of several that do, the first gets it.
    """

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        for statement in (
            "PRAGMA journal_mode = OFF",
            f"PRAGMA cache_size = -{_CACHE_KIB}",
            "CREATE TABLE keys (key TEXT PRIMARY KEY, product INTEGER) WITHOUT ROWID",
            "CREATE TABLE names (name TEXT PRIMARY KEY, product INTEGER) WITHOUT ROWID",
            "CREATE TABLE rows (n INTEGER PRIMARY KEY, line INTEGER, product INTEGER, item BLOB)",
            "BEGIN",
        ):
            self._database.execute(statement)
        self._cursor = self._database.cursor()
        self._waiting: list[tuple[int, int, bytes]] = []
        self._n_products = 0
        self._last = ("", -1)
        self._is_sorted = True
        self._has_names = False

    def close(self) -> None:
        """Closes the database and deletes its file."""
        self._database.close()

    def add(self, line: int, item: Item) -> None:
        """Keeps a row.

        Raises:
            DatasetError: the temporary folder is full.
        """
        with _disk_errors():
            product = self._number(item.key)
            for name in item.names:
                if name and name != item.key:
                    self._has_names = True
                    self._cursor.execute("INSERT OR IGNORE INTO names VALUES (?, ?)", (name, product))
            self._waiting.append((line, product, _pack(item)))
            if len(self._waiting) >= _BATCH:
                self._flush()

    def products(self) -> Iterator[ProductRows]:
        """Yields the products in the order of their first row; no row may be added after that."""
        with _disk_errors():
            self._flush()
            owners = self._owners()
            rows = self._sorted_rows(owners)
            current = -1
            group: list[tuple[bool, int, Item]] = []
            more = n_more = 0
            for line, product, packed in rows:
                owner = owners[product] if owners else product
                if owner != current:
                    if group:
                        yield _product_rows(group, more, n_more)
                    current, group, more, n_more = owner, [], 0, 0
                if len(group) < MAX_ROWS:
                    group.append((owner != product, line, _unpack(packed)))
                else:
                    more, n_more = more or line, n_more + 1
            if group:
                yield _product_rows(group, more, n_more)

    def _number(self, key: str) -> int:
        """The number of the product with this key, in the order of their first rows."""
        if self._last[0] == key and self._last[1] >= 0:
            return self._last[1]
        number = self._n_products
        self._cursor.execute("INSERT OR IGNORE INTO keys VALUES (?, ?)", (key, number))
        if self._cursor.rowcount:
            self._n_products += 1
        else:
            number = self._cursor.execute("SELECT product FROM keys WHERE key = ?", (key,)).fetchone()[0]
            self._is_sorted = False
        self._last = (key, number)
        return number

    def _flush(self) -> None:
        self._cursor.executemany("INSERT INTO rows (line, product, item) VALUES (?, ?, ?)", self._waiting)
        self._waiting.clear()

    def _owners(self) -> array[int] | None:
        """The number of the product that each product belongs to; None where each is its own."""
        if not self._has_names:
            return None
        owners = array("q", range(self._n_products))

        def find(product: int) -> int:
            while owners[product] != product:
                owners[product] = owners[owners[product]]
                product = owners[product]
            return product

        links = self._database.execute(
            "SELECT keys.product, names.product FROM names JOIN keys ON keys.key = names.name "
            "WHERE keys.product != names.product ORDER BY keys.product"
        )
        for product, owner in links:
            if find(owner) != product:  # two that name each other: the one stays the other's
                owners[product] = find(owner)
        for product in range(self._n_products):
            owners[product] = find(product)
        return owners

    def _sorted_rows(self, owners: array[int] | None) -> Iterator[tuple[int, int, bytes]]:
        columns = "SELECT line, product, item FROM rows"
        if owners is None:
            # Where the rows of each product follow each other, they are in order already.
            return self._database.execute(f"{columns} ORDER BY {'n' if self._is_sorted else 'product, n'}")
        first = array("q", range(self._n_products))
        for product, owner in enumerate(owners):
            first[owner] = min(first[owner], product)
        places = array("q", (first[owner] for owner in owners))
        self._database.create_function("place", 1, places.__getitem__, deterministic=True)
        return self._database.execute(f"{columns} ORDER BY place(product), n")


@contextlib.contextmanager
def _disk_errors() -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        raise DatasetError(
            f"cannot keep the rows of the table in the folder for temporary files: {error}",
            hint="make room there, or let TMPDIR and SQLITE_TMPDIR name another folder",
        ) from error


def _product_rows(group: list[tuple[bool, int, Item]], more: int, n_more: int) -> ProductRows:
    key = next((item.key for is_other, _, item in group if not is_other), group[0][2].key)
    if len(group) > 1:
        group.sort(key=lambda row: (row[0], row[2].variant is not None))  # stable
    return ProductRows(key, [(line, item) for _, line, item in group], more, n_more)


def _pack(item: Item) -> bytes:
    """Packs an item; marshal is several times faster than pickle, and only this process reads it."""
    variant = item.variant
    values: Any = (
        item.key,
        dict(item.said),
        variant and (variant.id, dict(variant.options), variant.price, variant.in_stock, variant.url),
        [_pack_picture(picture) for picture in item.pictures],
        dict(item.guesses),
        item.is_shown,
        item.is_part,
        item.problem,
    )
    return marshal.dumps(values)


def _pack_picture(picture: Picture) -> tuple[Any, ...]:
    box = picture.box
    return (
        picture.locator,
        dict(picture.options),
        picture.domain and picture.domain.value,
        box and (box.x0, box.y0, box.x1, box.y1),
    )


def _unpack(packed: bytes) -> Item:
    values: tuple[Any, ...] = marshal.loads(packed)
    key, said, variant, pictures, guesses, is_shown, is_part, problem = values
    return Item(
        key,
        said,
        variant and Variant(*variant),
        tuple(
            Picture(locator, options, domain and Domain(domain), box and Box(*box))
            for locator, options, domain, box in pictures
        ),
        (),
        guesses,
        is_shown,
        is_part,
        problem,
    )
