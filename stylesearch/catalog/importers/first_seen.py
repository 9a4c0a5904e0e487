"""What a table has said so far, on the disk: five million products do not fit in memory."""

from __future__ import annotations

import json
import sqlite3
from hashlib import blake2b

from stylesearch.types import Product

__all__ = ["FirstSeen"]


class FirstSeen:
    """The first row of every product and picture of a table. To be closed after use.

    It is a database in a temporary file, which SQLite makes only when its cache is full.
    """

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        for statement in (
            "PRAGMA journal_mode = OFF",
            "PRAGMA cache_size = -32000",
            "CREATE TABLE products (id TEXT PRIMARY KEY, line INTEGER, product TEXT) WITHOUT ROWID",
            "CREATE TABLE pictures (key BLOB PRIMARY KEY, line INTEGER, what TEXT) WITHOUT ROWID",
            "BEGIN",
        ):
            self._database.execute(statement)
        self._last: tuple[int, Product] | None = None

    def close(self) -> None:
        """Forgets everything."""
        self._database.close()

    def product(self, line: int, product: Product) -> tuple[int, Product]:
        """The line that described a product first and what it said; this one, if it is the first."""
        if self._last is not None and self._last[1].id == product.id:
            return self._last
        found = self._database.execute(
            "SELECT line, product FROM products WHERE id = ?", (product.id,)
        ).fetchone()
        if found is None:
            fields = [product.title, product.category, product.url, product.price, dict(product.attributes)]
            self._database.execute(
                "INSERT INTO products VALUES (?, ?, ?)", (product.id, line, json.dumps(fields))
            )
            self._last = (line, product)
        else:
            self._last = (found[0], Product(product.id, *json.loads(found[1])))
        return self._last

    def picture(self, line: int, product_id: str, path: str, what: str) -> tuple[int, str]:
        """The line that listed a picture of a product first and what it said about it; or this one's."""
        key = blake2b(f"{product_id}\0{path}".encode(), digest_size=16).digest()
        found = self._database.execute("SELECT line, what FROM pictures WHERE key = ?", (key,)).fetchone()
        if found is None:
            self._database.execute("INSERT INTO pictures VALUES (?, ?, ?)", (key, line, what))
            return line, what
        return int(found[0]), str(found[1])
