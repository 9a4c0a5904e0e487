"""Reads tables that are text: encoding, delimiter, header, and rows with their line numbers.

- Encodings: UTF-8, also with a mark (once or twice), UTF-16, and else Windows-1252, with a warning.
- Delimiters: comma, semicolon, tab and ``|``, found by looking, or named in a first line ``sep=;``.
- Lines above the header, such as ``Export of 2026-11-30;;``, are passed over.
- A row may be shorter than the header, and longer by empty cells: spreadsheets write both.
- A row that cannot be read is one failure, and the next line is read. That holds for a quote that is never
  closed, too: its row fails, and the lines behind it are read again.
"""

from __future__ import annotations

import codecs
import contextlib
import csv
import io
import re
import threading
import unicodedata
import warnings
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Final, Protocol

from stylesearch.csv_cells import ESCAPED_COLUMN, unescape_cell
from stylesearch.errors import DatasetError
from stylesearch.importers.tables.aliases import count_fields
from stylesearch.importers.tables.items import Table, TableRow, plain_name
from stylesearch.types import Failure

__all__ = [
    "MAX_COLUMNS",
    "MAX_RECORD",
    "RowReader",
    "TableEncodingWarning",
    "check_width",
    "count_text_rows",
    "normal_text",
    "open_text",
    "sniff_text",
]

MAX_RECORD: Final = 4_000_000
"""Characters in one row; more than that is no row of a table, and would not fit in memory next."""

MAX_COLUMNS: Final = 10_000
"""Columns of a table, far more than spreadsheets and shop systems write; each is a field of every product."""

_DELIMITERS: Final = ",;\t|"
_SNIFFED: Final = 1 << 16
_SNIFFED_ROWS: Final = 50
_TITLE_LINES: Final = 10
_CHUNK: Final = 1 << 20
_MARK: Final = "\ufeff"
_REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"
_SEPARATOR_LINE: Final = re.compile(r'\ufeff*"?sep=(.)"?\s*', re.IGNORECASE | re.DOTALL)
_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)

_limit_lock: Final = threading.Lock()


class TableEncodingWarning(UserWarning):
    """A table that is not UTF-8, read as Windows-1252."""


class _TooLong(Exception):
    """A row that is longer than ``MAX_RECORD``."""

    def __init__(self) -> None:
        super().__init__(f"more than {MAX_RECORD:,} characters")


class _CsvReader(Protocol):
    """The type of ``csv.reader(...)``, which has no public name."""

    line_num: int

    def __next__(self) -> list[str]: ...


class RowReader:
    """Makes the rows of one table from lists of cells.

    Attributes:
        columns: as in ``Table``.
        width: number of cells in the header.

    Args:
        header: names of the columns, as they are written.
    """

    def __init__(self, header: Sequence[str]) -> None:
        written = [normal_text(name) for name in header]
        if ESCAPED_COLUMN in written:
            written = [unescape_cell(name) for name in written]
        names = [plain_name(name) for name in written]
        self.width = len(names)
        self.columns: dict[str, str] = {}
        for name, as_written in zip(names, written, strict=True):
            if name:
                self.columns.setdefault(name, " ".join(as_written.split()))
        escaped = plain_name(ESCAPED_COLUMN)
        self._is_escaped = self.columns.pop(escaped, None) is not None
        places: dict[str, list[int]] = {name: [] for name in self.columns}
        for i, name in enumerate(names):
            if name in places:
                places[name].append(i)
        self._places = list(places.items())
        self._is_plain = all(len(each) == 1 for each in places.values())

    def row(self, line: int, cells: list[str], problem: str = "") -> TableRow:
        """Makes a row; cells that are missing at its end are empty.

        Args:
            line: the line that it begins in.
            cells: its cells, no more than ``width``; the list is changed.
            problem: as in ``TableRow.problem``.
        """
        cells = [normal_text(cell) for cell in cells]
        if self._is_escaped:
            cells = [unescape_cell(cell) for cell in cells]
        cells += [""] * (self.width - len(cells))
        if self._is_plain:
            return TableRow(line, {name: (cells[i],) for name, (i,) in self._places}, problem)
        return TableRow(line, {name: tuple(cells[i] for i in each) for name, each in self._places}, problem)


def normal_text(text: str) -> str:
    """Returns a text in Unicode's form NFC, without blanks and byte order marks around it.

    Example:
        >>> normal_text(' ="00123" ')  # Excel is told so that this is no number
        '00123'
    """
    text = text.strip()
    if text.startswith('="') and text.endswith('"') and '"' not in text[2:-1]:
        text = text[2:-1].strip()
    if text.isascii():
        return text
    return unicodedata.normalize("NFC", text.strip(_MARK).strip())


def check_width(n_columns: int, place: str) -> None:
    """Refuses a header with too many columns.

    Raises:
        DatasetError: there are more than ``MAX_COLUMNS``.
    """
    if n_columns > MAX_COLUMNS:
        raise DatasetError(
            f"{place}: the header has more than {MAX_COLUMNS:,} columns",
            hint="take out columns that are not about the products",
        )


@contextlib.contextmanager
def open_text(path: Path) -> Iterator[tuple[Table, Iterator[TableRow | Failure]]]:
    """Opens a table and reads its header.

    Yields:
        the table, and an iterator over the rows below the header; empty rows are left out.

    Raises:
        DatasetError: it cannot be opened, or has no header.

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
        lines = _Lines(file)
        start = _read_start(path, encoding)
        delimiter, n_above = _find_start(start)
        header = _read_header(lines, delimiter, str(path), n_above)
        rows = _rows(lines, header, path, damaged="" if sure else _REPLACEMENT)
        yield Table(header.rows.columns, line=header.line), rows


def sniff_text(path: Path) -> Table | None:
    """Reads the header of a possible table from its first bytes; None if it has none."""
    with path.open("rb") as file:
        start = file.read(_SNIFFED)
    encoding = _encoding_by_look(start)
    if encoding is None:
        try:
            codecs.getincrementaldecoder("utf-8")().decode(start)
            encoding = "utf-8"
        except UnicodeDecodeError:
            encoding = "cp1252"
    text = start.decode(encoding, "replace")
    if "\0" in text:
        return None
    try:
        delimiter, n_above = _find_start(text)
        header = _read_header(_Lines(io.StringIO(text, newline="")), delimiter, str(path), n_above)
    except DatasetError:
        return None
    return Table(header.rows.columns, line=header.line)


def count_text_rows(path: Path) -> int:
    """Number of lines below the first: about that of the rows."""
    lines, ended = 0, True
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            lines += chunk.count(b"\n") or chunk.count(b"\r")
            ended = chunk.endswith((b"\n", b"\n\0", b"\r"))
    return max(lines - 1 + (0 if ended else 1), 0)


class _Header:
    """The header of a table, and how its rows are written."""

    def __init__(self, names: Sequence[str], line: int, delimiter: str) -> None:
        self.rows = RowReader(names)
        self.line = line
        self.delimiter = delimiter


class _Lines:
    """Feeds lines to a ``csv.reader``, and remembers those of the row that it reads.

    Attributes:
        number: how many lines were read.
        record: the lines of the row, since ``begin``.
        n_characters: how many characters these have.
    """

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self._again: deque[str] = deque()
        self.number = 0
        self.record: list[str] = []
        self.n_characters = 0

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else self._file.readline(MAX_RECORD + 1)
        if not line:
            raise StopIteration
        self.n_characters += len(line)
        if self.n_characters > MAX_RECORD:
            if self.record:
                self._again.appendleft(line)
            else:
                self.number += 1
                self._skip_line(line)
            raise _TooLong
        self.number += 1
        self.record.append(line)
        return line

    def begin(self) -> None:
        """Begins a row."""
        self.record = []
        self.n_characters = 0

    def put_back(self, *, keep: int = 0) -> None:
        """Has the lines of the row read again, but for the first ``keep``."""
        again = self.record[keep:]
        self._again.extendleft(reversed(again))
        self.number -= len(again)
        self.begin()

    def _skip_line(self, line: str) -> None:
        while line and not line.endswith(("\n", "\r")):
            line = self._file.readline(_CHUNK)


def _rows(lines: _Lines, header: _Header, path: Path, damaged: str) -> Iterator[TableRow | Failure]:
    reader = _csv_reader(lines, header.delimiter)
    width = header.rows.width
    doubtful = 0  # the last line behind a quote that was not closed
    while True:
        lines.begin()
        line = lines.number + 1
        try:
            cells = _next_cells(reader, lines)
        except StopIteration:
            return
        except (csv.Error, _TooLong) as error:
            loose = _loose_cells(lines.record, header.delimiter)
            if loose is None:
                last = max(line, lines.number)
                where = f"lines {line} to {last}" if last > line else f"line {line}"
                yield Failure(f"{path}:{line}", f"not a row of a table, {where}: {error}{_advice(error)}")
                doubtful = max(doubtful, last)
                lines.put_back(keep=1)
                continue
            cells = loose
            lines.put_back(keep=1)
        if line <= doubtful:
            if len(cells) != width:
                continue  # still the text of the cell that was not closed
            doubtful = 0
        if not any(cells):
            continue
        too_long = ""
        if len(cells) > width:
            if any(cell.strip() for cell in cells[width:]):
                too_long = f"{len(cells)} cells, where the header has {width}"
                if (more := lines.number - line + 1) > 1:
                    over = f"{too_long} over {more} lines: is a quote not closed?"
                    yield Failure(f"{path}:{line}", over)
                    continue
            del cells[width:]
        if not any(cell.strip() for cell in cells):
            continue
        if (problem := _problem(lines.record, damaged)) is not None:
            yield Failure(f"{path}:{line}", problem)
            continue
        yield header.rows.row(line, cells, too_long)


def _problem(record: list[str], damaged: str) -> str | None:
    for line in record:
        if "\0" in line:
            return "a NUL character in it"
        if damaged and damaged in line:
            return "characters that cannot be read: save the table as UTF-8"
    return None


def _advice(error: Exception) -> str:
    return "" if isinstance(error, _TooLong) else "; is a quote not closed?"


def _csv_reader(lines: Iterator[str], delimiter: str) -> _CsvReader:
    return csv.reader(lines, delimiter=delimiter, strict=True, skipinitialspace=True)


def _next_cells(reader: _CsvReader, lines: _Lines) -> list[str]:
    """Reads the cells of the next row, of whatever length.

    The csv module refuses cells over a limit that holds for the whole process, so the limit is lifted for
    this row alone, by one thread at a time.
    """
    try:
        return next(reader)
    except csv.Error:
        if lines.n_characters <= csv.field_size_limit():
            raise
    lines.put_back()
    with _limit_lock:
        limit = csv.field_size_limit(2 * MAX_RECORD)
        try:
            return next(reader)
        finally:
            csv.field_size_limit(limit)


def _loose_cells(record: list[str], delimiter: str) -> list[str] | None:
    """Reads a line with blanks around its quotes; None if that is not what is wrong with it.

    A blank may stand between a closing quote and the delimiter, and a quote behind a blank may be no quote of
    the table: ``1, "Summer" dress``.
    """
    if not record:
        return None
    closed = re.sub(rf'" +(?={re.escape(delimiter)}|\s*$)', '"', record[0])
    for line, skip in ((closed, True), (record[0], False)):
        with contextlib.suppress(csv.Error):
            return next(csv.reader([line], delimiter=delimiter, strict=True, skipinitialspace=skip), None)
    return None


def _read_header(lines: _Lines, delimiter: str, path: str, n_above: int = 0) -> _Header:
    """Reads up to the header, which ``n_above`` lines are above of.

    Raises:
        DatasetError: there is none.
    """
    lines.begin()
    try:
        for line in lines:
            if lines.number > n_above and line.strip().strip(_MARK) and not _SEPARATOR_LINE.fullmatch(line):
                break
            lines.begin()
        else:
            raise DatasetError(f"{path}: nothing in it", hint="the first line names the columns of the table")
        line_number = lines.number
        lines.put_back()
        cells = _next_cells(_csv_reader(_without_mark(lines), delimiter), lines)
    except (csv.Error, StopIteration, _TooLong) as error:
        raise DatasetError(
            f"{path}:{lines.number}: this is no header of a table: {error}",
            hint="the first line names the columns of the table",
        ) from None
    check_width(len(cells), f"{path}:{line_number}")
    return _Header(cells, line_number, delimiter)


def _without_mark(lines: Iterator[str]) -> Iterator[str]:
    for line in lines:
        yield line.lstrip(_MARK)


def _find_start(text: str) -> tuple[str, int]:
    """Finds the character between the cells of a table that begins with ``text``, and the lines above it."""
    lines = io.StringIO(text.lstrip(_MARK), newline="").readlines()
    n_above = next((i for i, line in enumerate(lines) if line.strip()), 0)
    delimiters = _DELIMITERS
    if n_above < len(lines) and (named := _SEPARATOR_LINE.fullmatch(lines[n_above])):
        n_above, delimiters = n_above + 1, named[1]
    n_above += _count_title_lines(lines[n_above:], delimiters)
    return max(delimiters, key=lambda delimiter: _fit(lines[n_above:], delimiter)), n_above


def _count_title_lines(lines: list[str], delimiters: str) -> int:
    """Number of lines above the first that names columns, where the first line names none."""
    found: list[int] = []
    for delimiter in delimiters:
        reader = _csv_reader(iter(lines), delimiter)
        width = 0
        with contextlib.suppress(csv.Error, StopIteration):
            for i in range(_TITLE_LINES + 1):
                n_above = reader.line_num
                cells = next(reader)
                n_cells, n_fields = sum(bool(cell.strip()) for cell in cells), count_fields(cells)
                if i == 0 and n_cells > 1 and n_fields:
                    return 0
                if i and n_fields > 1 and n_cells > width:
                    found.append(n_above)
                    break
                width = max(width, n_cells)
    return min(found, default=0)


def _fit(lines: list[str], delimiter: str) -> float:
    """Rates how well rows and header fit each other if this is between the cells."""
    widths: list[int] = []
    reader = _csv_reader(iter(lines), delimiter)
    with contextlib.suppress(csv.Error, StopIteration):
        header = next(reader)
        widths.append(sum(bool(name.strip()) for name in header))
        while len(widths) < _SNIFFED_ROWS:
            if cells := next(reader):
                widths.append(len(cells))
    if not widths or widths[0] < 2:
        return 0.0
    width, *rows = widths
    fits = [min(row, width) / max(row, width) for row in rows] or [1.0]
    return width * sum(fits) / len(fits)


def _read_start(path: Path, encoding: str) -> str:
    with path.open("rb") as file:
        return file.read(_SNIFFED).decode(encoding, "replace")


def _find_encoding(path: Path) -> tuple[str, bool]:
    """Finds the encoding, and whether the whole file is valid in it; reads it chunk by chunk."""
    with path.open("rb") as file:
        encoding = _encoding_by_look(file.read(_SNIFFED))
    if _is_valid(path, encoding or "utf-8"):
        return encoding or "utf-8", True
    if encoding is not None:
        return encoding, False
    if _is_mostly_utf8(path):
        return "utf-8", False
    warnings.warn(
        f"{path} is not UTF-8; reading it as Windows-1252: look at accents, or save it as UTF-8",
        TableEncodingWarning,
        stacklevel=3,
    )
    return "cp1252", False


def _is_valid(path: Path, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _is_mostly_utf8(path: Path) -> bool:
    """Whether most characters beyond ASCII are valid UTF-8: a few damaged rows, and no other encoding."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    good = bad = 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            text = decoder.decode(chunk)
            if not text.isascii():
                damaged = text.count(_REPLACEMENT)
                bad += damaged
                good += len(text) - len(text.encode("ascii", "ignore")) - damaged
    return good > bad


def _encoding_by_look(start: bytes) -> str | None:
    for mark, encoding in _MARKS:
        if start.startswith(mark):
            return encoding
    even, odd = start[0:4096:2], start[1:4096:2]
    if len(odd) >= 8:
        # In UTF-16 without a mark, every other byte of a header in Latin letters is 0.
        zeros = (even.count(0) / len(even), odd.count(0) / len(odd))
        if max(zeros) > 0.4 and min(zeros) < 0.1:
            return "utf-16-be" if zeros[0] > zeros[1] else "utf-16-le"
    return None
