"""Reads a CSV or TSV file with a header: one row for each image of a product.

- Columns ``id``, ``title``, ``category``, ``image``, ``price``, ``url``, ``domain`` (``shop``, ``consumer``)
  and ``box`` (``x0,y0,x1,y1``), in any order; only ``image`` has to be there. Every other column that has a
  name becomes an attribute of the product.
- ``image`` is a path relative to the table's folder, and not outside it unless the user allows that.
- Without a column ``id`` every image is a product, and its path is the id. Where there is one, it must be
  filled in: an id that was forgotten is not guessed.
- The first row of a product describes it; later rows may be anywhere and leave cells empty. A row
  that puts the product in *another category* is refused: most likely its id is wrong.
- Without a title the id is the title; without a category it is ``uncategorized``.
- An image listed twice for a product counts once; with another box or domain the second row is refused.
- Delimiters are comma, semicolon and tab; encodings UTF-8, UTF-16 with a mark, and else Windows-1252.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import re
import sqlite3
import stat
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Final

from stylesearch.errors import DatasetError
from stylesearch.importers.base import ImportOptions, title_from_name
from stylesearch.importers.table_reader import BadRow, Header, Row, open_table, sniff_header
from stylesearch.listing import UNCATEGORIZED, Listing, Record
from stylesearch.types import Box, Domain, Failure, Product

__all__ = ["TableImporter"]

_SUFFIXES: Final = {".csv", ".tsv", ".tab"}
_REMOTE: Final = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]+:)?//|data:", re.IGNORECASE)


class TableImporter:
    """Reads a table; see the module for its columns. Stateless."""

    name = "csv"

    def sniff(self, path: Path) -> int:
        """2 for a file whose header has a column for the image, 1 for another with a table's ending."""
        if not path.is_file():
            return 0
        if sniff_header(path) is not None:
            return 2
        return 1 if path.suffix.lower() in _SUFFIXES else 0

    def records(self, path: Path, options: ImportOptions) -> Iterator[Record | Failure]:
        """Lists every row of the table, in its order; see ``Importer``.

        Raises:
            DatasetError: it cannot be opened, has no usable header, or no rows.

        Warns:
            TableEncodingWarning: it is not UTF-8.
        """
        if not path.is_file():
            raise DatasetError(f"not a file: {path}", hint="give a CSV or TSV file with a header")
        empty = True
        with open_table(path) as (header, rows), contextlib.closing(_FirstRows()) as seen:
            reader = _RowReader(
                header, _ImagePaths(path.parent.absolute(), allow_outside=options.allow_outside), seen
            )
            for row in rows:
                empty = False
                try:
                    record = reader.record(row, options.domain)
                except BadRow as error:
                    yield Failure(f"{path}:{row.line}", str(error))
                else:
                    if record is not None:
                        yield record
        if empty:
            raise DatasetError(f"{path}: a header, but no rows below it")

    def count(self, path: Path) -> int:
        """Number of lines below the first."""
        lines = 0
        with path.open("rb") as file:
            while chunk := file.read(1 << 20):
                lines += chunk.count(b"\n")
                ended = chunk.endswith(b"\n")
        return max(lines - 1 + (0 if lines == 0 or ended else 1), 0)


class _RowReader:
    """Turns rows into records."""

    def __init__(self, header: Header, paths: _ImagePaths, seen: _FirstRows) -> None:
        self._header = header
        self._paths = paths
        self._seen = seen

    def record(self, row: Row, domain: Domain) -> Record | None:
        """Makes the record of a row; None for a row that repeats an earlier one.

        Raises:
            BadRow: the row is not a valid record.
        """
        if isinstance(row.cells, BadRow):
            raise row.cells
        cells = row.cells
        cell = {field: cells[position] for field, position in self._header.columns.items()}
        # The product is remembered first: its description holds for later rows, even if this image is
        # missing.
        product = self._product(row.line, cells, cell) if "id" in cell else None
        if not cell["image"]:
            raise BadRow("no picture given")
        path = self._paths.locate(cell["image"])
        if product is None:
            name = {"id": self._paths.relative(path), "title": title_from_name(Path(path).stem)}
            product = self._product(
                row.line, cells, name | {field: text for field, text in cell.items() if text}
            )
        record_domain = _domain(cell.get("domain", ""), domain)
        box = _box(cell.get("box", ""))
        what = f"{record_domain} {box}"
        first_line, first_what = self._seen.image(row.line, product.id, path, what)
        if first_line == row.line:
            return Record(Listing.of(product), path, record_domain, box)
        if first_what != what:
            raise BadRow(f"line {first_line} has this picture with another box or domain")
        return None

    def _product(self, line: int, cells: Sequence[str], cell: dict[str, str]) -> Product:
        if not cell["id"]:
            raise BadRow("no id given")
        product = Product(
            id=cell["id"],
            title=cell.get("title") or cell["id"],
            category=cell.get("category") or UNCATEGORIZED,
            url=cell.get("url") or None,
            price=cell.get("price") or None,
            attributes={
                name: cells[position] for position, name in self._header.attributes if cells[position]
            },
        )
        first_line, first = self._seen.product(line, product)
        if cell.get("category") and product.category != first.category:
            raise BadRow(
                f"the product {product.id!r} is in the category {first.category!r} (line {first_line}), "
                f"here in {product.category!r}"
            )
        return first


class _FirstRows:
    """Remembers the first row of every product and image of a table; must be closed after use.

    It is an SQLite database in a temporary file, which SQLite creates only when its cache is full: five
    million products do not fit in memory.
    """

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        for statement in (
            "PRAGMA journal_mode = OFF",
            "PRAGMA cache_size = -32000",
            "CREATE TABLE products (id TEXT PRIMARY KEY, line INTEGER, product TEXT) WITHOUT ROWID",
            "CREATE TABLE images (key BLOB PRIMARY KEY, line INTEGER, what TEXT) WITHOUT ROWID",
            "BEGIN",
        ):
            self._database.execute(statement)
        self._last: tuple[int, Product] | None = None

    def close(self) -> None:
        """Closes the database and deletes its file."""
        self._database.close()

    def product(self, line: int, product: Product) -> tuple[int, Product]:
        """Returns the first line that described a product, and its description; stores a first one."""
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

    def image(self, line: int, product_id: str, path: str, what: str) -> tuple[int, str]:
        """Returns the first line that listed an image of a product, and what it said; or stores this one."""
        key = blake2b(f"{product_id}\0{path}".encode(), digest_size=16).digest()
        found = self._database.execute("SELECT line, what FROM images WHERE key = ?", (key,)).fetchone()
        if found is None:
            self._database.execute("INSERT INTO images VALUES (?, ?, ?)", (key, line, what))
            return line, what
        return int(found[0]), str(found[1])


class _ImagePaths:
    """Finds the files that a table names, inside the table's folder unless the user allows others.

    A table may come from an untrusted source, so without ``allow_outside`` it can name no file outside its
    own folder: not by an absolute path, not by ``..``, not through links.
    """

    def __init__(self, folder: Path, *, allow_outside: bool) -> None:
        self._folder = str(folder)
        self._allow_outside = allow_outside
        self._inside = os.path.realpath(folder).rstrip("/") + "/"
        self._real_folder = functools.lru_cache(maxsize=1024)(os.path.realpath)

    def locate(self, cell: str) -> str:
        """Finds the absolute path of the image that ``cell`` names.

        Raises:
            BadRow: it is remote, outside, missing, or not a file.
        """
        if _REMOTE.match(cell):
            raise BadRow(f"pictures must be local files in this version. Received: {cell}")
        path = os.path.join(self._folder, cell)  # noqa: PTH118 - an absolute cell replaces the folder
        if "\\" in cell and not os.path.lexists(path):
            path = os.path.join(self._folder, cell.replace("\\", "/"))  # noqa: PTH118 - written on Windows
        real = self._real(path)
        if not self._allow_outside and not real.startswith(self._inside):
            raise BadRow(
                "the picture is outside the folder of the table (--allow-outside lets it in). "
                f"Received: {cell}"
            )
        try:
            mode = os.stat(path).st_mode  # noqa: PTH116 - five million of them: no Path for each
        except FileNotFoundError:
            raise BadRow(f"no such picture: {path}") from None
        except OSError as error:
            raise BadRow(f"cannot look at the picture {path}: {error.strerror}") from error
        if not stat.S_ISREG(mode):
            raise BadRow(f"not a file: {path}")
        # Removing ".." from a path through a link would change where it leads.
        return real if ".." in path.split("/") else os.path.normpath(path)

    def relative(self, path: str) -> str:
        """Makes a located path relative to the folder of the table."""
        return os.path.relpath(path, self._folder)

    def _real(self, path: str) -> str:
        """``os.path.realpath``, with the folder's part cached between images."""
        folder, name = os.path.split(path)
        if name in ("", ".", ".."):
            return os.path.realpath(path)
        plain = os.path.join(self._real_folder(folder), name)  # noqa: PTH118 - as above
        return os.path.realpath(plain) if os.path.islink(plain) else plain  # noqa: PTH114 - as above


def _domain(text: str, default: Domain) -> Domain:
    if not text:
        return default
    try:
        return Domain(text.casefold())
    except ValueError:
        raise BadRow(f"a domain is {' or '.join(Domain)}. Received: {text!r}") from None


def _box(text: str) -> Box | None:
    if not text:
        return None
    try:
        return Box.parse(re.sub(r"\s*[,;]\s*|\s+", ",", text))
    except ValueError as error:
        raise BadRow(str(error)) from None
