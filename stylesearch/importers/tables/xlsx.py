"""Reads Excel workbooks (``.xlsx``): the sheets that have the columns of a table, one row at a time.

Numbers become the texts that one would type, dates ISO 8601, and formulas the values that were saved with
them. Cells that hold an error of Excel are empty.
"""

from __future__ import annotations

import contextlib
import datetime
import re
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

from stylesearch.errors import DatasetError
from stylesearch.importers.tables.aliases import count_fields
from stylesearch.importers.tables.items import Table, TableRow
from stylesearch.importers.tables.text import MAX_COLUMNS, RowReader, check_width
from stylesearch.types import Failure

if TYPE_CHECKING:
    from openpyxl.cell.read_only import ReadOnlyCell
    from openpyxl.worksheet._read_only import ReadOnlyWorksheet

__all__ = ["count_xlsx_rows", "open_xlsx"]

MAX_TEXTS: Final = 512 << 20
"""Bytes of the texts of a workbook, which are in memory while it is read."""

MAX_UNPACKED: Final = 8 << 30
MAX_RATIO: Final = 250
"""How many times larger than packed a file may be: a sheet of equal rows is 100 times."""

MAX_ROWS: Final = 1 << 20
"""Rows of a sheet, as in Excel. A row names its own number, and those before it are made up."""

MAX_STRINGS: Final = 5_000_000
"""Different texts of a workbook, all of which are in memory."""

MAX_TAGS: Final = 500_000
"""Tags within one row or text, or outside of them; a row of Excel has 16,384 cells."""

_SMALL: Final = 16 << 20
_HEADER_WITHIN: Final = 50
_ERRORS: Final = frozenset(("#N/A", "#REF!", "#NAME?", "#VALUE!", "#DIV/0!", "#NULL!", "#NUM!"))
_ZEROS: Final = re.compile(r"0{2,20}")
_DECIMALS: Final = re.compile(r"0\.(0{1,10})(?![0#?])")
_OTHER_NUMBER: Final = re.compile(r"[%/?]|E[+-]")
"""What makes a format one of percents, fractions or powers of ten."""

_NO_VALUE: Final = re.compile(
    rb"<c\b([^<>]*)>\s*<f\b(?:[^<>]*/>|[^<>]*>[^<]*</f>)\s*(?:<v\s*/>|<v>\s*</v>)?\s*</c>"
)
"""A cell with a formula whose value was not saved."""

_PART: Final = re.compile(rb"<(?:\w{1,20}:)?(row|si)\b")

_TEXT_CELL: Final = re.compile(rb"""\bt=["']str["']""")
_CHUNK: Final = 1 << 20
_LONGEST_CELL: Final = 1 << 16
_CURRENCY: Final = re.compile(r"\[\$([^\]-]+)(?:-[0-9A-Fa-f]+)?\]|([€$£¥])|\"\s*([A-Z]{3}|[€$£¥])\s*\"")


@contextlib.contextmanager
def open_xlsx(path: Path, sheet: str = "") -> Iterator[tuple[Table, Iterator[TableRow | Failure]]]:
    """Opens a workbook and finds its table.

    The header of a sheet is the first row, among its first ones, with names of columns that are known; else
    the first with two texts or more. The table is on the first sheet with known columns, and on all that have
    the same columns.

    Args:
        path: the file.
        sheet: name of the one sheet that is read; "" to look.

    Yields:
        the table, and an iterator over the rows below the header; empty rows are left out.

    Raises:
        DatasetError: it is no workbook, has no such sheet or none with a header, or would unpack to far more
            than it is.
    """
    from openpyxl import load_workbook

    _check_size(path)
    with contextlib.ExitStack() as stack:
        with _reading(path):
            file = stack.enter_context(path.open("rb"))  # by its name it would be refused for its ending
            book = load_workbook(file, read_only=True, data_only=True)
        stack.callback(book.close)
        with _reading(path):
            found = [
                one
                for each in book.worksheets
                if sheet.casefold() in ("", each.title.casefold()) and (one := _find_header(each)) is not None
            ]
            if not found:
                raise _no_header(path, sheet, [each.title for each in book.worksheets])
        first = max(found, key=lambda one: one.n_fields)  # of equal ones the first
        check_width(first.reader.width, f"{path}:{first.line}")
        columns = first.reader.columns
        read = [one for one in found if one.reader.columns.keys() == columns.keys()]
        notes = _describe_choice(read, [one for one in found if one not in read])
        with _reading(path):
            if n_formulas := _count_formulas(path, read):
                cells = "1 cell has a formula" if n_formulas == 1 else f"{n_formulas:,} cells have a formula"
                notes.append(
                    f"{cells} without a saved value, and nothing in it: open the workbook in a "
                    "spreadsheet and save it"
                )
        yield Table(columns, line=first.line, notes=notes), _rows(path, read)


def count_xlsx_rows(path: Path) -> int:
    """Number of rows below the header, as the workbook says."""
    from openpyxl import load_workbook

    _check_size(path)
    with (
        _reading(path),
        path.open("rb") as file,
        contextlib.closing(load_workbook(file, read_only=True)) as book,
    ):
        return max(max((sheet.max_row or 0 for sheet in book.worksheets), default=0) - 1, 0)


@dataclass(frozen=True, slots=True, eq=False)
class _Sheet:
    """A sheet with a header.

    Attributes:
        sheet: the sheet.
        line: number of the header's row.
        reader: makes its rows.
        n_fields: number of known fields that the header names, at most 2.
    """

    sheet: ReadOnlyWorksheet
    line: int
    reader: RowReader
    n_fields: int


def _rows(path: Path, sheets: Sequence[_Sheet]) -> Iterator[TableRow | Failure]:
    with _reading(path):
        for one in sheets:
            width = one.reader.width
            for number, cells in _texts(one.sheet):
                if number <= one.line or not any(cells):
                    continue
                too_long = ""
                if any(cells[width:]):
                    n_cells = max(i for i, cell in enumerate(cells) if cell) + 1
                    too_long = f"{n_cells} cells, where the header has {width}"
                yield one.reader.row(number, list(cells[:width]), too_long)


def _count_formulas(path: Path, sheets: Sequence[_Sheet]) -> int:
    """Number of cells with a formula whose value was not saved, as other programs than spreadsheets write."""
    n = 0
    with zipfile.ZipFile(path) as archive:
        for one in sheets:
            sheet: Any = one.sheet  # the name of its file is not public
            with archive.open(sheet._worksheet_path.lstrip("/")) as file:
                rest = b""
                while chunk := file.read(_CHUNK):
                    rest += chunk
                    end = 0
                    for found in _NO_VALUE.finditer(rest) if b"<f" in rest else ():
                        end = found.end()
                        n += not _TEXT_CELL.search(found[1])  # the text may be empty
                    # A cell that is cut is found when its end has come.
                    rest = rest[max(end, rest.rfind(b"<c "), len(rest) - _LONGEST_CELL) :]
    return n


def _describe_choice(read: Sequence[_Sheet], others: Sequence[_Sheet]) -> list[str]:
    """What to say of the sheets that are read, and of those that are not."""
    names, unread = ([repr(one.sheet.title) for one in sheets] for sheets in (read, others))
    notes = []
    if len(names) > 1:
        notes.append(f"read the sheets {', '.join(names)}, which have the same columns")
    if unread:
        are = "the sheet {} was" if len(unread) == 1 else "the sheets {} were"
        notes.append(
            f"{are.format(', '.join(unread))} not read, only {', '.join(names)}: --sheet NAME reads another"
        )
    return notes


def _no_header(path: Path, sheet: str, names: Sequence[str]) -> DatasetError:
    shown = ", ".join(names)
    if sheet and sheet.casefold() not in map(str.casefold, names):
        return DatasetError(f"{path} has no sheet {sheet!r}", hint=f"its sheets are {shown}")
    return DatasetError(
        f"{path}: {f'the sheet {sheet!r} has no' if sheet else 'no sheet has a'} header",
        hint="its first row names the columns of the table",
    )


def _find_header(sheet: ReadOnlyWorksheet) -> _Sheet | None:
    """Finds the header: a row with known names, else the first with two texts, else the first with any."""
    first: tuple[int, list[str]] | None = None
    width = 0
    for number, cells in _texts(sheet, until=_HEADER_WITHIN):
        n_texts = sum(bool(cell) for cell in cells)
        if n_texts > max(width, 1) and count_fields(cells) > 1:
            return _Sheet(sheet, number, RowReader(_without_end(cells)), n_fields=2)
        if n_texts and (first is None or (n_texts > 1 and width < 2)):
            first = (number, _without_end(cells))
        width = max(width, n_texts)
    if first is None:
        return None
    return _Sheet(sheet, first[0], RowReader(first[1]), n_fields=min(count_fields(first[1]), 1))


def _without_end(cells: Sequence[str]) -> list[str]:
    return list(cells[: max(i for i, cell in enumerate(cells) if cell) + 1])


def _texts(sheet: ReadOnlyWorksheet, until: int | None = None) -> Iterator[tuple[int, list[str]]]:
    from openpyxl.cell.read_only import EMPTY_CELL

    sheet.reset_dimensions()  # some programs write wrong ones
    rows: Iterator[tuple[Any, ...]] = sheet.iter_rows(max_row=until or MAX_ROWS + 1)  # type: ignore[misc]
    for number, row in enumerate(rows, 1):
        if number > MAX_ROWS:
            raise DatasetError(
                f"the sheet {sheet.title!r} has a row beyond {MAX_ROWS:,}",
                hint="save it as CSV, if it is yours",
            )
        # One more than a table may have shows that there are too many.
        yield number, ["" if cell is EMPTY_CELL else _text(cell) for cell in row[: MAX_COLUMNS + 1]]


def _text(cell: ReadOnlyCell | Any) -> str:
    value = cell.value
    if value is None:
        return ""
    if isinstance(value, str):
        return "" if value in _ERRORS else value.strip()
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int | float):
        return _number(value, cell.number_format or "")
    if isinstance(value, datetime.datetime):
        return value.date().isoformat() if value.time() == datetime.time() else value.isoformat(" ")
    return value.isoformat() if isinstance(value, datetime.date | datetime.time) else str(value)


def _number(value: float, style: str) -> str:
    """The text of a number, with the zeros and the currency that its style shows.

    Example:
        >>> _number(12.0, "General"), _number(42, "00000"), _number(49.9, '#,##0.00 "€"')
        ('12', '00042', '49.90 €')
    """
    if isinstance(value, int) or value.is_integer():
        text = str(int(value))
        if _ZEROS.fullmatch(style):
            return text.zfill(len(style))
    else:
        text = f"{Decimal(f'{value:.15g}'):f}"
    if (decimals := _DECIMALS.search(style)) and not _OTHER_NUMBER.search(style):
        whole, _, cents = text.partition(".")
        text = f"{whole}.{cents.ljust(len(decimals[1]), '0')}"
    if style != "General" and (found := _CURRENCY.search(style)):
        symbol = (found[1] or found[2] or found[3] or "").strip()
        return f"{text} {symbol}".strip()
    return text


def _check_size(path: Path) -> None:
    """Refuses a file that would unpack to far more than it is, or fill the memory, before it is parsed."""
    with _reading(path), zipfile.ZipFile(path) as archive:
        files = archive.infolist()
    total = sum(file.file_size for file in files)
    texts = sum(file.file_size for file in files if not file.filename.startswith("xl/worksheets/"))
    swollen = any(file.file_size > max(_SMALL, MAX_RATIO * file.compress_size) for file in files)
    pictures = sum(file.file_size for file in files if file.filename.startswith("xl/media/"))
    if swollen or total > MAX_UNPACKED or texts - pictures > MAX_TEXTS:
        raise DatasetError(
            f"{path} would unpack to {total >> 20:,} MiB", hint="save the sheet as CSV, if it is yours"
        )
    with _reading(path), zipfile.ZipFile(path) as archive:
        for one in files:
            if one.filename.endswith((".xml", ".rels")):
                with archive.open(one) as file:
                    _check_tags(file, f"{path}: {one.filename}")


def _check_tags(file: IO[bytes], name: str) -> None:
    """Refuses XML that openpyxl, which keeps whole rows and all texts in memory, would make too much of."""
    n_tags = n_strings = 0
    while chunk := file.read(_CHUNK):
        begin = 0
        for found in _PART.finditer(chunk):
            n_strings += found[1] == b"si"
            if n_tags + chunk.count(b"<", begin, found.start()) > MAX_TAGS:
                break
            n_tags, begin = 0, found.end()
        n_tags += chunk.count(b"<", begin)
        if n_tags > MAX_TAGS or n_strings > MAX_STRINGS:
            most = f"{MAX_TAGS:,} tags" if n_tags > MAX_TAGS else f"{MAX_STRINGS:,} texts"
            where = " in one row" if n_tags > MAX_TAGS else ""
            raise DatasetError(
                f"{name} has more than {most}{where}", hint="save the sheet as CSV, if it is yours"
            )


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Turns what a damaged workbook raises into a ``DatasetError``."""
    try:
        yield
    except (DatasetError, MemoryError):
        raise
    except OSError as error:
        raise DatasetError(f"cannot read the workbook {path}: {error.strerror or error}") from error
    except Exception as error:  # openpyxl lets through whatever its parsers raise
        raise DatasetError(
            f"{path} is no workbook that can be read: {type(error).__name__}: {error}",
            hint="save it again as .xlsx, or as CSV",
        ) from error
