"""The text files of DeepFashion: a count, a line of column names, then rows with runs of spaces between.

The count is not trusted and may be left out. What else is tolerated: a byte order mark, CRLF, empty lines.
A row with another number of columns is told with its line and left out.
"""

from __future__ import annotations

import json
import math
import os
import re
from array import array
from collections.abc import Callable, Container, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

import numpy as np

from stylesearch.errors import DatasetError
from stylesearch.importers.base import ALL_SPLITS, ImportOptions, Missing
from stylesearch.importers.folder import printable
from stylesearch.types import Box, Domain, Failure, Product, Record

__all__ = [
    "BadEntry",
    "Boxes",
    "Items",
    "Listed",
    "Row",
    "Selection",
    "array_entries",
    "clipped_box",
    "find_file",
    "is_file",
    "is_text",
    "located",
    "name_key",
    "number",
    "picture_parts",
    "read_boxes",
    "read_text",
    "rows",
    "whole_number",
]

# What every reader does alike: choose by split, look for the pictures, say where nothing was found.

MAX_FAILURES_BEFORE_ANY: Final = 1000
"""After so many broken entries and no good one it is another format, not a damaged file."""


class BadEntry(ValueError):
    """An entry of an annotation file that cannot be read; the message says why."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A picture of a product as the annotations have it, before anybody looked for the file.

    Attributes:
        product: what it shows.
        file: as the dataset names it.
        domain: who took it.
        place: file and line that list it.
        box: where the garment is, in the pixels that the dataset counts in.
    """

    product: Product
    file: str
    domain: Domain
    place: str
    box: Box | None = None


class Selection:
    """Which pictures are wanted: consumers' photos of some splits, shops' pictures of some.

    Example:
        >>> wanted = Selection(ImportOptions(splits=("test",), gallery=("val", "test")))
        >>> wanted.takes(["val"], Domain.SHOP), wanted.takes(["val"], Domain.CONSUMER)
        (True, False)
    """

    def __init__(self, options: ImportOptions) -> None:
        self._of = {
            Domain.CONSUMER: options.splits,
            Domain.SHOP: options.gallery or options.splits,
        }

    def takes(self, names: Container[str], domain: Domain) -> bool:
        """Whether a picture is wanted whose split goes by any of these names."""
        wanted = self._of[domain]
        return not wanted or ALL_SPLITS in wanted or any(name in names for name in wanted)


def located(
    entries: Iterable[Listed | Failure], find: Callable[[Listed], Record | str], source: str
) -> Iterator[Record | Failure | Missing]:
    """Looks for the file of each entry.

    Args:
        entries: what the annotations list.
        find: gives the record, or the path where the file should have been.
        source: the dataset's folder, for messages.

    Raises:
        DatasetError: nothing was listed; not one of the files is there; nothing but broken entries; or the
            folder's own path is not text.
    """
    if not is_text(source):
        raise DatasetError(f"the path of the folder is not valid UTF-8: {printable(source)}")
    n_found = n_missing = n_failed = 0
    example = ""
    for entry in entries:
        if isinstance(entry, Failure):
            n_failed += 1
            if n_failed >= MAX_FAILURES_BEFORE_ANY and not (n_found or n_missing):
                raise DatasetError(
                    f"{source}: the first {n_failed:,} entries cannot be read; "
                    f"the last of them is {entry.item}: {entry.reason}",
                    hint="is it another dataset, or another version of it?",
                )
            yield entry
            continue
        found = find(entry)
        if isinstance(found, Record):
            n_found += 1
            yield found
        else:
            n_missing += 1
            example = example or f"{found} ({entry.place})"
            yield Missing(found, entry.place)
    if n_found:
        return
    if n_missing:
        raise DatasetError(
            f"{source}: not one of the {n_missing:,} pictures that the annotations list is there. "
            f"Missing for example: {example}",
            hint="docs/datasets.md says where the pictures go",
        )
    if not n_failed:
        raise DatasetError(
            f"{source}: the annotations list no picture of what was asked for",
            hint="look at --split and --gallery",
        )


def clipped_box(x0: float, y0: float, x1: float, y1: float) -> Box:
    """A box in whole pixels, with what lies left of or above the picture cut away.

    Example:
        >>> clipped_box(-3, 2.4, 10, 20)
        Box(x0=0, y0=2, x1=10, y1=20)

    Raises:
        BadEntry: it is empty or upside down.
    """
    try:
        return Box(max(round(x0), 0), max(round(y0), 0), round(x1), round(y1))
    except (ValueError, OverflowError):
        raise BadEntry(f"a box with nothing in it. Received: {x0:g},{y0:g},{x1:g},{y1:g}") from None


def is_file(path: str) -> bool:
    """Whether a file is there; False as well for names that no file can have."""
    return os.path.isfile(path)  # noqa: PTH113 - hundreds of thousands of them: no Path for each


def is_text(name: str) -> bool:
    """Whether a name from the file system is valid text, which alone a database stores."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


MAX_LINE: Final = 1 << 16
_BOM: Final = b"\xef\xbb\xbf"
_JUNK: Final = re.compile(rb"[\x00-\x08\x0e-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Row:
    """A row of an annotation file; ``place`` is ``path:line``."""

    place: str
    cells: Sequence[str]


def find_file(root: Path, names: Sequence[str]) -> Path:
    """The first of some files that is there.

    Args:
        root: of the dataset.
        names: relative to it, the usual place first.

    Raises:
        DatasetError: none is.
    """
    for name in names:
        if (root / name).is_file():
            return root / name
    raise DatasetError(
        f"no {names[0]} in {root}",
        hint="give the folder that has Eval/ and Anno/ in it; docs/datasets.md says what goes where",
    )


def rows(path: Path, columns: Sequence[str]) -> Iterator[Row | Failure]:
    """The rows of an annotation file, a line at a time.

    Args:
        path: of the file.
        columns: what its header names. The first name and the number of them must agree.

    Raises:
        DatasetError: it cannot be opened, has no such header, or is no text.
    """
    lines = _lines(path)
    header = next(lines, None)
    if header is not None and len(header[1].split()) == 1 and header[1].strip().isdigit():
        header = next(lines, None)
    if header is None:
        raise DatasetError(f"{path}: nothing in it but {path.stat().st_size:,} bytes before the first row")
    names = header[1].split()
    if len(names) != len(columns) or names[0] != columns[0].encode():
        received = header[1][:80].decode("utf-8", "backslashreplace").strip()
        raise DatasetError(
            f"{path}:{header[0]}: not the names of the columns. Received: {received!r}",
            hint=f"expected: {' '.join(columns)}",
        )
    for number, line in lines:
        place = f"{path}:{number}"
        cells = line.split()
        if _JUNK.search(line):
            yield Failure(place, "not a line of text")
        elif len(cells) != len(columns):
            yield Failure(place, f"{len(cells)} columns, where there should be {len(columns)}")
        else:
            try:
                yield Row(place, [cell.decode() for cell in cells])
            except UnicodeDecodeError:
                yield Failure(place, "not valid UTF-8")


def picture_parts(name: str, n_parts: int, layout: str) -> list[str]:
    """The parts of a picture's path.

    Example:
        >>> picture_parts("img/TOPS/Blouse/id_00000007/shop_01.jpg", 5, "img/TOP/SUB/item/name.jpg")
        ['img', 'TOPS', 'Blouse', 'id_00000007', 'shop_01.jpg']

    Raises:
        BadEntry: it is no path of that layout, or one that leads elsewhere.
    """
    parts = name.split("/")
    if len(parts) != n_parts or parts[0] != "img" or any(part in ("", ".", "..") for part in parts):
        raise BadEntry(f"a picture's path is {layout}. Received: {name!r}")
    return parts


class Boxes:
    """Boxes by picture, 24 bytes for each: there are 240,000 of them.

    Args:
        keys: of the pictures, uint64, as :func:`name_key` makes them.
        corners: x0, y0, x1, y1 of each, one after the other.
    """

    def __init__(self, keys: array[int], corners: array[int]) -> None:
        self._keys = np.frombuffer(keys, np.uint64) if keys else np.empty(0, np.uint64)
        # Stable, and looked up from the left: of two rows for one picture the first counts.
        self._order = np.argsort(self._keys, kind="stable")
        self._keys = self._keys[self._order]
        self._corners = corners

    def __len__(self) -> int:
        return len(self._keys)

    def get(self, name: str) -> Box | None:
        """The box of a picture, in the pixels that the dataset counts in; None if there is none."""
        key = np.uint64(name_key(name))
        position = int(np.searchsorted(self._keys, key))
        if position == len(self._keys) or self._keys[position] != key:
            return None
        start = 4 * int(self._order[position])
        return Box(*self._corners[start : start + 4])


def read_boxes(path: Path, columns: Sequence[str], n_kinds: int) -> Generator[Failure, None, Boxes]:
    """Reads a file of boxes.

    Args:
        path: of the file.
        columns: image_name, clothes_type (1 to 3), a second type, and the corners.
        n_kinds: the second type is 1 to this.

    Yields:
        rows that cannot be read.

    Returns:
        the boxes, to be had by ``yield from``.

    Raises:
        DatasetError: the file as a whole cannot be read.
    """
    keys, corners = array("Q"), array("i")
    for row in rows(path, columns):
        if isinstance(row, Failure):
            yield row
            continue
        name, *cells = row.cells
        try:
            clothes, kind, *numbers = _whole_numbers(cells)
            if not (1 <= clothes <= 3 and 1 <= kind <= n_kinds):
                raise BadEntry(
                    f"{columns[1]} is 1 to 3 and {columns[2]} 1 to {n_kinds}. Received: {clothes} {kind}"
                )
            box = clipped_box(*numbers)
        except BadEntry as error:
            yield Failure(row.place, str(error))
            continue
        keys.append(name_key(name))
        corners.extend((box.x0, box.y0, box.x1, box.y1))
    return Boxes(keys, corners)


def name_key(name: str) -> int:
    """A name in eight bytes."""
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "little")


def _whole_numbers(cells: Sequence[str]) -> list[int]:
    for cell in cells:
        if not re.fullmatch(r"-?[0-9]{1,6}", cell):
            raise BadEntry(f"not a whole number of pixels: {cell!r}")
    return [int(cell) for cell in cells]


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """The lines with something in them, with their numbers."""
    number = 0
    try:
        with path.open("rb") as file:
            while line := file.readline(MAX_LINE + 1):
                number += 1
                if len(line) > MAX_LINE:
                    raise DatasetError(
                        f"{path}:{number}: a line of more than {MAX_LINE:,} bytes: not an annotation file"
                    )
                if number == 1:
                    line = line.removeprefix(_BOM)
                if line.strip():
                    yield number, line
    except OSError as error:
        raise DatasetError(f"cannot read {os.fspath(path)}: {error.strerror}") from error


# What the rows have said of each item so far: a product says the same of itself everywhere.


class Items:
    """Split and category of each item, by the row that named it first.

    Example:
        >>> items = Items()
        >>> items.first("list.txt:3", "id_00000001", "test", "DRESSES/Dress")
        ('test', 'DRESSES/Dress')
    """

    def __init__(self) -> None:
        self._first: dict[str, tuple[str, str, str]] = {}

    def first(self, place: str, item: str, split: str, category: str) -> tuple[str, str]:
        """Split and category of an item; of two categories the first counts.

        Raises:
            BadEntry: an earlier row has put it into another split.
        """
        first_place, first_split, first_category = self._first.setdefault(item, (place, split, category))
        if first_split != split:
            raise BadEntry(f"{item} is in the split {split} here, and in {first_split} in {first_place}")
        return first_split, first_category


# JSON files of annotations, with the line of what is wrong in them.

_SPACE: Final = re.compile(r"[ \t\r\n]*")
_DECODER: Final = json.JSONDecoder()


def read_text(path: Path) -> str | Failure:
    """A file as text, without a byte order mark; or where and why it is none."""
    try:
        data = path.read_bytes()
    except OSError as error:
        return Failure(str(path), f"cannot be read: {error.strerror}")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        return Failure(f"{path}:{line}", "not valid UTF-8, so not JSON")


def array_entries(path: Path) -> Iterator[tuple[str, Any] | Failure]:
    """The entries of a file that is one JSON array, one at a time.

    Yields:
        ``path:line`` of the entry's beginning, and the entry; where the text stops being JSON, one failure
        as the last.
    """
    text = read_text(path)
    if isinstance(text, Failure):
        yield text
        return
    position = _skip_space(text, 0)
    line, counted = 1, 0
    n_entries = 0
    expected = "["
    while True:
        line, counted = line + text.count("\n", counted, position), position
        if not text.startswith(expected, position):
            if expected == "," and text.startswith("]", position):
                return
            found = repr(text[position : position + 20]) if position < len(text) else "the end of the file"
            after = f"after entry {n_entries}, " if n_entries else ""
            yield Failure(f"{path}:{line}", f"not JSON: {after}expected {expected!r}, found {found}")
            return
        position = _skip_space(text, position + 1)
        line, counted = line + text.count("\n", counted, position), position
        if expected == "[" and text.startswith("]", position):
            return
        try:
            entry, position = _DECODER.raw_decode(text, position)
        except (ValueError, RecursionError) as error:
            yield Failure(f"{path}:{line}", f"not JSON: entry {n_entries + 1} cannot be read ({error})")
            return
        n_entries += 1
        yield f"{path}:{line}", entry
        position = _skip_space(text, position)
        expected = ","


def whole_number(what: str, value: object) -> int:
    """A number that names something.

    Raises:
        BadEntry: it is not a whole number, or negative.
    """
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,18}", value):
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 10**18:
        raise BadEntry(f"{what} is a whole number. Received: {_shown(value)}")
    return value


def number(what: str, value: object) -> float:
    """A number that measures something.

    Raises:
        BadEntry: it is not a finite number.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise BadEntry(f"{what} is a number. Received: {_shown(value)}")
    if abs(value) > 1e9:
        raise BadEntry(f"{what} is larger than any picture. Received: {_shown(value)}")
    return float(value)


def _shown(value: object) -> str:
    return repr(value)[:60]


def _skip_space(text: str, position: int) -> int:
    found = _SPACE.match(text, position)
    return found.end() if found else position
