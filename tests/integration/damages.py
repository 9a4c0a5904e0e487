"""Damages of a catalog: what a disk, a copy that was cut short or another program does to the file."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Final

__all__ = ["FILE_DAMAGES", "ROW_DAMAGES", "SCHEMA_DAMAGES", "damage"]

ROW_DAMAGES: Final = {
    "a title that is no UTF-8": "UPDATE products SET title = CAST(x'ff41' AS TEXT)",
    "a title of bytes": "UPDATE products SET title = x'4142'",
    "a category that is no UTF-8": "UPDATE products SET category = CAST(x'ff41' AS TEXT)",
    "attributes that are no JSON": "UPDATE products SET attributes = '{'",
    "attributes that are a list": "UPDATE products SET attributes = '[1]'",
    "attributes that are a number": "UPDATE products SET attributes = 7",
    "attributes with NaN": "UPDATE products SET attributes = '{\"a\": NaN}'",
    "variants that are no JSON": "UPDATE products SET variants = 'none'",
    "variants of other fields": "UPDATE products SET variants = '[{\"size\": 1}]'",
    "a stock that is a text": "UPDATE products SET in_stock = 'perhaps'",
    "an amount that is a text": "UPDATE products SET amount = 'much', amount_max = 'more'",
    "an amount without end": "UPDATE products SET amount = 9e999, amount_max = 9e999",
    "said that is no JSON": "UPDATE listings SET said = 'x'",
    "said of another kind": "UPDATE listings SET said = '{\"title\": 5}'",
    "guesses that are a list": "UPDATE listings SET guesses = '[]'",
    "a place of bytes": "UPDATE listings SET place = x'00ff'",
    "a path that is no UTF-8": "UPDATE images SET path = CAST(x'ff' || CAST(pk AS TEXT) AS TEXT)",
    "a box that is none": "UPDATE images SET box = '1,2,3'",
    "a box without an area": "UPDATE images SET box = '5,5,5,5'",
    "a domain that is none": "UPDATE images SET domain = 'shoq'",
    "a state that is none": "UPDATE images SET state = 'o'",
    "a width that is a text": "UPDATE images SET width = 'wide'",
    "a negative height": "UPDATE images SET height = -1",
    "options that are no texts": "UPDATE images SET options = '{\"color\": 1}'",
    "a position that is a text": "UPDATE images SET position = 'first'",
    "options of a source that are none": "UPDATE sources SET options = '{'",
    "a run that is a text": "UPDATE sources SET run = 'last'",
    "a name of a source of bytes": "UPDATE sources SET name = x'ff'",
    "parameters that are a text": "UPDATE feature_sets SET parameters = '\"x\"'",
    "a width of vectors that is a text": "UPDATE feature_sets SET dim = 'many'",
    "another width of vectors": "UPDATE feature_sets SET dim = dim + 1",
    "a fingerprint of bytes": "UPDATE feature_sets SET fingerprint = x'ff'",
    "a flipped bit of a vector": "UPDATE features SET vector = zeroblob(length(vector))",
    "a vector cut short": "UPDATE features SET vector = substr(vector, 1, 6)",
    "a vector that is a text": "UPDATE features SET vector = 'vector'",
    "a checksum that is a text": "UPDATE features SET checksum = 'x'",
    "a category of vectors of bytes": "UPDATE features SET category = x'ff'",
    "no id of the catalog": "DELETE FROM about WHERE name = 'catalog_id'",
    "an id of the catalog that is none": "UPDATE about SET value = '../x' WHERE name = 'catalog_id'",
    "a mapped category of bytes": "INSERT INTO category_map VALUES (x'ff', x'ff')",
}
"""Statements, by what they do."""

SCHEMA_DAMAGES: Final = {
    "no table of products": "DROP TABLE products",
    "no table of listings": "DROP TABLE listings",
    "no table of features": "DROP TABLE features",
    "no table of counts": "DROP TABLE shown_counts",
    "no column for titles": "ALTER TABLE products DROP COLUMN title",
    "no column for checksums": "ALTER TABLE features DROP COLUMN checksum",
    "no revision": "DELETE FROM alembic_version",
    "a revision that is none": "UPDATE alembic_version SET version_num = 'x'",
    "no tables at all": "PRAGMA writable_schema = ON; DELETE FROM sqlite_master",
}

FILE_DAMAGES: Final[dict[str, Callable[[bytes], bytes]]] = {
    "an empty file": lambda data: b"",
    "a foreign file": lambda data: b"garbage" * 4096,
    "a file cut in the header": lambda data: data[:50],
    "a file cut in half": lambda data: data[: len(data) // 2],
    "a header of zeros": lambda data: bytes(100) + data[100:],
    "another size of pages": lambda data: data[:16] + b"\x02\x00" + data[18:],
    "another encoding of texts": lambda data: data[:56] + b"\x00\x00\x00\x02" + data[60:],
    "a schema of zeros": lambda data: data[:100] + bytes(8000) + data[8100:],
    "pages of noise": lambda data: data[:16384] + b"\xa5" * (len(data) - 16384),
}
"""What is made of the bytes of the file, by what that is."""


def damage(home: Path, name: str) -> None:
    """Does one of these damages to the catalog of a workspace that nobody has open."""
    path = home / "catalog.db"
    if name in FILE_DAMAGES:
        path.write_bytes(FILE_DAMAGES[name](path.read_bytes()))
        return
    statement = {**ROW_DAMAGES, **SCHEMA_DAMAGES}[name]
    with contextlib.closing(sqlite3.connect(path)) as raw:
        raw.executescript(statement)
        raw.commit()
