"""Reads tables and feeds: opens a file by its content, reads its rows by a format, joins them to products."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path, PurePosixPath
from typing import Final
from urllib.parse import unquote, urlsplit

from stylesearch.errors import DatasetError
from stylesearch.importers.base import ImportOptions, Listed, Note, title_from_name
from stylesearch.importers.other_files import explain_other_file
from stylesearch.importers.tables import TABLE_FORMATS
from stylesearch.importers.tables.generic import PlainTable
from stylesearch.importers.tables.grouping import ProductJoiner
from stylesearch.importers.tables.items import BadRow, Item, Table, TableFormat, TableRow
from stylesearch.importers.tables.pictures import PictureFinder, is_url
from stylesearch.importers.tables.row_store import RowStore
from stylesearch.importers.tables.text import count_text_rows, open_text, sniff_text
from stylesearch.types import Failure

__all__ = ["TableImporter", "open_table"]

_SUFFIXES: Final = frozenset((".csv", ".tsv", ".tab", ".xlsx"))
_ZIP: Final = b"PK\x03\x04"
_FEED_ITEM: Final = re.compile(rb"<(?:[A-Za-z0-9]+:)?(?:item|entry|product|offer)[\s>]", re.IGNORECASE)
_CHUNK: Final = 1 << 20
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")

OpenTable = AbstractContextManager[tuple[Table, Iterator[TableRow | Failure]]]
"""An open table and the rows below its header."""


class TableImporter:
    """Reads tables of one format. Stateless.

    Args:
        format: name of the format, in ``TABLE_FORMATS``.
    """

    def __init__(self, format: str = "csv") -> None:
        self.name = format

    def sniff(self, path: Path) -> int:
        """How well the format rates the table's columns; 1 for a plain table with other columns."""
        if not path.is_file():
            return 0
        status = path.stat()
        table = _peek(path, (status.st_size, status.st_mtime_ns, status.st_ino))
        rating = 0 if table is None else self._format().rate(table)
        if self.name == "csv" and not rating and path.suffix.lower() in _SUFFIXES:
            return 1
        return rating

    def records(self, path: Path, options: ImportOptions) -> Iterator[Listed]:
        """Lists the products of the table, in the order of their first rows; see ``Importer``.

        Rows that cannot be read come first, as failures.

        Raises:
            DatasetError: it cannot be opened, has not the columns that the format needs, or has no rows.

        Warns:
            TableEncodingWarning: it is a text that is not UTF-8.
        """
        if not path.is_file():
            raise DatasetError(f"not a file: {path}", hint="give a CSV, TSV, XLSX or XML file")
        format = self._format()
        finder = PictureFinder(path.parent.absolute(), options)
        with open_table(path, options.sheet) as (table, rows), contextlib.closing(RowStore()) as store:
            if isinstance(format, PlainTable):
                yield from format.check(table, options, str(path))
            else:
                _check_format(format, table, options, str(path))
            empty = True
            for row in rows:
                empty = False
                if isinstance(row, Failure):
                    yield row
                    continue
                try:
                    item = format.read(row, table, options)
                    if row.problem:
                        item = _only_listed(item, row.problem)
                    if item is not None:
                        _check_id(item.key)
                        store.add(row.line, item if item.key else _named_by_picture(item, finder))
                except BadRow as error:
                    yield Failure(f"{path}:{row.line}", str(error))
            if empty:
                raise DatasetError(f"{path}: a header, but no rows below it")
            says_images = not isinstance(format, PlainTable) or format.has_images(table, options)
            id_column, told_apart = "", dict[str, str]()
            if isinstance(format, PlainTable):
                id_column, told_apart = format.told_apart(table, options)
            joiner = ProductJoiner(
                str(path),
                finder,
                options,
                is_whole=table.is_feed,
                says_images=says_images,
                only_known=isinstance(format, PlainTable) and format.has_facts_only(table, options),
                id_column=id_column,
                told_apart=told_apart,
            )
            for product in store.products():
                yield from joiner.list_product(product)
            yield from map(Note, table.notes)
            yield from joiner.notes()
            if isinstance(format, PlainTable):
                yield from format.notes()

    def count(self, path: Path) -> int:
        """About the number of rows."""
        match _kind(path):
            case "feed":
                with path.open("rb") as file:
                    return sum(
                        len(_FEED_ITEM.findall(chunk)) for chunk in iter(lambda: file.read(_CHUNK), b"")
                    )
            case "xlsx":
                from stylesearch.importers.tables.xlsx import count_xlsx_rows

                return count_xlsx_rows(path)
            case _:
                return count_text_rows(path)

    def _format(self) -> TableFormat:
        format: TableFormat = TABLE_FORMATS.load(self.name)()
        return format


def open_table(path: Path, sheet: str = "") -> OpenTable:
    """Opens a table by its content: text, ``.xlsx`` or an XML feed; see ``open_text``.

    Args:
        path: the file.
        sheet: name of the sheet of a workbook; "" to look.

    Raises:
        DatasetError: it cannot be opened, or has no header, or no sheets.
    """
    kind = _kind(path)
    if sheet and kind != "xlsx":
        raise DatasetError(
            f"{path} is no workbook, and has no sheets", hint='leave --sheet out, or give --sheet ""'
        )
    match kind:
        case "feed":
            from stylesearch.importers.tables.feed import open_feed

            return open_feed(path)
        case "xlsx":
            from stylesearch.importers.tables.xlsx import open_xlsx

            return open_xlsx(path, sheet)
        case _:
            return open_text(path)


def _kind(path: Path) -> str:
    try:
        with path.open("rb") as file:
            start = file.read(1 << 10)
    except OSError as error:
        raise DatasetError(f"cannot read the table {path}: {error.strerror}") from error
    if other := explain_other_file(path):
        raise other
    if start.startswith(_ZIP):
        return "xlsx"
    # Also in UTF-16, and behind a byte order mark.
    is_xml = start.lstrip(b"\xef\xbb\xbf\xff\xfe\0 \t\r\n").startswith(b"<")
    return "feed" if is_xml else "text"


@functools.lru_cache(maxsize=8)
def _peek(path: Path, version: tuple[int, int, int]) -> Table | None:
    """The columns of a possible table, read once for all formats that are asked; None if it is no table."""
    try:
        if _kind(path) == "text":
            return sniff_text(path)
        with open_table(path) as (table, _):
            return table
    except (DatasetError, OSError):
        return None


def _check_format(format: TableFormat, table: Table, options: ImportOptions, path: str) -> None:
    if options.columns:
        raise DatasetError(
            f"the columns of the format {format.name!r} are known, and cannot be chosen",
            hint="--map is for other tables: --format csv",
        )
    if not format.rate(table):
        shown = ", ".join(table.columns.values())[:200]
        raise DatasetError(
            f"{path}:{table.line}: not the columns of the format {format.name!r}. Received: {shown}",
            hint="leave --format out to have the format found, or give --format csv",
        )


def _check_id(key: str) -> None:
    """Refuses an id that is not one line, which no address, list or terminal shows as it is.

    Raises:
        BadRow: it has a control character in it.
    """
    if (found := _CONTROL.search(key)) is not None:
        raise BadRow(f"a control character, {found[0]!r}, in the id {key[:100]!r}")


def _only_listed(item: Item | None, problem: str) -> Item:
    """What a row with too many cells says: that its product is listed. Which cell is wrong is not known.

    Raises:
        BadRow: it has no id.
    """
    if item is None or not item.key:
        raise BadRow(problem)
    return Item(item.key, names=item.names, problem=problem, is_part=True)


def _named_by_picture(item: Item, finder: PictureFinder) -> Item:
    """Gives a row without an id that of its first picture, its path."""
    if not item.pictures:
        raise BadRow("no picture given")
    key = finder.relative(finder.locate(item.pictures[0].locator))
    path = unquote(urlsplit(key).path) if is_url(key) else key
    title = title_from_name(PurePosixPath(path).stem) or key
    return dataclasses.replace(item, key=key, guesses={"title": title, **item.guesses})
