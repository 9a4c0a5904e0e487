"""Reads the text of a table: its encoding, delimiter, header, and rows with their line numbers."""

from __future__ import annotations

import codecs
import contextlib
import csv
import itertools
import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, Protocol

from stylesearch.errors import DatasetError

__all__ = [
    "FIELDS",
    "BadRow",
    "Header",
    "Row",
    "TableEncodingWarning",
    "open_table",
    "parse_header",
    "sniff_header",
]

FIELDS: Final = {
    "id": ("id", "product_id", "sku"),
    "title": ("title", "name"),
    "category": ("category",),
    "image": ("image", "image_path", "path", "file", "filename", "picture", "photo"),
    "price": ("price",),
    "url": ("url", "link"),
    "domain": ("domain",),
    "box": ("box",),
}
"""Fields that a table may have, each with the names of its column; the first one present counts."""

DELIMITERS: Final = ",;\t"
MAX_LINE: Final = 1_000_000
"""Characters in one line; more than that is no table, and would not fit in memory next."""

_SNIFFED: Final = 1 << 16
_CHUNK: Final = 1 << 20


class _CsvReader(Protocol):
    """The type of ``csv.reader(...)``, which has no public name."""

    @property
    def line_num(self) -> int: ...
    def __next__(self) -> list[str]: ...


class TableEncodingWarning(UserWarning):
    """A table that is not UTF-8, read as Windows-1252."""


class BadRow(Exception):
    """A row that cannot be used; the message says why and becomes a ``Failure``."""


@dataclass(frozen=True, slots=True)
class Header:
    """The columns of a table.

    Attributes:
        columns: position of each of ``FIELDS`` that the table has.
        attributes: position and name of every other column that has a name.
        width: number of columns.
        delimiter: the character between them.
    """

    columns: dict[str, int]
    attributes: tuple[tuple[int, str], ...]
    width: int
    delimiter: str


@dataclass(frozen=True, slots=True)
class Row:
    """A row: the line that it starts in, counted from 1, and its cells, or the reason why it has none."""

    line: int
    cells: Sequence[str] | BadRow


@contextlib.contextmanager
def open_table(path: Path) -> Iterator[tuple[Header, Iterator[Row]]]:
    """Opens a table and reads its header.

    Yields:
        the header, and an iterator over the rows below it; empty rows are left out.

    Raises:
        DatasetError: it cannot be opened, has no usable header, or a line without end.

    Warns:
        TableEncodingWarning: it is not UTF-8.
    """
    try:
        encoding, sure = _find_encoding(path)
        # newline="": the csv module needs line ends as they are.
        file = path.open(encoding=encoding, errors="strict" if sure else "replace", newline="")
    except OSError as error:
        raise DatasetError(f"cannot read the table {path}: {error.strerror}") from error
    with file:
        lines = _bounded_lines(file, path)
        skipped = 0
        first = ""
        for first in lines:
            if first.strip():
                break
            skipped += 1
        place = f"{path}:{skipped + 1}"
        header = parse_header(first, place)
        reader = csv.reader(itertools.chain([first], lines), delimiter=header.delimiter, strict=True)
        with contextlib.suppress(csv.Error):  # parse_header has checked this line already
            next(reader, None)
        yield header, _rows(reader, header, skipped, damaged="" if sure else "�")


def parse_header(line: str, place: str) -> Header:
    """Reads the header in the first line of a table.

    Args:
        line: text of the line.
        place: file and line, for messages.

    Raises:
        DatasetError: no column for the image, or two columns of one name.

    Example:
        >>> header = parse_header("SKU;Image Path;Color", "shop.csv:1")
        >>> header.columns, header.attributes, header.delimiter
        ({'id': 0, 'image': 1}, ((2, 'Color'),), ';')
    """
    parsed = [(delimiter, _cells(line, delimiter)) for delimiter in DELIMITERS]
    delimiter, names = max(parsed, key=lambda pair: (_n_known(pair[1]), len(pair[1])))
    plain = [_plain(name) for name in names]
    columns: dict[str, int] = {}
    for field, synonyms in FIELDS.items():
        present = [plain.index(synonym) for synonym in synonyms if synonym in plain]
        if present:
            columns[field] = present[0]
    if "image" not in columns:
        shown = ", ".join(names)[:200] or "nothing"
        raise DatasetError(
            f"{place}: no column for the picture in the header. Received: {shown}",
            hint=f"the first line names the columns, at least `image`; known are {', '.join(FIELDS)}",
        )
    twice = [name for name in plain if name and plain.count(name) > 1]
    if twice:
        raise DatasetError(f"{place}: two columns are called {twice[0]!r}", hint="rename one of them")
    taken = set(columns.values())
    attributes = tuple((i, name.strip()) for i, name in enumerate(names) if i not in taken and name.strip())
    return Header(columns, attributes, len(names), delimiter)


def sniff_header(path: Path) -> Header | None:
    """Reads the header of a possible table from its first bytes; None if it has none."""
    with path.open("rb") as file:
        start = file.read(_SNIFFED)
    encoding = _encoding_by_mark(start) or "utf-8"
    text = start.decode(encoding, "replace")
    if "\0" in text:
        return None
    first = next((line for line in text.splitlines() if line.strip()), "")
    try:
        return parse_header(first, str(path))
    except DatasetError:
        return None


def _rows(reader: _CsvReader, header: Header, skipped: int, damaged: str) -> Iterator[Row]:
    while True:
        line = skipped + reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            last = skipped + reader.line_num
            until = f" to {last}" if last > line else ""
            yield Row(
                line, BadRow(f"not a row of a table, lines {line}{until}: {error}; is a quote not closed?")
            )
            continue
        if any(cell.strip() for cell in cells):
            yield Row(
                line, _check_cells(cells, header.width, damaged, lines=skipped + reader.line_num - line + 1)
            )


def _check_cells(cells: list[str], width: int, damaged: str, lines: int) -> Sequence[str] | BadRow:
    if len(cells) != width:
        more = f" over {lines} lines: is a quote not closed?" if lines > 1 else ""
        return BadRow(f"{len(cells)} cells, where the header has {width}{more}")
    if any("\0" in cell for cell in cells):
        return BadRow("a NUL character in it")
    if damaged and any(damaged in cell for cell in cells):
        return BadRow("characters that cannot be read: save the table as UTF-8")
    return [cell.strip() for cell in cells]


def _bounded_lines(file: IO[str], path: Path) -> Iterator[str]:
    number = 0
    while line := file.readline(MAX_LINE + 1):
        number += 1
        if len(line) > MAX_LINE:
            raise DatasetError(f"{path}:{number}: a line of more than {MAX_LINE:,} characters: not a table")
        yield line


def _cells(line: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=delimiter, strict=True), [])
    except csv.Error:
        return []


def _n_known(names: Sequence[str]) -> int:
    known = {synonym for synonyms in FIELDS.values() for synonym in synonyms}
    return sum(_plain(name) in known for name in names)


def _plain(name: str) -> str:
    return re.sub(r"[\s-]+", "_", name.strip().casefold())


def _find_encoding(path: Path) -> tuple[str, bool]:
    """Finds the encoding, and whether the whole file is valid in it; reads it once, chunk by chunk."""
    with path.open("rb") as file:
        chunk = file.read(_CHUNK)
        marked = _encoding_by_mark(chunk)
        decoder = codecs.getincrementaldecoder(marked or "utf-8")()
        try:
            while chunk:
                decoder.decode(chunk)
                chunk = file.read(_CHUNK)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            if marked:
                return marked, False
        else:
            return marked or "utf-8", True
    warnings.warn(
        f"{path} is not UTF-8; reading it as Windows-1252: look at accents, or save it as UTF-8",
        TableEncodingWarning,
        stacklevel=2,
    )
    return "cp1252", False


def _encoding_by_mark(start: bytes) -> str | None:
    if start.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    return None
